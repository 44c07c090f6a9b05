/** The event stream: what is committed, in order, to whoever watches; and to nodes it is nothing. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, test } from 'vitest'
import { STREAM_CLOSE } from '../../schema/api/stream.ts'
import { LIMITS } from '../../schema/limits.ts'
import { fetchApi, insertKey, ok, pause, problemOf, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'
import { range, Watcher } from './watcher.ts'

beforeAll(insertKey)

/** A cluster with a node that runs `nginx` in group `web`. */
async function running(profile: 'fast' | 'standard' = 'standard') {
  const cluster = await TestCluster.form(profile)
  const node = await TestNode.up(cluster, 'n1')
  const groupId = await cluster.group('web')
  const resourceId = await cluster.resource('web', 'nginx')
  const epoch = await node.take(groupId)
  const item = { resourceId, epoch, restarts: 0, gaveUp: false }
  await node.tell({ t: 'status', items: [{ ...item, status: 'online' }] })
  return { cluster, node, groupId, item, held: [{ groupId, epoch }] }
}

const seqOf = async (cluster: TestCluster) => (await cluster.view()).seq

/** Changes the hive so many times. */
async function change(cluster: TestCluster, groupId: string, times: number): Promise<void> {
  const stub = await cluster.stub()
  for (let i = 0; i < times; i += 1)
    await stub.ask({ type: 'changeGroup', groupId, settings: { failoverPeriodMs: i } }, 'suite')
}

describe('what is told', () => {
  test('S-05, S-11: what came after `after`, then each update with its reason, in order, once', async () => {
    const { cluster } = await running()
    const before = await seqOf(cluster)
    const watcher = await Watcher.open(cluster, before - 2)
    await ok('pauseNode', { params: { ...cluster.params, node: 'n1' } })
    await ok('resumeNode', { params: { ...cluster.params, node: 'n1' } })
    const after = await seqOf(cluster)
    await watcher.until(after)
    expect(watcher.seqs).toEqual(range(before - 1, after))
    const frames = watcher.frames.flatMap((frame) => (frame.t === 'events' ? frame.events : []))
    const { events } = await ok<{ events: object[] }>('listEvents', {
      params: cluster.params,
      query: { after: String(before - 2) },
    })
    expect(frames).toEqual(events)
    // Without `after`: only what comes.
    const fresh = await Watcher.open(cluster)
    await ok('pauseNode', { params: { ...cluster.params, node: 'n1' } })
    await fresh.until(after + 1)
    expect(fresh.seqs).toEqual([after + 1])
  })

  test('S-65: a status is no update; that it changed is said, and the view has it', async () => {
    const { cluster, node, item } = await running()
    const watcher = await Watcher.open(cluster)
    const seq = await seqOf(cluster)
    await node.tell({ t: 'status', items: [{ ...item, status: 'failed', detail: 'exit 1' }] })
    const first = await watcher.next('observed')
    expect((await cluster.view()).groups[0]?.resources[0]).toMatchObject({ status: 'failed' })
    await node.tell({ t: 'status', items: [{ ...item, status: 'online' }] })
    expect((await watcher.next('observed')).observed).toBeGreaterThan(first.observed)
    expect(watcher.seqs).toEqual([])
    expect(await seqOf(cluster)).toBe(seq)
  })

  test('S-09: a session that ends is said although nothing is decided yet', async () => {
    const { cluster, node } = await running()
    const watcher = await Watcher.open(cluster)
    node.line.ws.close(1000, 'gone')
    await watcher.next('observed')
    expect((await cluster.view()).nodes[0]).toMatchObject({ state: 'up', connected: false })
  })

  test('the long poll tells the same: it ends for what is only observed too', async () => {
    const { cluster, node, item } = await running()
    const poll = (query: Record<string, string>) =>
      ok<{ events: object[]; observed: number }>('listEvents', { params: cluster.params, query })
    const after = String(await seqOf(cluster))
    const { observed } = await poll({ after })
    const waiting = poll({ after, observed: String(observed), waitMs: '20000' })
    const beganMs = performance.now()
    await node.tell({ t: 'status', items: [{ ...item, status: 'failed' }] })
    expect((await waiting).observed).toBeGreaterThan(observed)
    expect((await waiting).events).toEqual([])
    expect(performance.now() - beganMs).toBeLessThan(5_000)
  })
})

