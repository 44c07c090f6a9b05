import {
  abortAllDurableObjects,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test'
import { beforeAll, describe, expect, test } from 'vitest'
import { canonicalJson } from '../../schema/canonical.ts'
import type { Event } from '../../schema/event.ts'
import { emptyHive, fromDocument, toDocument } from '../../schema/hive.ts'
import { applyObservation, emptyObserved } from '../../schema/observed.ts'
import { CLOSE } from '../../schema/session.ts'
import { applyUpdate, type Update } from '../../schema/update.ts'
import { step } from '../../worker/core/step.ts'
import { chainHash, EMPTY_HASH } from '../../worker/hive-store.ts'
import { insertKey, ok, pause, TestCluster } from './api.ts'
import { intentNow, TestNode } from './test-node.ts'

beforeAll(insertKey)

/** A cluster whose group `web` with `nginx` runs on n1. */
async function running(profile: 'fast' | 'test' | 'standard') {
  const cluster = await TestCluster.form(profile)
  const node = await TestNode.up(cluster, 'n1')
  const groupId = await cluster.group('web')
  const resourceId = await cluster.resource('web', 'nginx')
  const epoch = await node.take(groupId)
  const item = { resourceId, epoch, restarts: 0, gaveUp: false }
  await node.tell({ t: 'status', items: [{ ...item, status: 'online' }] })
  const held = [{ groupId, epoch }]
  return { cluster, node, groupId, resourceId, epoch, held }
}

describe('hibernation: sockets stay, memory goes', () => {
  test('the session, its stream and its marks go on', async () => {
    const { cluster, node, resourceId, epoch } = await running('standard')
    const before = await cluster.view()
    await evictDurableObject(await cluster.stub())
    node.line.ws.send('ping')
    const stop = intentNow(resourceId, epoch)
    await node.tell(stop)
    await ok('onlineResource', { params: { ...cluster.params, resource: 'nginx' } })
    await evictDurableObject(await cluster.stub())
    // S-16: the same report once more, to another instance: acked, and without effect.
    await node.tell(stop, node.n)
    await evictDurableObject(await cluster.stub())
    node.line.send({ t: 'confirm', n: 1 })
    await node.line.next('confirmed')
    const after = await cluster.view()
    expect(after.seq).toBe(before.seq + 2)
    expect(after.groups[0]).toMatchObject({ owner: 'n1', epoch, state: 'online' })
    expect(after.nodes).toMatchObject([{ state: 'up', connected: true }])
    expect(node.line.pongs).toBe(1)
    const seqs: number[] = []
    while (seqs.at(-1) !== after.seq)
      seqs.push(...(await node.line.next('updates')).updates.map((u) => u.seq))
    expect(seqs.slice(-2)).toEqual([after.seq - 1, after.seq])
  })

  test('whoever has not loaded the hive keeps its deadlines all the same: maintenance ends in time', async () => {
    const cluster = await TestCluster.form('standard')
    const body = { scope: 'cluster', reason: 'switch is replaced', forMs: 3_600_000 }
    await ok('startMaintenance', { params: cluster.params, body })
    const untilMs = (await cluster.view()).maintenance[0]?.untilMs
    const alarmAfter = async () => {
      await evictDurableObject(await cluster.stub())
      await runDurableObjectAlarm(await cluster.stub())
      return runInDurableObject(await cluster.stub(), (_, { storage }) => storage.getAlarm())
    }
    // The first alarm finds out what was used, and has to load it for that.
    for (let n = 0; n < 3; n += 1) expect(await alarmAfter()).toBe(untilMs)
  })

  test('a drain keeps its deadline and its target', async () => {
    const { cluster } = await running('standard')
    await TestNode.up(cluster, 'n2')
    const params = { ...cluster.params, node: 'n1' }
    await ok('drainNode', { params, body: { to: 'n2', withinMs: 60_000 } })
    const before = (await cluster.view()).nodes[0]?.draining
    expect(before).toMatchObject({ to: 'n2', untilMs: (before?.sinceMs ?? 0) + 60_000 })
    await evictDurableObject(await cluster.stub())
    expect((await cluster.view()).nodes[0]?.draining).toEqual(before)
    await ok('resumeNode', { params, body: {} })
    await evictDurableObject(await cluster.stub())
    await ok('drainNode', { params, body: {} })
    expect((await cluster.view()).nodes[0]?.draining).toMatchObject({ to: null, untilMs: null })
  })

  test('D3 (a) stays usable for a node whose socket is open', async () => {
    const { cluster, node } = await running('fast')
    const other = await TestNode.up(cluster, 'n2')
    await evictDurableObject(await cluster.stub())
    node.line.ws.close(1000, 'gone')
    const keep = setInterval(() => other.line.ws.send('ping'), 200)
    const view = await cluster.until('down', (v) => v.nodes[0]?.state === 'down', 2_500)
    clearInterval(keep)
    expect(view.nodes[1]).toMatchObject({ state: 'up', connected: true })
  })
})

describe('restart: sockets and memory go, nothing that was acknowledged does', () => {
  test('D5: not Down before W(TTL_A), Down after it; who is back is not', async () => {
    const { cluster, node, groupId, held } = await running('test')
    const other = await TestNode.up(cluster, 'n2')
    await evictDurableObject(await cluster.stub(), { webSockets: 'close' })
    const startMs = performance.now()
    await cluster.view()
    await other.begin()
    const keep = setInterval(() => other.line.ws.send('ping'), 200)
    // Long after W(TTL) = 2241 ms, which is closed to an instance that did not know the session.
    await pause(4_000)
    expect((await cluster.view()).nodes).toMatchObject([{ state: 'up' }, { state: 'up' }])
    const down = await cluster.until('down', (v) => v.nodes[0]?.state === 'down')
    expect(performance.now() - startMs).toBeGreaterThan(6_322)
    expect(down.nodes).toMatchObject([{ epoch: 1 }, { epoch: 0, state: 'up' }])
    expect(await other.take(groupId)).toBe(2)
    clearInterval(keep)
    // S4: what it still holds is not its own any more.
    const challenge = await node.connect()
    node.line.send(await node.report(challenge, { held }))
    expect(await node.line.next('bye')).toMatchObject({ code: 'heldNotOwned' })
    expect(await node.line.end()).toMatchObject({ code: CLOSE.refused })
  })

  test('S-11, S-16: hive, hash chain and marks are as they were, the journal replays', async () => {
    const { cluster, node, resourceId, epoch, held } = await running('standard')
    const stop = intentNow(resourceId, epoch)
    await node.tell(stop)
    const before = await cluster.view()
    await abortAllDurableObjects()
    const after = await cluster.view()
    expect(after).toMatchObject({ seq: before.seq, hash: before.hash, groups: before.groups })
    expect(after.nodes).toMatchObject([{ state: 'up', connected: false }])
    await node.begin({ held })
    await ok('onlineResource', { params: { ...cluster.params, resource: 'nginx' } })
    await node.tell(stop, node.n)
    const view = await cluster.view()
    expect(view.groups[0]?.resources[0]).toMatchObject({ persistentState: 1, status: 'online' })
    await expectReplay(cluster)
    const { entries } = await ok<{ entries: { message: string }[] }>('listLog', {
      params: cluster.params,
    })
    const starts = entries.map((e) => e.message).filter((m) => m.startsWith('start: '))
    expect(starts).toEqual(['start: 1 nodes that were up have no open session'])
  })
})

/** The journal through `step`, and the updates through the chain: what the object has, bit for bit. */
async function expectReplay(cluster: TestCluster): Promise<void> {
  const rows = await runInDurableObject(await cluster.stub(), (_, { storage }) => ({
    journal: storage.sql.exec('select at_ms, event from journal order by id').toArray(),
    updates: storage.sql.exec('select body, hash from updates order by seq').toArray(),
  }))
  const state = { hive: emptyHive(), observed: emptyObserved() }
  for (const row of rows.journal) {
    const event = JSON.parse(String(row['event'])) as Event
    const decision = step(state, event, Number(row['at_ms']))
    for (const u of decision.updates) applyUpdate(state.hive, u)
    for (const o of decision.observations) applyObservation(state.observed, o)
  }
  const replica = emptyHive()
  let hash = EMPTY_HASH
  for (const row of rows.updates) {
    const update = JSON.parse(String(row['body'])) as Update
    applyUpdate(replica, update)
    hash = chainHash(hash, update)
    expect(row['hash']).toBe(hash)
  }
  expect(canonicalJson(toDocument(state.hive))).toBe(canonicalJson(toDocument(replica)))
  expect(await cluster.view()).toMatchObject({ seq: replica.seq, hash })
}

describe('the alarm', () => {
  test('D1 to D4: a silent session is closed at TTL, and Down after W(TTL)', async () => {
    const { cluster, node, groupId } = await running('fast')
    const other = await TestNode.up(cluster, 'n2')
    const keep = setInterval(() => other.line.ws.send('ping'), 200)
    node.line.ws.send('ping')
    const answeredMs = performance.now()
    // An alarm that rings too early finds nothing to do.
    expect(await runDurableObjectAlarm(await cluster.stub())).toBe(true)
    expect((await cluster.view()).nodes[0]).toMatchObject({ connected: true })
    expect(await node.line.next('bye')).toMatchObject({ code: 'suspected' })
    expect(performance.now() - answeredMs).toBeGreaterThan(1_400)
    expect(await node.line.end()).toMatchObject({ code: CLOSE.suspected })
    expect((await cluster.view()).nodes[0]).toMatchObject({ state: 'up' })
    expect(await other.take(groupId)).toBe(2)
    expect(performance.now() - answeredMs).toBeGreaterThan(1_600)
    clearInterval(keep)
    const { events } = await ok<{ events: { message: string }[] }>('listEvents', {
      params: cluster.params,
    })
    const lost = events.map((e) => e.message).find((m) => m.includes('has surely ended'))
    expect(lost).toMatch(/its lease has surely ended, waitedMs \d+, neededMs 1631/)
  })
})

describe('replicas', () => {
  test('S-04: updates when it is a prefix of ours, a snapshot when it is not', async () => {
    const { cluster, node, held } = await running('standard')
    const { seq, hash } = await cluster.view()
    const { hash: hash3 } = (await hashes(cluster))[2] as { hash: string }
    node.replica = { seq: 3, hash: hash3 }
    await node.begin({ held })
    const { updates } = await node.line.next('updates')
    expect(updates.map((u) => u.seq)[0]).toBe(4)
    for (const wrong of [
      { seq: 3, hash: 'f'.repeat(64) },
      { seq: seq + 100, hash },
    ]) {
      node.replica = wrong
      const welcome = await node.begin({ held })
      const snapshot = await node.line.next('snapshot')
      expect(snapshot).toMatchObject({ part: 0, parts: 1, seq: welcome.seq })
      const hive = fromDocument(JSON.parse(snapshot.text))
      const view = await cluster.view()
      expect([hive.seq, snapshot.hash]).toEqual([view.seq, view.hash])
      expect(hive.groups.size).toBe(1)
    }
    // What the journal no longer has cannot be sent as updates.
    await runInDurableObject(await cluster.stub(), (_, { storage }) => {
      storage.sql.exec('delete from updates where seq < 3')
    })
    node.replica = { seq: 0, hash: EMPTY_HASH }
    await node.begin({ held })
    await node.line.next('snapshot')
  })

  test('S-66: more than a thousand updates: a new snapshot, and the first one is kept', async () => {
    const cluster = await TestCluster.form('standard')
    const node = await TestNode.up(cluster, 'n1')
    const groupId = await cluster.group('web')
    const stub = await cluster.stub()
    for (let i = 0; i < 1_100; i += 1)
      await stub.ask(
        { type: 'changeGroup', groupId, settings: { failoverPeriodMs: i + 1 } },
        'suite',
      )
    const before = await cluster.view()
    const kept = await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec('select distinct seq from snapshots order by seq').toArray(),
    )
    expect(kept.map((row) => row['seq'])).toEqual([1, 1_001])
    await abortAllDurableObjects()
    expect(await cluster.view()).toMatchObject({ seq: before.seq, hash: before.hash })
    const first = await ok<{ seq: number; value: { Cluster: object } }>('getHive', {
      params: cluster.params,
      query: { version: '1' },
    })
    expect(first).toMatchObject({ seq: 1, value: { Cluster: { Name: cluster.name, Groups: {} } } })
    // A node that missed all of it is caught up in frames of bounded size.
    await node.begin()
    const frames = []
    for (let seq = 0; seq < before.seq; ) {
      const { updates } = await node.line.next('updates')
      expect(updates[0]?.seq).toBe(seq + 1)
      frames.push(updates.length)
      seq = updates.at(-1)?.seq ?? 0
    }
    expect(Math.max(...frames)).toBeLessThanOrEqual(500)
  })
})

