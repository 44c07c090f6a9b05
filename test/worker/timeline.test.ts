/** Timelines: one change of owner as detect, wait, stop, place, start, with times and evidence. */
import { beforeAll, expect, test } from 'vitest'
import type { PlanView } from '../../schema/api/config.ts'
import type { TimelineView } from '../../schema/api/timeline.ts'
import { insertKey, ok, refused, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

async function running() {
  const cluster = await TestCluster.form('fast')
  const n1 = await TestNode.up(cluster, 'n1')
  const n2 = await TestNode.up(cluster, 'n2')
  const groupId = await cluster.group('web')
  const resourceId = await cluster.resource('web', 'nginx')
  const tell = (node: TestNode, epoch: number, status: string, gaveUp = false) =>
    node.tell({
      t: 'status',
      items: [{ resourceId, epoch, restarts: 0, gaveUp, status: status as 'online' }],
    })
  const epoch = await n1.take(groupId)
  await tell(n1, epoch, 'online')
  const timelines = async (query: Record<string, string> = {}) =>
    (await ok<{ timelines: TimelineView[] }>('listTimelines', { params: cluster.params, query }))
      .timelines
  return { cluster, n1, n2, groupId, epoch, tell, timelines }
}

test('S-75: a failover is told from the first failure until it is online elsewhere', async () => {
  const { n1, n2, groupId, epoch, tell, timelines } = await running()
  await tell(n1, epoch, 'offline')
  await tell(n1, epoch, 'failed', true)
  await n1.tell({ t: 'released', groupId, epoch, why: 'asked' })
  const next = await n2.take(groupId)
  await tell(n2, next, 'onlinePending')
  await tell(n2, next, 'online')
  const [last, first, ...more] = await timelines()
  expect(more).toEqual([])
  expect(first).toMatchObject({ code: 'groupCreated', from: null, to: 'n1', outage: null })
  expect(last).toMatchObject({
    ...{ group: 'web', code: 'resourceFailed', from: 'n1', to: 'n2', epoch: next, rule: 'S-75' },
    evidence: { resource: 'nginx', node: 'n1' },
    outage: { is: 'measured' },
  })
  expect(last?.phases.map((p) => p.phase)).toEqual(['detect', 'stop', 'place', 'start'])
  // One after the other, without a gap.
  for (const [n, phase] of (last?.phases ?? []).entries()) {
    const before = last?.phases[n - 1]
    if (before) expect(phase.fromMs).toBe(before.fromMs + (before.ms ?? Number.NaN))
  }
  const total = last?.phases.reduce((sum, p) => sum + (p.ms ?? Number.NaN), 0)
  expect(last?.outage?.ms).toBe(total)
  expect(last?.phases[0]?.what).toBe('nginx offline, nginx failed')
  expect(last?.events.map((e) => e.type)).toEqual(['group.failover', 'group.free', 'group.owned'])
})

test('a planned move: the outage is from its stop; the nodes that were not taken have their reasons', async () => {
  const { cluster, n1, n2, groupId, epoch, tell, timelines } = await running()
  const params = { ...cluster.params, group: 'web' }
  const moved = ok('moveGroup', { params, body: { to: 'n2', method: 'stop' } })
  await moved
  const offer = await n2.line.next('offer', (f) => f.groupId === groupId)
  n2.line.send({ t: 'accept', groupId, epoch: offer.epoch })
  await tell(n1, epoch, 'offlinePending')
  await n1.tell({ t: 'released', groupId, epoch, why: 'asked' })
  const next = await n2.owned(groupId)
  const [under] = await timelines({ group: 'web', limit: '1' })
  expect(under).toMatchObject({ code: 'operatorMove', to: 'n2', healthyAtMs: null, outage: null })
  expect(under?.phases.at(-1)).toMatchObject({ phase: 'start', ms: null })
  await tell(n2, next, 'online')
  const [last] = await timelines({ group: 'web', limit: '1' })
  expect(last).toMatchObject({ from: 'n1', to: 'n2', outage: { is: 'measured' } })
  expect(last?.rejected).toEqual(under?.rejected)
  expect(await timelines({ id: last?.id ?? '' })).toEqual([last])
  expect(await timelines({ id: 'u0' })).toEqual([])
  // What a plan expects of the next move is what the last one took.
  const config = { groups: { web: { resources: { nginx: NGINX } } } }
  const plan = await ok<PlanView>('planConfig', { params: cluster.params, body: { config } })
  expect(plan.effects).toMatchObject([{ what: 'move', to: 'n1', outageMs: last?.outage?.ms }])
})

const NGINX = {
  ...{ type: 'process', properties: { command: '/bin/true' }, possibleOwners: ['n1'] },
}

test('a host that is lost: silence, the wait for its lease, and the start elsewhere', async () => {
  const { n1, n2, groupId, tell, timelines } = await running()
  const pings = setInterval(() => n2.line.ws.send('ping'), 200)
  n1.line.ws.send('ping')
  n1.line.ws.close(1000, 'gone')
  const next = await n2.take(groupId)
  await tell(n2, next, 'online')
  clearInterval(pings)
  const [last] = await timelines({ limit: '1' })
  expect(last).toMatchObject({ code: 'nodeLost', from: 'n1', to: 'n2', outage: { is: 'atMost' } })
  expect(last?.phases.map((p) => p.phase)).toEqual(['detect', 'wait', 'place', 'start'])
  // W(TTL) of profile `fast`: nothing is decided before (D3).
  const waited = (last?.phases[0]?.ms ?? 0) + (last?.phases[1]?.ms ?? 0)
  expect(waited).toBeGreaterThan(1_500)
  expect(last?.evidence).toMatchObject({ cause: 'socketClosed' })
  expect(last?.events.map((e) => e.type)).toContain('node.down')
})

test('bad input: a group that there is not', async () => {
  const { cluster } = await running()
  const said = await refused('listTimelines', {
    params: cluster.params,
    query: { group: 'nosuch' },
  })
  expect(said.code).toBe('NOT_FOUND')
})
