/** S-17 in the object: who is told of whom, what is made of their words, and when the alarm stands. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, test } from 'vitest'
import { LIMITS } from '../../schema/limits.ts'
import { CLOSE, type NodeFrame } from '../../schema/session.ts'
import { PROFILES, waitMs } from '../../schema/timing.ts'
import { insertKey, ok, pause, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const FAST = PROFILES.fast

/** Nodes that listen, each on an address of its own, all with their tables. */
async function listening(cluster: TestCluster, ...names: string[]): Promise<TestNode[]> {
  const nodes: TestNode[] = []
  for (const [i, name] of names.entries()) {
    const node = await TestNode.up(cluster, name)
    node.listens(`10.0.0.${i + 1}`)
    nodes.push(node)
  }
  for (const node of nodes)
    await node.line.next('peers', (f) => f.peers.length === names.length - 1)
  return nodes
}

const hears = (node: TestNode, other: TestNode, answered = true) =>
  node.line.send({ t: 'peerHeard', nodeId: other.id, session: other.session, answered })
const silent = (node: TestNode, other: TestNode) =>
  node.line.send({ t: 'peerSilent', nodeId: other.id, session: other.session, sinceMs: 400 })

/** Pings as a node does; ends with the returned function. */
function pinging(...nodes: TestNode[]): () => void {
  const timers = nodes.map((node) => {
    node.line.ws.send('ping')
    return setInterval(() => node.line.ws.send('ping'), FAST.pingMs)
  })
  return () => timers.forEach(clearInterval)
}

/** Everything sent before is handled: the object has answered what was sent last. */
async function settled(...nodes: TestNode[]): Promise<void> {
  for (const node of nodes) {
    const n = Math.floor(Math.random() * 1e9) + 1
    node.line.send({ t: 'confirm', n })
    await node.line.next('confirmed', (f) => f.n === n)
  }
}

async function alarmInMs(cluster: TestCluster): Promise<number> {
  const at = await runInDurableObject(await cluster.stub(), (_, { storage }) => storage.getAlarm())
  return at === null ? Number.POSITIVE_INFINITY : at - Date.now()
}

const heardBy = async (cluster: TestCluster) =>
  Object.fromEntries((await cluster.view()).nodes.map((n) => [n.name, n.heardBy]))

/** n1 and n2 hear each other, and the alarm of before has been taken. */
async function hearingEachOther(cluster: TestCluster) {
  const [n1, n2] = (await listening(cluster, 'n1', 'n2')) as [TestNode, TestNode]
  const stop = pinging(n1, n2)
  hears(n1, n2)
  hears(n2, n1)
  await settled(n1, n2)
  await runDurableObjectAlarm(await cluster.stub())
  return { n1, n2, stop }
}