describe('a socket that was superseded', () => {
  test('S2, S-16: its late report has no effect, and is not taken for done', async () => {
    const { cluster, node, groupId, epoch, held } = await running('standard')
    const challenge = await node.connect()
    const report = await node.report(challenge, { held })
    const late = { t: 'released', n: node.n + 1, groupId, epoch, why: 'gaveUp' }
    await runInDurableObject(await cluster.stub(), async (object, state) => {
      const sockets = state.getWebSockets(node.id)
      const session = (ws: WebSocket) => (ws.deserializeAttachment() as { session: number }).session
      sockets.sort((a, b) => session(a) - session(b))
      expect(sockets).toHaveLength(2)
      const [older, newer] = sockets as [WebSocket, WebSocket]
      await object.webSocketMessage(newer, JSON.stringify(report))
      await object.webSocketMessage(older, JSON.stringify(late))
    })
    await node.line.next('welcome')
    expect((await cluster.view()).groups[0]).toMatchObject({ phase: 'owned', epoch })
    await node.tell({ t: 'released', groupId, epoch, why: 'gaveUp' })
    expect((await cluster.view()).groups[0]).toMatchObject({ phase: 'free' })
  })
})

async function hashes(cluster: TestCluster): Promise<{ hash: string }[]> {
  return runInDurableObject(
    await cluster.stub(),
    (_, { storage }) =>
      storage.sql.exec('select hash from updates order by seq').toArray() as { hash: string }[],
  )
}
