/** What is said of how a drain goes, and what becomes of it. */
import { describe, expect, test } from 'vitest'
import { applyObservation } from '../../schema/observed.ts'
import { nextDeadline } from '../../worker/core/deadlines.ts'
import { Losses } from '../../worker/core/losses.ts'
import { step } from '../../worker/core/step.ts'
import { lossOf } from '../../worker/core/what-if.ts'
import { Cluster, form, GROUP, id, NODE, RESOURCE } from './instant-cluster.ts'

function left(): Cluster {
  const cluster = form({
    ...{ capacities: [50, 50, 50], policy: 'list', rules: [], actions: [] },
    groups: [{ needs: 0, priority: 0, prefers: 0, failback: false }],
  })
  cluster.event({ type: 'woke' })
  const value = { untilMs: cluster.nowMs + 1_000, isLate: false, to: id(NODE, 2) }
  applyObservation(cluster.state.observed, { table: 'drain', id: id(NODE, 0), value })
  return cluster
}

describe('left behind by an older Worker, which knows of none (docs/decisions/compatibility.md)', () => {
  test('a plan of a node that nobody drains is dropped, and says nothing for the next drain', () => {
    const cluster = left()
    cluster.event({ type: 'woke' })
    expect([...cluster.state.observed.drains]).toEqual([])
    cluster.ask({ type: 'drainNode', nodeId: id(NODE, 0) })
    expect([...cluster.state.observed.drains]).toEqual([])
  })

  test('nor does the alarm go on for one of a node that is gone', () => {
    const cluster = left()
    cluster.state.hive.nodes.delete(id(NODE, 0))
    cluster.event({ type: 'woke' })
    expect([...cluster.state.observed.drains]).toEqual([])
    expect(nextDeadline(cluster.state)).toBeNull()
  })
})

test('another target is another answer of survivability: nothing is kept of the one before', () => {
  const cluster = new Cluster([{}, {}, {}, {}])
  // One machine moves at a time, and none arrives here: two wait for their turn.
  cluster.judge = () => {}
  for (const n of [0, 1, 2]) {
    const settings = { preferredOwners: [id(NODE, 0)] }
    cluster.ask({ type: 'createGroup', groupId: id(GROUP, n), name: `g${n}`, settings })
    cluster.ask({
      ...{ type: 'createResource', resourceId: id(RESOURCE, n), groupId: id(GROUP, n) },
      ...{ name: `r${n}`, resourceType: 'virtual-machine', persistentState: 1 },
      settings: { properties: { domain: `vm${n}`, xml: '<domain/>' } },
    })
    cluster.settle(id(GROUP, n))
  }
  const drain = (to: number) => {
    const request = { type: 'drainNode' as const, nodeId: id(NODE, 0), to: id(NODE, to) }
    const event = { type: 'requested' as const, by: 'test', request }
    cluster.nowMs += 10
    cluster.apply(step(cluster.state, event, cluster.nowMs))
    cluster.apply(step(cluster.state, { type: 'woke' }, cluster.nowMs))
  }
  drain(1)
  const losses = new Losses()
  losses.known(cluster.state, [id(NODE, 1)])
  const before = losses.workOut(cluster.state, [id(NODE, 1)], cluster.nowMs)
  drain(3)
  const now = lossOf(cluster.state, [id(NODE, 1)], cluster.nowMs)
  expect(now).not.toEqual(before)
  const known = losses.known(cluster.state, [id(NODE, 1)])
  expect(known ?? losses.workOut(cluster.state, [id(NODE, 1)], cluster.nowMs)).toEqual(now)
})