describe('who is told of whom', () => {
  test('each gets address, session and key of the others: a key of the pair alone', async () => {
    const cluster = await TestCluster.form('fast')
    const [n1, n2, n3] = (await listening(cluster, 'n1', 'n2', 'n3')) as [
      TestNode,
      TestNode,
      TestNode,
    ]
    const table = async (node: TestNode) => {
      node.listens(`10.0.9.${node.session}`)
      for (const other of [n1, n2, n3])
        if (other !== node)
          await other.line.next('peers', (f) =>
            f.peers.some((p) => p.address.startsWith('10.0.9.')),
          )
    }
    await table(n3)
    n3.line.frames.length = 0
    n1.line.frames.length = 0
    n2.listens('10.0.0.22', 7_022)
    const [of1, of3] = [await n1.line.next('peers'), await n3.line.next('peers')]
    expect(of1.peers.map((p) => p.nodeId).sort()).toEqual([n2.id, n3.id].sort())
    const [in1, in3] = [of1, of3].map((f) => f.peers.find((p) => p.nodeId === n2.id))
    expect(in1).toMatchObject({ session: n2.session, address: '10.0.0.22', port: 7_022 })
    expect(in1?.keys).toHaveLength(1)
    // The key of n1 and n2 is not that of n3 and n2: nobody can speak for another.
    expect(in1?.keys[0]?.key).not.toBe(in3?.keys[0]?.key)
    const [of1with3, of3with1] = [of1, of3].map((f, i) =>
      f.peers.find((p) => p.nodeId === (i === 0 ? n3.id : n1.id)),
    )
    expect(of1with3?.keys).toEqual(of3with1?.keys)
    // The same again is nothing new.
    n2.listens('10.0.0.22', 7_022)
    await settled(n2, n1)
    expect(n1.line.frames.filter((f) => f.t === 'peers')).toEqual([])
  })

  test('a new session is told; who is gone, or listens no more, is nobody’s peer', async () => {
    const cluster = await TestCluster.form('fast')
    const [n1, n2] = (await listening(cluster, 'n1', 'n2')) as [TestNode, TestNode]
    const before = n2.session
    await n2.begin()
    n2.listens('10.0.0.2')
    const again = await n1.line.next('peers')
    expect(again.peers[0]?.session).toBeGreaterThan(before)
    n2.line.send({ t: 'peerAddress', listens: null })
    expect((await n1.line.next('peers')).peers).toEqual([])
    n2.listens('10.0.0.2')
    expect((await n1.line.next('peers')).peers).toHaveLength(1)
    n2.line.send({ t: 'goodbye', n: 1 })
    expect((await n1.line.next('peers')).peers).toEqual([])
  })

  test('alone, or with none that could be reached, nobody is told anything', async () => {
    const cluster = await TestCluster.form('fast')
    const n1 = await TestNode.up(cluster, 'n1')
    const n2 = await TestNode.up(cluster, 'n2')
    n1.listens('127.0.0.1')
    n2.listens('10.0.0.2')
    await settled(n1, n2)
    for (const node of [n1, n2]) expect(node.line.frames.filter((f) => f.t === 'peers')).toEqual([])
  })

  test('more nodes than a mesh takes: each has neighbours, not all', async () => {
    const cluster = await TestCluster.form('standard')
    const nodes: TestNode[] = []
    for (let i = 1; i <= LIMITS.peerMeshMax + 2; i += 1) {
      const node = await TestNode.up(cluster, `n${i}`)
      node.listens(`10.0.0.${i}`)
      nodes.push(node)
    }
    await settled(...nodes)
    for (const node of nodes) {
      const last = node.line.frames.filter((f) => f.t === 'peers').at(-1)
      expect(last?.peers).toHaveLength(LIMITS.peerRingNeighbours)
    }
  })

  test('keys change in time: the one before stays good, the one before that does not', async () => {
    const cluster = await TestCluster.form('standard')
    const [n1] = (await listening(cluster, 'n1', 'n2')) as [TestNode]
    const age = async () => {
      await runInDurableObject(await cluster.stub(), (_, { storage }) =>
        storage.sql.exec('update peer_secrets set made_at_ms = made_at_ms - ?', LIMITS.peerKeyMs),
      )
      await runDurableObjectAlarm(await cluster.stub())
      const { peers } = await n1.line.next('peers')
      return peers[0]?.keys.map((k) => k.id)
    }
    expect(await age()).toEqual([1, 2])
    expect(await age()).toEqual([2, 3])
    const secrets = await runInDurableObject(await cluster.stub(), (_, { storage }) =>
      storage.sql.exec('select id, secret from peer_secrets order by id').toArray(),
    )
    expect(secrets.map((row) => row['id'])).toEqual([2, 3])
    // Not in the hive, not in any answer.
    const hive = await ok('getHive', { params: cluster.params })
    for (const { secret } of secrets) expect(JSON.stringify(hive)).not.toContain(secret)
  })
})

