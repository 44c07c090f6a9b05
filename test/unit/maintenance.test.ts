/** Maintenance as the control plane decides it: whose it is, when it ends, what would come of its end. */
import { beforeEach, expect, test } from 'vitest'
import { nextDeadline } from '../../worker/core/deadlines.ts'
import { viewCluster } from '../../worker/core/view.ts'
import { whatIf } from '../../worker/core/what-if.ts'
import { whyGroup } from '../../worker/core/why.ts'
import { Cluster, GROUP, id, NODE, RESOURCE } from './instant-cluster.ts'

let cluster: Cluster
const WEB = id(GROUP, 0)
const on = { reason: 'disks are changed', forMs: 60_000 }
const view = () => viewCluster(cluster.state, new Map(), '', cluster.nowMs)
const web = () => view().groups[0]

beforeEach(() => {
  cluster = new Cluster([{}, {}])
  cluster.ask({ type: 'createGroup', groupId: WEB, name: 'web', settings: {} })
  cluster.ask({
    ...{ type: 'createResource', resourceId: id(RESOURCE, 0), groupId: WEB, name: 'nginx' },
    ...{ resourceType: 'process', persistentState: 1 },
    settings: { properties: { command: '/bin/true' } },
  })
  cluster.settle(WEB)
})

const fails = (gaveUp: boolean) => {
  const { owner, epoch } = cluster.state.hive.groups.get(WEB)?.ownership ?? {}
  cluster.event({
    ...{ type: 'resourceReported', nodeId: owner ?? '', session: 1 },
    items: [
      { resourceId: id(RESOURCE, 0), epoch: epoch ?? 0, status: 'failed', restarts: 0, gaveUp },
    ],
  })
}

test('it says whose it is, why and until when: in status, in why, with what to do', () => {
  cluster.ask({ type: 'setMaintenance', scope: 'node', id: id(NODE, 0), on })
  expect(view().maintenance).toMatchObject([
    { scope: 'node', name: 'n0', by: 'somebody', reason: 'disks are changed' },
  ])
  expect(web()).toMatchObject({ owner: 'n0', maintenance: { scope: 'node', name: 'n0' } })
  fails(false)
  expect(view()).toMatchObject({ health: 'warning' })
  expect(view().problems[0]?.message).toMatch(
    /node n0 is in maintenance for another 1 min, by somebody/,
  )
  const group = cluster.state.hive.groups.get(WEB)
  if (!group) throw new Error('it is gone')
  expect(whyGroup(cluster.state, group, [], cluster.nowMs)).toMatchObject({
    verdict: expect.stringContaining('web is failed on n0, and nothing is done about it: node n0'),
    change: expect.arrayContaining(['holdfast maintenance off node/n0']),
  })
})

test('S-75: a resource beyond its restarts does not take its group away; the end of maintenance does', () => {
  cluster.ask({ type: 'setMaintenance', scope: 'group', id: WEB, on })
  fails(true)
  expect(web()).toMatchObject({ owner: 'n0', state: 'failed' })
  cluster.ask({ type: 'setMaintenance', scope: 'group', id: WEB, on: null })
  expect(web()).toMatchObject({ owner: 'n1', state: 'online' })
})

test('what its end would do is said beforehand, and nothing of it is done', () => {
  cluster.ask({ type: 'setMaintenance', scope: 'group', id: WEB, on })
  fails(false)
  const { state, nowMs } = cluster
  const before = state.hive.seq
  expect(whatIf(state, { what: 'maintenanceOff', scope: 'group', name: WEB }, nowMs)).toEqual({
    groups: [],
    restarts: [{ resource: 'nginx', node: 'n0', status: 'failed' }],
    cutOff: [],
  })
  expect(state.hive.seq).toBe(before)
  cluster.lose(0)
  expect(web()).toMatchObject({ owner: null, state: 'waiting' })
  expect(whatIf(state, { what: 'maintenanceOff', scope: 'group', name: WEB }, nowMs)).toMatchObject(
    {
      groups: [{ group: 'web', from: null, to: 'n1' }],
      restarts: [],
    },
  )
})

test('it ends by itself at its time, and is forgotten with what it was about', () => {
  cluster.ask({ type: 'setMaintenance', scope: 'group', id: WEB, on })
  const untilMs = cluster.state.hive.cluster?.maintenance?.[0]?.untilMs ?? 0
  expect(nextDeadline(cluster.state)).toBe(untilMs)
  cluster.lose(0)
  expect(web()?.owner).toBeNull()
  cluster.nowMs = untilMs
  cluster.event({ type: 'woke' })
  expect(cluster.state.hive.cluster?.maintenance).toBeUndefined()
  expect(web()?.owner).toBe('n1')
  cluster.ask({ type: 'setMaintenance', scope: 'node', id: id(NODE, 0), on })
  cluster.ask({ type: 'evictNode', nodeId: id(NODE, 0) })
  expect(cluster.refused).toEqual([])
  expect(cluster.state.hive.cluster?.maintenance).toBeUndefined()
})

test('said again it is as said last; what is not there is refused', () => {
  cluster.ask({ type: 'setMaintenance', scope: 'group', id: WEB, on })
  cluster.ask({ type: 'setMaintenance', scope: 'group', id: WEB, on: { ...on, reason: 'longer' } })
  expect(view().maintenance).toMatchObject([{ reason: 'longer' }])
  cluster.ask({ type: 'setMaintenance', scope: 'group', id: id(GROUP, 7), on })
  expect(cluster.refused).toEqual(['NOT_FOUND'])
})
