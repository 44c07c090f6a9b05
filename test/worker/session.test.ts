import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { CLOSE, PROTOCOL, PROTOCOL_OLDEST } from '../../schema/session.ts'
import { insertKey, ok, pause, problemOf, TestCluster } from './api.ts'
import { intentNow, TestNode } from './test-node.ts'

beforeAll(insertKey)

describe('a session from challenge to ownership', () => {
  test('S1 to S4, U2, O1, O2: challenge, report, welcome, offer, accept, ownership update', async () => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.join(cluster, 'n1')
    expect((await cluster.view()).nodes).toMatchObject([{ name: 'n1', state: 'down' }])

    const challenge = await node.connect()
    expect(challenge).toMatchObject({ session: 1, protocol: PROTOCOL })
    node.line.send(await node.report(challenge))
    const welcome = await node.line.next('welcome')
    expect(welcome).toMatchObject({ session: 1, view: 1, node: { id: node.id, name: 'n1' } })
    // The replica was empty: what it missed follows, and is not above the welcome (U1).
    const missed = await node.line.next('updates')
    expect(missed.updates.map((u) => u.seq)).toEqual([1, 2, 3, 4])
    expect(welcome.seq).toBe(4)

    const groupId = await cluster.group('web')
    const offer = await node.line.next('offer')
    expect(offer).toMatchObject({ groupId, epoch: 0, reason: 'placement' })
    node.line.send({ t: 'accept', groupId, epoch: 0 })
    expect(await node.owned(groupId)).toBe(1)
    expect((await cluster.view()).groups).toMatchObject([{ name: 'web', owner: 'n1', epoch: 1 }])
  })
})

