/** S-91: a move leaves a rule behind only when it is asked to, and then one that is seen and that ends. */
import { expect, test } from 'vitest'
import { nextDeadline } from '../../worker/core/deadlines.ts'
import { Draft } from '../../worker/core/draft.ts'
import { candidates } from '../../worker/core/placement.ts'
import { viewGroup } from '../../worker/core/view.ts'
import { type Cluster, form, GROUP, id, NODE } from './instant-cluster.ts'

const HOUR = 3_600_000
const web = id(GROUP, 0)
const [n0, n1] = [id(NODE, 0), id(NODE, 1)]

/** One group that prefers n0 and goes back to it at once. */
const prefersHome = (): Cluster =>
  form({
    ...{ capacities: [50, 50, 50], policy: 'list', rules: [], actions: [] },
    groups: [{ needs: 0, priority: 0, prefers: 0, failback: true }],
  })

const groupOf = (cluster: Cluster) => cluster.state.hive.groups.get(web)
const owner = (cluster: Cluster) => groupOf(cluster)?.ownership.owner
const move = (cluster: Cluster, stick?: { forMs: number; reason: string }) =>
  cluster.ask({ type: 'moveGroup', groupId: web, to: n1, ...(stick && { stick }) })

function later(cluster: Cluster, ms: number): void {
  cluster.nowMs += ms
  cluster.event({ type: 'woke' })
}

test('without it nothing is left behind: it goes back as its policy says', () => {
  const cluster = prefersHome()
  move(cluster)
  later(cluster, HOUR)
  expect([owner(cluster), groupOf(cluster)?.stick]).toEqual([n0, undefined])
})

test('with it the group stays until then, is shown with owner, reason and end, and goes back by itself', () => {
  const cluster = prefersHome()
  move(cluster, { forMs: 2 * HOUR, reason: 'trial' })
  later(cluster, HOUR)
  expect(owner(cluster)).toBe(n1)
  const view = viewGroup(cluster.state, groupOf(cluster) as never, cluster.nowMs)
  expect(view.stick).toMatchObject({ node: 'n1', reason: 'trial' })
  const due = view.stick?.untilMs as number
  expect(nextDeadline(cluster.state)).toBe(due)
  cluster.nowMs = due
  cluster.event({ type: 'woke' })
  expect([owner(cluster), groupOf(cluster)?.stick]).toEqual([n0, undefined])
  expect(nextDeadline(cluster.state)).not.toBe(due)
})

test('after a failover it is where it is to be first of all again', () => {
  const cluster = prefersHome()
  move(cluster, { forMs: 2 * HOUR, reason: 'trial' })
  cluster.lose(1)
  expect(owner(cluster)).toBe(n0)
  cluster.report(1)
  const draft = new Draft(cluster.state, cluster.nowMs, '')
  expect(candidates(draft, groupOf(cluster) as never).eligible.map((n) => n.name)).toEqual([
    ...['n1', 'n0', 'n2'],
  ])
})

test('it can be said of a group that is there already, and taken back', () => {
  const cluster = prefersHome()
  cluster.ask({ type: 'moveGroup', groupId: web, to: n0, stick: { forMs: HOUR, reason: 'stay' } })
  expect(groupOf(cluster)?.stick?.node).toBe(n0)
  cluster.ask({ type: 'unstickGroup', groupId: web })
  expect(groupOf(cluster)?.stick).toBeUndefined()
  expect(cluster.refused).toEqual([])
})

test('the next move without it takes it away; so does the end of the node', () => {
  const cluster = prefersHome()
  move(cluster, { forMs: HOUR, reason: 'trial' })
  cluster.ask({ type: 'moveGroup', groupId: web, to: id(NODE, 2) })
  expect(groupOf(cluster)?.stick).toBeUndefined()
  cluster.ask({ type: 'moveGroup', groupId: web, to: n1, stick: { forMs: HOUR, reason: 'trial' } })
  cluster.lose(1)
  cluster.ask({ type: 'evictNode', nodeId: n1 })
  expect(groupOf(cluster)?.stick).toBeUndefined()
})
