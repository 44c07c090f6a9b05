/** What is still known of the loss of a node is what would be worked out now, whatever has happened since. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Losses } from '../../worker/core/losses.ts'
import { lossOf } from '../../worker/core/what-if.ts'
import { deed, doOne } from './deeds.ts'
import { act, type Cluster, form, GROUP, id, NODE, plan } from './instant-cluster.ts'

/** Of each node that is up; what is not known is worked out, so that it is the next time. */
function compare(cluster: Cluster, losses: Losses): { known: number; anew: number } {
  const count = { known: 0, anew: 0 }
  for (const { id: node, state } of cluster.state.hive.nodes.values()) {
    if (state === 'down') continue
    const known = losses.known(cluster.state, [node])
    const now = lossOf(cluster.state, [node], cluster.nowMs)
    if (known) expect(known).toEqual(now)
    else expect(losses.workOut(cluster.state, [node], cluster.nowMs)).toEqual(now)
    count[known ? 'known' : 'anew'] += 1
  }
  return count
}

test('property: nothing is kept that would be otherwise', () => {
  let known = 0
  fc.assert(
    fc.property(plan, fc.array(deed, { maxLength: 14 }), (drawn, deeds) => {
      const cluster = form(drawn)
      // Nodes may be made smaller than what is on them.
      cluster.judge = () => {}
      const losses = new Losses()
      compare(cluster, losses)
      const queue = [...deeds]
      const [groups, nodes] = [drawn.groups.length, drawn.capacities.length]
      for (const one of drawn.actions) {
        act(cluster, drawn, one)
        known += compare(cluster, losses).known
        doOne(cluster, queue.shift(), groups, nodes)
        known += compare(cluster, losses).known
      }
    }),
    { numRuns: Number(process.env['HOLDFAST_LOSSES'] ?? 200) },
  )
  expect(known).toBeGreaterThan(100)
})

test('one change has few of them worked out anew', () => {
  const cluster = form({
    ...{ capacities: [50, 50, 50, 50], policy: 'list', rules: [], actions: [] },
    groups: Array.from({ length: 8 }, (_, n) => ({
      ...{ needs: 0, priority: 0, prefers: n % 4, failback: false },
    })),
  })
  cluster.event({ type: 'woke' })
  const losses = new Losses()
  expect(compare(cluster, losses)).toEqual({ known: 0, anew: 4 })
  expect(compare(cluster, losses)).toEqual({ known: 4, anew: 0 })
  const [group] = [...cluster.state.hive.groups.values()].filter(
    ({ ownership }) => ownership.owner === id(NODE, 2),
  )
  cluster.ask({
    ...{ type: 'changeGroup', groupId: group?.id ?? id(GROUP, 0) },
    settings: { failoverThreshold: 7 },
  })
  expect(compare(cluster, losses)).toEqual({ known: 3, anew: 1 })
})
