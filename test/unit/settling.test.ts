/**
 * Only groups that are not at rest are looked at, and that is never seen: every decision is the one that a
 * look at all groups would have come to (S-07).
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromDocument, toDocument } from '../../schema/hive.ts'
import type { Observed } from '../../schema/observed.ts'
import { Draft } from '../../worker/core/draft.ts'
import { affected } from '../../worker/core/settling.ts'
import { step } from '../../worker/core/step.ts'
import { deed, doOne } from './deeds.ts'
import { act, type Cluster, form, GROUP, id, plan } from './instant-cluster.ts'

const copyOf = (observed: Observed): Observed =>
  Object.fromEntries(
    Object.entries(observed).map(([name, table]) => [name, new Map(table)]),
  ) as unknown as Observed

/** Plays both, one after the other; every decision is compared with one that knows nothing from before. */
function compared(cluster: Cluster): void {
  cluster.judge = (event, decision) => {
    const { hive, observed } = cluster.state
    const fresh = { hive: fromDocument(toDocument(hive)), observed: copyOf(observed) }
    expect(decision).toEqual(step(fresh, event, cluster.nowMs))
  }
}

test('property: whatever happens, nothing is decided otherwise than with a look at every group', () => {
  fc.assert(
    fc.property(plan, fc.array(deed, { maxLength: 14 }), (drawn, deeds) => {
      const cluster = form(drawn)
      compared(cluster)
      const queue = [...deeds]
      for (const one of drawn.actions) {
        act(cluster, drawn, one)
        doOne(cluster, queue.shift(), drawn.groups.length, drawn.capacities.length)
      }
      while (queue.length > 0)
        doOne(cluster, queue.shift(), drawn.groups.length, drawn.capacities.length)
      cluster.nowMs += 120_000
      cluster.event({ type: 'woke' })
    }),
    { numRuns: 400 },
  )
})

test('at rest, a report of one group has nobody look at the others', () => {
  const cluster = form({
    ...{ capacities: [50, 50], policy: 'list', rules: [], actions: [] },
    groups: Array.from({ length: 8 }, () => ({
      ...{ needs: 0, priority: 0, prefers: null, failback: false },
    })),
  })
  // Whatever was left from the last change is looked at once.
  cluster.event({ type: 'woke' })
  const draft = new Draft(cluster.state, cluster.nowMs, '')
  const { census } = draft
  expect(census.allUnsettled).toBe(false)
  expect([...census.restless, ...census.unsettled, ...census.unsettledNodes]).toEqual([])
  expect([...affected(draft, [id(GROUP, 3)], [])]).toContain(id(GROUP, 3))
})