describe('when the alarm stands', () => {
  test('S-17: a minute off while all are heard, at the suspicion deadline when one is not', async () => {
    const cluster = await TestCluster.form('fast')
    const { n1, n2, stop } = await hearingEachOther(cluster)
    expect(await alarmInMs(cluster)).toBeGreaterThan(LIMITS.quietAlarmMs - 5_000)
    expect(await alarmInMs(cluster)).toBeLessThanOrEqual(LIMITS.quietAlarmMs)
    silent(n1, n2)
    await settled(n1)
    expect(await alarmInMs(cluster)).toBeLessThanOrEqual(FAST.ttlMs)
    // Heard again; the alarm of the moment is taken, and then it is quiet.
    hears(n1, n2)
    await settled(n1)
    await runDurableObjectAlarm(await cluster.stub())
    expect(await alarmInMs(cluster)).toBeGreaterThan(LIMITS.quietAlarmMs - 5_000)
    // Heard, but it says that nobody answers it: that is no reason for quiet.
    hears(n1, n2, false)
    await settled(n1)
    expect(await alarmInMs(cluster)).toBeLessThanOrEqual(FAST.ttlMs)
    stop()
  })

  test('one that nobody hears is enough', async () => {
    const cluster = await TestCluster.form('fast')
    const { n1, n2, stop } = await hearingEachOther(cluster)
    const n3 = await TestNode.up(cluster, 'n3')
    await settled(n1, n2, n3)
    expect(await alarmInMs(cluster)).toBeLessThanOrEqual(FAST.ttlMs)
    stop()
  })

  test('a witness whose session ends is none any more', async () => {
    const cluster = await TestCluster.form('fast')
    const { n1, n2, stop } = await hearingEachOther(cluster)
    n1.line.ws.close(1000, 'gone')
    await cluster.until('n1 is gone', (v) => v.nodes[0]?.connected === false)
    await settled(n2)
    expect(await heardBy(cluster)).toEqual({ n1: ['n2'], n2: [] })
    expect(await alarmInMs(cluster)).toBeLessThanOrEqual(FAST.ttlMs)
    stop()
  })

  test('words about an earlier session are about something else', async () => {
    const cluster = await TestCluster.form('fast')
    const { n1, n2, stop } = await hearingEachOther(cluster)
    stop()
    await n2.begin()
    const again = pinging(n1, n2)
    hears(n2, n1)
    await settled(n1, n2)
    expect(await alarmInMs(cluster)).toBeLessThanOrEqual(FAST.ttlMs)
    hears(n1, n2)
    await settled(n1)
    await runDurableObjectAlarm(await cluster.stub())
    expect(await alarmInMs(cluster)).toBeGreaterThan(LIMITS.quietAlarmMs - 5_000)
    again()
  })

  test('hibernation keeps what was said on a session that stays, a restart keeps nothing', async () => {
    const cluster = await TestCluster.form('fast')
    const { n1, n2, stop } = await hearingEachOther(cluster)
    await evictDurableObject(await cluster.stub())
    expect(await heardBy(cluster)).toEqual({ n1: ['n2'], n2: ['n1'] })
    stop()
    await evictDurableObject(await cluster.stub(), { webSockets: 'close' })
    for (const node of [n1, n2]) await node.begin()
    expect(await heardBy(cluster)).toEqual({ n1: [], n2: [] })
    const again = pinging(n1, n2)
    await settled(n1, n2)
    expect(await alarmInMs(cluster)).toBeLessThanOrEqual(FAST.ttlMs)
    again()
  })
})

/** The platform rings no alarm for an hour. */
async function withoutAlarm(cluster: TestCluster): Promise<void> {
  await runInDurableObject(await cluster.stub(), (_, { storage }) =>
    storage.setAlarm(Date.now() + 3_600_000),
  )
}