describe('what is not let in', () => {
  test('wrong signature, replayed attempt, foreign node, plain HTTP', async () => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.join(cluster, 'n1')
    const other = await TestNode.join(cluster, 'n2')
    const status = async (over: Parameters<TestNode['request']>[0]) => {
      const response = await node.request(over)
      return [response.status, response.webSocket]
    }
    expect(await status({ attempt: 1, signature: await node.sign('something else') })).toEqual([
      403,
      null,
    ])
    expect(await status({ attempt: 1, signature: 'not base64 at all' })).toEqual([403, null])
    // Signed with the key of n1 for n2.
    expect(await status({ attempt: 1, nodeId: other.id })).toEqual([403, null])
    expect(await status({ attempt: 1, nodeId: crypto.randomUUID() })).toEqual([403, null])
    expect(await status({ attempt: 0 })).toEqual([400, null])
    expect(await status({ attempt: -3 })).toEqual([400, null])
    node.attempt = 4
    await node.begin()
    for (const attempt of [5, 4, 1]) expect(await status({ attempt })).toEqual([409, null])
    expect((await node.request({ attempt: 6 })).status).toBe(101)
    // A session of another cluster: the text that is signed names the cluster.
    const elsewhere = await TestCluster.form('fast')
    const far = await TestNode.join(elsewhere, 'n1')
    Object.assign(far.joined, { sessionPath: node.joined.sessionPath })
    expect((await far.request()).status).toBe(403)
  })

  test('UNAVAILABLE: an object without its data does not tell a host that it was removed', async () => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.join(cluster, 'n1')
    // The path of an object that was never formed, as after a start without the state folder.
    const lost = env.CLUSTER.newUniqueId()
    Object.assign(node.joined, { sessionPath: `/v1/sessions/${lost}` })
    const response = await node.request()
    expect(await problemOf(response)).toMatchObject({ code: 'UNAVAILABLE', status: 503 })
  })

  test('S2, S3: reports that are not for this session, not signed, newer, or a second one', async () => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.join(cluster, 'n1')
    const attempts = [
      ['wrongSession', { session: 99 }],
      ['badSignature', { signature: 'AAAA' }],
      ['newerProtocol', { protocol: PROTOCOL + 1 }],
      ['olderProtocol', { protocol: PROTOCOL_OLDEST - 1 }],
    ] as const
    for (const [code, over] of attempts) {
      const challenge = await node.connect()
      node.line.send(await node.report(challenge, over))
      expect(await node.line.next('bye')).toMatchObject({ code })
      expect(await node.line.end()).toMatchObject({ code: CLOSE.refused })
    }
    expect((await cluster.view()).nodes).toMatchObject([{ state: 'down', connected: false }])
    // A report that was signed for an earlier challenge of the same node.
    const first = await node.connect()
    const stale = await node.report(first)
    const second = await node.connect()
    node.line.send({ ...stale, session: second.session })
    expect(await node.line.next('bye')).toMatchObject({ code: 'badSignature' })

    await node.begin()
    node.line.send(await node.report({ ...second, session: 99 }, { signature: 'AAAA' }))
    expect(await node.line.next('bye')).toMatchObject({ code: 'repeatedReport' })
  })

  test('S2: only the latest session of a node may report', async () => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.join(cluster, 'n1')
    const early = await node.connect()
    const earlyLine = node.line
    const late = await node.connect()
    earlyLine.send(await node.report(early))
    expect(await earlyLine.next('bye')).toMatchObject({ code: 'superseded' })
    expect((await cluster.view()).nodes).toMatchObject([{ state: 'down' }])
    node.line.send(await node.report(late))
    await node.line.next('welcome')
  })

  test('bad frames close with 4003 and change nothing', async () => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.up(cluster, 'n1')
    const { seq } = await cluster.view()
    const released = { t: 'released', n: 1, groupId: node.id, epoch: 1, why: 'asked' }
    const frames: (string | ArrayBuffer)[] = [
      'not json',
      'null',
      '[]',
      JSON.stringify({ t: 'unknown' }),
      JSON.stringify({ ...released, extra: 1 }),
      JSON.stringify({ ...released, epoch: -1 }),
      JSON.stringify({ ...released, n: 0 }),
      JSON.stringify({ t: 'confirm', n: 1.5 }),
      JSON.stringify({ t: 'status', n: 1, items: [] }),
      JSON.stringify({ t: 'log', entries: [{ atMs: -1, component: 'RCM', message: '' }] }),
      'x'.repeat(513 * 1024),
      new TextEncoder().encode(JSON.stringify(released)).buffer as ArrayBuffer,
    ]
    for (const frame of frames) {
      await node.begin()
      node.line.ws.send(frame)
      expect(await node.line.next('bye'), String(frame).slice(0, 80)).toMatchObject({
        code: 'badFrame',
      })
      expect(await node.line.end()).toMatchObject({ code: CLOSE.badFrame })
    }
    // One update for each new session, and none for what was said on it.
    expect((await cluster.view()).seq).toBe(seq + frames.length)
  })

  test('S2: what comes before the welcome is ignored', async () => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.up(cluster, 'n1')
    const groupId = await cluster.group('web')
    const epoch = await node.take(groupId)
    const challenge = await node.connect()
    node.line.send({ t: 'released', n: 1, groupId, epoch, why: 'asked' })
    node.line.send({ t: 'goodbye', n: 2 })
    node.line.send({ t: 'confirm', n: 1 })
    await pause(50)
    expect(node.line.frames).toEqual([])
    expect((await cluster.view()).groups).toMatchObject([{ owner: 'n1' }])
    node.line.send(await node.report(challenge, { held: [{ groupId, epoch }] }))
    await node.line.next('welcome')
    // Not marked as done either: it has its effect now.
    node.run = crypto.randomUUID()
    await node.tell({ t: 'released', groupId, epoch, why: 'gaveUp' }, 1)
    expect((await cluster.view()).groups).toMatchObject([{ phase: 'free' }])
  })
})

describe('once only (S-16)', () => {
  test('a report has its effect once, and an ack each time', async () => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.up(cluster, 'n1')
    const groupId = await cluster.group('web')
    const resourceId = await cluster.resource('web', 'nginx')
    const epoch = await node.take(groupId)
    const item = { resourceId, epoch, restarts: 0, gaveUp: false }
    await node.tell({ t: 'status', items: [{ ...item, status: 'online' }] })
    const stop = intentNow(resourceId, epoch)
    await node.tell(stop)
    await cluster.until('wanted 0', (v) => v.groups[0]?.resources[0]?.persistentState === 0)
    // An operator wants it online again; the repeated report of before must not undo that.
    await ok('onlineResource', { params: { ...cluster.params, resource: 'nginx' } })
    await node.tell(stop, node.n)
    await node.tell(stop, 1)
    expect((await cluster.view()).groups[0]?.resources[0]).toMatchObject({ persistentState: 1 })
    // The next number has its effect, and so has number 1 of another run.
    await node.tell(stop)
    expect((await cluster.view()).groups[0]?.resources[0]).toMatchObject({ persistentState: 0 })
    await ok('onlineResource', { params: { ...cluster.params, resource: 'nginx' } })
    node.run = crypto.randomUUID()
    await node.begin({ held: [{ groupId, epoch }] })
    await node.tell(stop, 1)
    expect((await cluster.view()).groups[0]?.resources[0]).toMatchObject({ persistentState: 0 })
  })
})

