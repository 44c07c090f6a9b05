/** S-13: clocks of the hosts are published, and nothing is decided by them. S-14: the managers' own health. */
import { runInDurableObject } from 'cloudflare:test'
import { beforeAll, expect, test } from 'vitest'
import type { ManagerView } from '../../schema/api/health.ts'
import { insertKey, ok, refused, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const FINE = { offsetMs: -3.5, errorMs: 0.5, driftPpm: null }

test('a confirm is answered with the times by which the host measures its clock', async () => {
  const cluster = await TestCluster.form('fast')
  const node = await TestNode.up(cluster, 'n1')
  const before = Date.now()
  node.line.send({ t: 'confirm', n: 1 })
  const { heardMs, saidMs } = await node.line.next('confirmed')
  expect(heardMs).toBeGreaterThanOrEqual(before)
  expect(saidMs).toBeGreaterThanOrEqual(heardMs)
  expect(saidMs).toBeLessThanOrEqual(Date.now())
})

test('what a host says of its clock is shown, and a wrong one is a problem', async () => {
  const cluster = await TestCluster.form('fast')
  const n1 = await TestNode.up(cluster, 'n1')
  const n2 = await TestNode.up(cluster, 'n2')
  expect((await cluster.view()).nodes.map((n) => n.clock)).toEqual([null, null])
  n1.line.send({ t: 'clock', clock: FINE })
  n2.line.send({ t: 'clock', clock: { ...FINE, offsetMs: 300_000 } })
  const view = await cluster.until('both clocks are known', (v) => v.nodes.every((n) => n.clock))
  expect(view.nodes[0]?.clock).toEqual(FINE)
  expect(view).toMatchObject({ health: 'warning' })
  expect(view.problems).toMatchObject([
    { subject: 'n2', message: 'node n2: its clock is 5 min ahead' },
  ])
  // It is of the session that said so.
  n2.line.ws.close(1000, 'gone')
  await cluster.until('n2 is gone', (v) => v.nodes[1]?.connected === false)
  await n2.begin()
  expect((await cluster.view()).nodes[1]?.clock).toBeNull()
})

test('S-13: a clock that is set by 5 min changes neither leases nor the order of events', async () => {
  const cluster = await TestCluster.form('fast')
  const n1 = await TestNode.up(cluster, 'n1')
  const groupId = await cluster.group('web')
  const resourceId = await cluster.resource('web', 'nginx')
  const epoch = await n1.take(groupId)
  n1.line.send({ t: 'clock', clock: { ...FINE, offsetMs: 300_000 } })
  await n1.tell({
    t: 'status',
    items: [{ resourceId, epoch, restarts: 0, gaveUp: false, status: 'online' }],
  })
  const pings = setInterval(() => n1.line.ws.send('ping'), 200)
  await new Promise((done) => setTimeout(done, 2_500))
  clearInterval(pings)
  const view = await cluster.view()
  expect(view.groups[0]).toMatchObject({ owner: 'n1', state: 'online', epoch })
  const { events } = await ok<{ events: { atMs: number }[] }>('listEvents', {
    params: cluster.params,
  })
  const times = events.map((e) => e.atMs)
  expect(times).toEqual([...times].sort((a, b) => a - b))
})

const health = (cluster: TestCluster) =>
  ok<{ ok: boolean; managers: ManagerView[] }>('clusterHealth', { params: cluster.params })

test('S-14: each manager says what it has to show for its work', async () => {
  const cluster = await TestCluster.form('fast')
  const n1 = await TestNode.up(cluster, 'n1')
  n1.line.send({ t: 'clock', clock: FINE })
  await cluster.until('its clock is known', (v) => v.nodes[0]?.clock !== null)
  const groupId = await cluster.group('web')
  await cluster.resource('web', 'nginx')
  await n1.take(groupId)
  const said = await health(cluster)
  const { seq, managers } = await cluster.view()
  expect(said).toEqual({ ok: true, managers })
  const details = Object.fromEntries(managers.map((m) => [m.manager, m.detail]))
  expect(details).toMatchObject({
    DM: `update ${seq}, memory as storage`,
    COMM: '1 of 1 session of nodes that are not down',
    NM: 'view 1: 1 node, 0 down',
    FM: '1 of 1 group on a node, 0 waiting',
    RCM: '1 resource, 1 not reported yet',
    TIME: '1 clock known, at most 3.5 ms away',
  })
  expect(Object.keys(details).sort()).toEqual(
    ['COMM', 'DM', 'EVT', 'FM', 'GUM', 'NM', 'RCM', 'TIME'].sort(),
  )
})

test('S-14: storage that is not what memory says is seen', async () => {
  const cluster = await TestCluster.form('fast')
  await TestNode.up(cluster, 'n1')
  await runInDurableObject(await cluster.stub(), (_, ctx) => {
    ctx.storage.sql.exec(
      "update updates set hash = 'other' where seq = (select max(seq) from updates)",
    )
  })
  const said = await health(cluster)
  expect(said.ok).toBe(false)
  expect(said.managers.find((m) => m.manager === 'DM')).toMatchObject({ ok: false })
  const { problems } = await cluster.view()
  expect(problems.map((p) => p.subject)).toContain('DM')
})

test('bad input: a clock beyond all bounds closes the session, and changes nothing', async () => {
  const cluster = await TestCluster.form('fast')
  const n1 = await TestNode.up(cluster, 'n1')
  n1.line.send({ t: 'clock', clock: { ...FINE, errorMs: -1 } })
  expect(await n1.line.end()).toMatchObject({ code: 4003 })
  const params = { cluster: 'nosuch' }
  expect(await refused('clusterHealth', { params })).toMatchObject({ code: 'NOT_FOUND' })
})