describe('what is made of a peer’s word', () => {
  test('D1 to D4: a node that is silent is found out at once, however late the alarm', async () => {
    const cluster = await TestCluster.form('fast')
    const { n1, n2, stop } = await hearingEachOther(cluster)
    const groupId = await cluster.group('web', ['n2'])
    await cluster.resource('web', 'nginx')
    await n2.take(groupId)
    stop()
    n2.line.ws.send('ping')
    const answeredMs = performance.now()
    const keep = pinging(n1)
    await pause(4 * FAST.pingMs)
    silent(n1, n2)
    await settled(n1)
    await withoutAlarm(cluster)
    expect(await n2.line.next('bye')).toMatchObject({ code: 'suspected' })
    expect(performance.now() - answeredMs).toBeGreaterThan(FAST.ttlMs - 50)
    expect(await n1.take(groupId)).toBe(2)
    const tookMs = performance.now() - answeredMs
    const wait = waitMs(FAST.ttlMs, FAST.marginMs)
    expect(tookMs).toBeGreaterThan(wait - 20)
    // An hour later it would have been by the alarm alone; and a busy machine is no fault.
    expect(tookMs).toBeLessThan(wait + 3_000)
    keep()
  })

  test('without such a word it would not have been: what finds it out is the report', async () => {
    const cluster = await TestCluster.form('fast')
    const { n1, n2, stop } = await hearingEachOther(cluster)
    stop()
    const keep = pinging(n1)
    await withoutAlarm(cluster)
    await pause(waitMs(FAST.ttlMs, FAST.marginMs) + 500)
    expect((await cluster.view()).nodes[1]).toMatchObject({ state: 'up', connected: true })
    expect(n2.line.closed).toBeNull()
    keep()
  })

  test('a node that is answered stays what it is, whoever says what of it, and how often', async () => {
    const cluster = await TestCluster.form('fast')
    const { n1, n2, stop } = await hearingEachOther(cluster)
    const groupId = await cluster.group('web', ['n2'])
    const epoch = await n2.take(groupId)
    const seq = (await cluster.view()).seq
    for (let i = 0; i < 20; i += 1) {
      silent(n1, n2)
      if (i % 5 === 0) hears(n1, n2, false)
      await pause(120)
    }
    const view = await cluster.view()
    expect(view.seq).toBe(seq)
    expect(view.nodes[1]).toMatchObject({ state: 'up', connected: true })
    expect(view.groups[0]).toMatchObject({ owner: 'n2', epoch })
    expect(n2.line.closed).toBeNull()
    stop()
  })

  test('S2: before the welcome, or from a socket that was superseded: nothing', async () => {
    const cluster = await TestCluster.form('fast')
    const { n1, n2, stop } = await hearingEachOther(cluster)
    const challenge = await n1.connect()
    // Not welcomed yet: not heard at all.
    silent(n1, n2)
    await settled(n2)
    expect(await heardBy(cluster)).toEqual({ n1: ['n2'], n2: ['n1'] })
    const report = await n1.report(challenge)
    const late = { t: 'peerHeard', nodeId: n2.id, session: n2.session, answered: true }
    await runInDurableObject(await cluster.stub(), async (object, state) => {
      const session = (ws: WebSocket) => (ws.deserializeAttachment() as { session: number }).session
      const sockets = state.getWebSockets(n1.id).sort((a, b) => session(a) - session(b))
      const [older, newer] = sockets as [WebSocket, WebSocket]
      await object.webSocketMessage(newer, JSON.stringify(report))
      await object.webSocketMessage(older, JSON.stringify(late))
    })
    await n1.line.next('welcome')
    // On its new session n1 has said nothing yet that counts.
    expect(await heardBy(cluster)).toEqual({ n1: ['n2'], n2: [] })
    stop()
  })

  test('of a stranger, of itself, of one that is no peer: nothing is kept, nobody looked at', async () => {
    const cluster = await TestCluster.form('fast')
    const { n1, n2, stop } = await hearingEachOther(cluster)
    const n3 = await TestNode.up(cluster, 'n3')
    for (const nodeId of [crypto.randomUUID(), n1.id, n3.id]) {
      n1.line.send({ t: 'peerHeard', nodeId, session: 1, answered: true })
      n1.line.send({ t: 'peerSilent', nodeId, session: 1, sinceMs: 1 })
    }
    await settled(n1, n2, n3)
    expect(await heardBy(cluster)).toEqual({ n1: ['n2'], n2: ['n1'], n3: [] })
    stop()
  })

  test.each([
    ['an address that is none', { t: 'peerAddress', listens: { address: 'a.example', port: 1 } }],
    ['a port that is none', { t: 'peerAddress', listens: { address: '10.0.0.1', port: 0 } }],
    ['something more', { t: 'peerSilent', nodeId: 'x', session: 1, sinceMs: 1, down: true }],
    ['no session', { t: 'peerHeard', nodeId: crypto.randomUUID(), answered: true }],
    ['a time before', { t: 'peerSilent', nodeId: crypto.randomUUID(), session: 1, sinceMs: -1 }],
  ])('bad frame: %s', async (_what, frame) => {
    const cluster = await TestCluster.form('fast')
    const node = await TestNode.up(cluster, 'n1')
    node.line.send(frame as NodeFrame)
    expect(await node.line.end()).toMatchObject({ code: CLOSE.badFrame })
  })
})

test('S-17: cut off from the control plane alone, its peers vouch for it: status, why and the event say so', async () => {
  const cluster = await TestCluster.form('standard')
  const [n1, n2, n3] = (await listening(cluster, 'n1', 'n2', 'n3')) as [
    TestNode,
    TestNode,
    TestNode,
  ]
  const stop = pinging(n1, n3)
  n2.line.ws.send('ping')
  for (const node of [n1, n3]) hears(node, n2)
  await settled(n1, n2, n3)
  n2.line.ws.close(1001, 'cut')
  await pause(1_600)
  for (const node of [n1, n3]) hears(node, n2, false)
  await settled(n1, n3)
  const view = await cluster.view()
  const cut = view.nodes[1]
  expect(cut).toMatchObject({ name: 'n2', state: 'up', connected: false, heardBy: ['n1', 'n3'] })
  expect(cut?.lastAnswerAgoMs).toBeGreaterThan(1_500)
  expect(view.health).toBe('warning')
  const said = `no answer for ${Math.round((cut?.lastAnswerAgoMs ?? 0) / 1_000)} s, still heard by n1, n3`
  expect(view.problems.map((p) => p.message)).toEqual([`node n2: ${said}`])
  const params = { ...cluster.params, node: 'n2' }
  const why = async () => (await ok<{ verdict: string }>('whyNode', { params })).verdict
  expect(await why()).toMatch(/^n2 is up, no answer for \d s, still heard by n1, n3/)
  await cluster.until('down', (v) => v.nodes[1]?.state === 'down')
  expect(await why()).toMatch(/^n2 is down: its lease has surely ended, .*still heard by n1, n3/)
  // What is known of it is over with it.
  expect((await cluster.view()).problems.map((p) => p.message)).toEqual(['node n2 is down'])
  expect((await cluster.view()).nodes[1]?.heardBy).toEqual([])
  stop()
})