describe('sessions that follow each other', () => {
  test('S1: the older socket is closed when the newer one is welcomed, and says no more', async () => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.up(cluster, 'n1')
    const groupId = await cluster.group('web')
    const epoch = await node.take(groupId)
    const older = node.line
    await node.begin({ held: [{ groupId, epoch }] })
    expect(await older.next('bye')).toMatchObject({ code: 'superseded' })
    expect(await older.end()).toMatchObject({ code: CLOSE.superseded })
    await pause(100)
    expect((await cluster.view()).nodes).toMatchObject([{ state: 'up', connected: true }])
  })

  test('S5: a challenge that is never answered changes nothing for the welcomed session', async () => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.up(cluster, 'n1')
    const groupId = await cluster.group('web')
    await node.take(groupId)
    const welcomed = node.line
    const before = await cluster.view()
    await node.connect()
    const unanswered = node.line
    node.socket = welcomed
    unanswered.ws.close(1000, 'never answered')
    await pause(200)
    const after = await cluster.view()
    expect(after.seq).toBe(before.seq)
    expect(after.nodes).toMatchObject([{ name: 'n1', state: 'up', connected: true }])
    expect(after.groups).toMatchObject([{ owner: 'n1', epoch: 1 }])
  })

  test('a report and a close in one breath: the node is not left up without a session', async () => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.join(cluster, 'n1')
    const challenge = await node.connect()
    node.line.send(await node.report(challenge))
    node.line.ws.close(1000, 'gone')
    await cluster.until('down again', (v) => v.nodes[0]?.epoch === 1 && v.nodes[0].state === 'down')
  })

  test('goodbye: Down at once, with nothing to wait for; not believed while it owns a group', async () => {
    const cluster = await TestCluster.form('wan')
    const node = await TestNode.up(cluster, 'n1')
    const groupId = await cluster.group('web')
    const epoch = await node.take(groupId)
    await node.tell({ t: 'goodbye' })
    expect((await cluster.view()).nodes).toMatchObject([{ state: 'up', groups: 1 }])
    await node.tell({ t: 'leaving' })
    await node.line.next('updates', (f) =>
      f.updates.some(
        ({ change }) => change.table === 'group' && change.value?.ownership.phase === 'releasing',
      ),
    )
    await node.tell({ t: 'released', groupId, epoch, why: 'hostShutdown' })
    node.line.send({ t: 'goodbye', n: ++node.n })
    expect(await node.line.next('bye')).toMatchObject({ code: 'closed', detail: 'goodbye' })
    expect(await node.line.end()).toMatchObject({ code: CLOSE.goodbye })
    expect((await cluster.view()).nodes).toMatchObject([{ state: 'down', epoch: 1 }])
  })

  test('evicted: the socket is closed, and the key opens none any more', async () => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.up(cluster, 'n1')
    await ok('evictNode', { params: { ...cluster.params, node: 'n1' } })
    expect(await node.line.next('bye')).toMatchObject({ detail: 'evicted' })
    expect(await node.line.end()).toMatchObject({ code: CLOSE.evicted })
    expect((await node.request()).status).toBe(403)
  })

  test('L3, L6: a confirm is answered, on the welcomed session only; pings are, on any', async () => {
    const cluster = await TestCluster.form('fast')
    const [a, b] = [await TestNode.up(cluster, 'n1'), await TestNode.up(cluster, 'n2')]
    for (let n = 1; n <= 3; n += 1) for (const node of [a, b]) node.line.send({ t: 'confirm', n })
    for (const node of [a, b]) {
      const answers = []
      for (let n = 1; n <= 3; n += 1) answers.push((await node.line.next('confirmed')).n)
      expect(answers).toEqual([1, 2, 3])
      node.line.ws.send('ping')
    }
    await pause(50)
    expect([a.line.pongs, b.line.pongs]).toEqual([1, 1])
  })

  test('an update reaches those it does not concern gathered, within a second', async () => {
    const cluster = await TestCluster.form('fast')
    const [a, b] = [await TestNode.up(cluster, 'n1'), await TestNode.up(cluster, 'n2')]
    const groupId = await cluster.group('web')
    await a.take(groupId)
    const { seq } = await cluster.view()
    const seen: number[] = []
    while (seen.at(-1) !== seq)
      seen.push(...(await b.line.next('updates', undefined, 1_500)).updates.map((u) => u.seq))
    // In order, without a gap (U3).
    expect(seen).toEqual([...seen].sort((x, y) => x - y))
    expect(seen.at(-1)).toBe(seq)
    expect(new Set(seen).size).toBe(seen.length)
  })
})