describe('what was missed', () => {
  test('S-11: eviction and restart of the object: nothing is lost, nothing comes twice', async () => {
    const { cluster, groupId } = await running()
    const begin = await seqOf(cluster)
    const watcher = await Watcher.open(cluster, begin)
    await change(cluster, groupId, 3)
    await watcher.until(begin + 3)
    // Hibernation: the socket stays, memory goes.
    await evictDurableObject(await cluster.stub())
    await change(cluster, groupId, 3)
    await watcher.until(begin + 6)
    watcher.ws.send('ping')
    // A restart: the socket goes too. What is committed until it is back comes as a replay.
    await evictDurableObject(await cluster.stub(), { webSockets: 'close' })
    await watcher.end()
    await change(cluster, groupId, 3)
    const again = await Watcher.open(cluster, watcher.seqs.at(-1))
    await change(cluster, groupId, 3)
    await again.until(begin + 12)
    expect([...watcher.seqs, ...again.seqs]).toEqual(range(begin + 1, begin + 12))
    expect(watcher.pongs).toBe(1)
  })

  test('too much, no longer kept, or of another cluster: a gap, and on from there', async () => {
    const { cluster, groupId } = await running()
    await change(cluster, groupId, LIMITS.streamReplayMax + 5)
    const seq = await seqOf(cluster)
    const late = await Watcher.open(cluster, 2)
    expect(await late.next('gap')).toEqual({ t: 'gap', after: 2, next: seq })
    const ahead = await Watcher.open(cluster, seq + 100)
    expect(await ahead.next('gap')).toEqual({ t: 'gap', after: seq + 100, next: seq })
    const inTime = await Watcher.open(cluster, seq - 250)
    await inTime.until(seq)
    expect(inTime.seqs).toEqual(range(seq - 249, seq))
    expect(inTime.frames.map((f) => (f.t === 'events' ? f.events.length : 0))).toEqual([
      100, 100, 50,
    ])
    await runInDurableObject(await cluster.stub(), (_, { storage }) => {
      storage.sql.exec('delete from updates where seq <= ?', seq - 5)
    })
    const trimmed = await Watcher.open(cluster, seq - 10)
    expect(await trimmed.next('gap')).toEqual({ t: 'gap', after: seq - 10, next: seq })
    await change(cluster, groupId, 1)
    for (const one of [late, ahead, trimmed]) {
      await one.until(seq + 1)
      expect(one.seqs).toEqual([seq + 1])
    }
  })
})

describe('who may watch', () => {
  test('only with a key, only as a WebSocket, only what there is', async () => {
    const { cluster } = await running()
    const without = await Watcher.request(cluster, 0, { authorization: '' })
    expect(await problemOf(without)).toMatchObject({ code: 'UNAUTHENTICATED' })
    const plain = await fetchApi(`/v1/clusters/${cluster.name}/events/stream`)
    expect(await problemOf(plain)).toMatchObject({ code: 'BAD_REQUEST', why: expect.any(String) })
    const nowhere = await fetchApi('/v1/clusters/nosuch/events/stream', {
      headers: { upgrade: 'websocket' },
    })
    expect(await problemOf(nowhere)).toMatchObject({ code: 'NOT_FOUND' })
    const wrong = await fetchApi(`/v1/clusters/${cluster.name}/events/stream?after=x`, {
      headers: { upgrade: 'websocket' },
    })
    expect(await problemOf(wrong)).toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('it is read only: "ping" is answered, anything else ends it with a reason', async () => {
    const { cluster, node } = await running()
    const watcher = await Watcher.open(cluster)
    watcher.ws.send('ping')
    await expect.poll(() => watcher.pongs).toBe(1)
    const report = { t: 'goodbye', n: 99 }
    watcher.ws.send(JSON.stringify(report))
    expect(await watcher.next('bye')).toMatchObject({ code: 'readOnly' })
    expect(await watcher.end()).toMatchObject({ code: STREAM_CLOSE.readOnly })
    expect((await cluster.view()).nodes).toMatchObject([{ state: 'up', connected: true }])
    expect(node.line.closed).toBeNull()
  })

  test('a cluster has a limit of them; who was silent for long makes room', async () => {
    const { cluster } = await running()
    const all: Watcher[] = []
    for (let i = 0; i < LIMITS.watchersMax; i += 1) all.push(await Watcher.open(cluster))
    const refused = await problemOf(await Watcher.request(cluster))
    expect(refused).toMatchObject({ code: 'LIMIT_REACHED', remedy: expect.any(String) })
    await mark(cluster, { heardMs: Date.now() - LIMITS.streamSilentMs - 1 }, 2)
    await Watcher.open(cluster)
    await expect
      .poll(() => all.filter((one) => one.closed).map((one) => one.closed?.code))
      .toEqual([STREAM_CLOSE.silent, STREAM_CLOSE.silent])
  })

  test('who does not read is dropped, and nobody else waits for it', async () => {
    const { cluster, groupId } = await running()
    const begin = await seqOf(cluster)
    const slow = await Watcher.open(cluster)
    await mark(cluster, { unheard: LIMITS.streamFramesUnheardMax }, 1)
    const good = await Watcher.open(cluster)
    await change(cluster, groupId, 2)
    await good.until(begin + 2)
    expect(await slow.next('bye')).toMatchObject({ code: 'slow' })
    expect(await slow.end()).toMatchObject({ code: STREAM_CLOSE.slow })
    expect(slow.seqs).toEqual([])
    // A ping says that it reads: the count begins anew.
    await mark(cluster, { unheard: LIMITS.streamFramesUnheardMax }, 1)
    await pause(5)
    good.ws.send('ping')
    await expect.poll(() => good.pongs).toBe(1)
    await change(cluster, groupId, 1)
    await good.until(begin + 3)
    expect(good.closed).toBeNull()
  })
})

describe('what streams may cost', () => {
  test.each([
    { what: 'bytes', over: { sentBytes: LIMITS.streamBytesMax } },
    { what: 'frames in a minute', over: { inMinute: LIMITS.streamFramesPerMinuteMax } },
  ])('$what: a ping does not say that it reads; it goes on with `after`', async ({ over }) => {
    const { cluster, groupId } = await running()
    const begin = await seqOf(cluster)
    const deaf = await Watcher.open(cluster)
    await mark(cluster, over, 1)
    await pause(5)
    deaf.ws.send('ping')
    await expect.poll(() => deaf.pongs).toBe(1)
    await change(cluster, groupId, 1)
    expect(await deaf.next('bye')).toMatchObject({ code: 'slow' })
    expect(await deaf.end()).toMatchObject({ code: STREAM_CLOSE.slow })
    const again = await Watcher.open(cluster, begin)
    await again.until(begin + 1)
    expect(again.seqs).toEqual([begin + 1])
  })

  test('frames of an earlier minute do not count', async () => {
    const { cluster, groupId } = await running()
    const begin = await seqOf(cluster)
    const watcher = await Watcher.open(cluster)
    const earlier = Date.now() - 60_001
    await mark(cluster, { inMinute: LIMITS.streamFramesPerMinuteMax, minuteMs: earlier }, 1)
    await change(cluster, groupId, 1)
    await watcher.until(begin + 1)
  })

  test('D6, S-16: a stream that cannot be told of is nothing to a request, a report or the alarm', async () => {
    const { cluster, groupId, node, item } = await running()
    const begin = await seqOf(cluster)
    const broken = await Watcher.open(cluster)
    const good = await Watcher.open(cluster)
    await runInDurableObject(await cluster.stub(), (_, state) => {
      state.getWebSockets('watcher')[0]?.serializeAttachment(null)
    })
    await change(cluster, groupId, 1)
    await good.until(begin + 1)
    expect(await broken.end()).toMatchObject({ code: STREAM_CLOSE.fault })
    await node.tell({ t: 'status', items: [{ ...item, status: 'failed' }] })
    await good.next('observed')
    const alarm = await runInDurableObject(await cluster.stub(), (_, { storage }) =>
      storage.getAlarm(),
    )
    expect(alarm).toBeGreaterThan(Date.now() - 1_000)
  })

  test('many that come back at once: not all are replayed to, the others get a gap', async () => {
    const { cluster, groupId } = await running()
    await change(cluster, groupId, 900)
    const seq = await seqOf(cluster)
    const all = await Promise.all(range(1, 12).map(() => Watcher.open(cluster, seq - 900)))
    await expect.poll(() => all.filter(caughtUp).length, { timeout: 25_000 }).toBe(12)
    const gaps = all.filter((one) => one.frames.some((frame) => frame.t === 'gap')).length
    expect(gaps).toBeGreaterThan(0)
    expect(gaps).toBeLessThan(12)
    await change(cluster, groupId, 1)
    for (const one of all) await one.until(seq + 1)

    function caughtUp(one: Watcher): boolean {
      return one.seqs.at(-1) === seq || one.frames.some((frame) => frame.t === 'gap')
    }
  })
})

/** Changes what the object knows of its first watchers. */
async function mark(cluster: TestCluster, over: object, count: number): Promise<void> {
  await runInDurableObject(await cluster.stub(), (_, state) => {
    for (const ws of state.getWebSockets('watcher').slice(0, count))
      ws.serializeAttachment({ ...(ws.deserializeAttachment() as object), ...over })
  })
}

describe('to the nodes it is nothing', () => {
  test('D6: a watcher that is answered vouches for no clock: the whole wait is done by timer', async () => {
    const { cluster, node } = await running('fast')
    const watcher = await Watcher.open(cluster)
    const keep = setInterval(() => watcher.ws.send('ping'), 100)
    node.line.ws.send('ping')
    await node.line.end()
    // Had it vouched, the time before the close would count, and it would be Down 0.2 s later.
    const closedMs = performance.now()
    await cluster.until('down', (view) => view.nodes[0]?.state === 'down')
    expect(performance.now() - closedMs).toBeGreaterThan(1_500)
    clearInterval(keep)
  })

  test('D1, D5: a watcher that closes or falls silent is no loss, and no session after a restart', async () => {
    const { cluster, held, node } = await running()
    const watcher = await Watcher.open(cluster)
    await mark(cluster, { heardMs: 0 }, 1)
    const before = await logged(cluster)
    watcher.ws.close(1000, 'done')
    await pause(50)
    expect(await logged(cluster)).toEqual(before)
    await Watcher.open(cluster)
    await evictDurableObject(await cluster.stub(), { webSockets: 'close' })
    await Watcher.open(cluster)
    expect((await cluster.view()).nodes).toMatchObject([{ state: 'up', connected: false }])
    await node.begin({ held })
    expect((await cluster.view()).nodes).toMatchObject([{ state: 'up', connected: true }])
  })

  test('C4: a frame is never told before its update is committed', async () => {
    const { cluster, groupId } = await running()
    const watcher = await Watcher.open(cluster)
    const begin = await seqOf(cluster)
    await change(cluster, groupId, 1)
    const frame = await watcher.next('events')
    const kept = await runInDurableObject(await cluster.stub(), (_, { storage }) =>
      storage.sql.exec('select seq from updates where seq > ?', begin).toArray(),
    )
    expect(frame.events.map((event) => event.seq)).toEqual(kept.map((row) => row['seq']))
  })
})

async function logged(cluster: TestCluster): Promise<string[]> {
  const { entries } = await ok<{ entries: { message: string }[] }>('listLog', {
    params: cluster.params,
  })
  return entries.map((entry) => entry.message)
}
