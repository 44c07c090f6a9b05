/**
 * Only groups that are not at rest are looked at, and that is never seen: every decision is the one that a
 * look at all groups would have come to (S-07).
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Event, Request } from '../../schema/event.ts'
import { fromDocument, toDocument } from '../../schema/hive.ts'
import type { Observed } from '../../schema/observed.ts'
import { Draft } from '../../worker/core/draft.ts'
import { affected } from '../../worker/core/settling.ts'
import { step } from '../../worker/core/step.ts'
import { act, type Cluster, form, GROUP, id, NODE, plan, RULE } from './instant-cluster.ts'

/** What operators and hosts do besides losing, draining and moving. */
const deed = fc.oneof(
  fc.record({ do: fc.constant('fails' as const), n: fc.nat(7) }),
  fc.record({ do: fc.constant('state' as const), n: fc.nat(7), on: fc.boolean() }),
  fc.record({ do: fc.constant('capacity' as const), n: fc.nat(4), mem: fc.nat(12) }),
  fc.record({ do: fc.constant('pause' as const), n: fc.nat(4), on: fc.boolean() }),
  fc.record({ do: fc.constant('order' as const), n: fc.nat(7), of: fc.nat(7), only: fc.boolean() }),
  fc.record({ do: fc.constant('priority' as const), n: fc.nat(7), to: fc.nat(3) }),
  fc.record({ do: fc.constant('owners' as const), n: fc.nat(7), of: fc.nat(4) }),
  fc.record({
    ...{ do: fc.constant('rule' as const), n: fc.nat(7), of: fc.nat(7) },
    ...{ apart: fc.boolean(), hard: fc.boolean() },
  }),
  fc.record({ do: fc.constant('unrule' as const), n: fc.nat(3) }),
  fc.record({ do: fc.constant('rest' as const), n: fc.nat(7), on: fc.boolean() }),
)
type Deed = typeof deed extends fc.Arbitrary<infer D> ? D : never

let rules = 100

function requestOf(cluster: Cluster, one: Deed, groups: number, nodes: number): Request | null {
  const groupId = id(GROUP, one.n % groups)
  const nodeId = id(NODE, one.n % nodes)
  switch (one.do) {
    case 'fails':
      return null
    case 'state':
      return { type: 'setGroupState', groupId, persistentState: one.on ? 1 : 0 }
    case 'capacity':
      return { type: 'changeNode', nodeId, capacity: { mem: one.mem } }
    case 'pause':
      return { type: 'pauseNode', nodeId, paused: one.on }
    case 'order':
      return {
        ...{ type: 'changeGroup', groupId },
        settings: { [one.only ? 'onlyWhile' : 'after']: [id(GROUP, one.of % groups)] },
      }
    case 'priority':
      return { type: 'changeGroup', groupId, settings: { priority: one.to } }
    case 'owners': {
      const [r] = [...cluster.state.hive.resources.values()].filter((x) => x.groupId === groupId)
      const possibleOwners = one.of === 4 ? null : [id(NODE, one.of % nodes)]
      return r ? { type: 'changeResource', resourceId: r.id, settings: { possibleOwners } } : null
    }
    case 'rule':
      rules += 1
      return {
        ...{ type: 'createRule', ruleId: id(RULE, rules), name: `made${rules}`, hard: one.hard },
        kind: one.apart ? 'keepApart' : 'keepTogether',
        groups: [groupId, id(GROUP, one.of % groups)],
      }
    case 'unrule': {
      const rule = [...cluster.state.hive.rules.keys()][one.n]
      return rule ? { type: 'deleteRule', ruleId: rule } : null
    }
    case 'rest':
      return {
        ...{ type: 'setMaintenance', scope: 'group', id: groupId },
        on: one.on ? { reason: 'looked at', forMs: 60_000 } : null,
      }
  }
}

function fail(cluster: Cluster, groupId: string): void {
  const { hive } = cluster.state
  const { owner, epoch } = hive.groups.get(groupId)?.ownership ?? {}
  const [r] = [...hive.resources.values()].filter((x) => x.groupId === groupId)
  if (!owner || !r) return
  const item = { resourceId: r.id, epoch, status: 'failed', restarts: 3, gaveUp: true }
  const session = hive.nodes.get(owner)?.session ?? 0
  cluster.event({
    type: 'resourceReported',
    nodeId: owner,
    session,
    items: [item],
  } as unknown as Event)
}

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

function doOne(cluster: Cluster, one: Deed | undefined, groups: number, nodes: number): void {
  if (!one) return
  if (one.do === 'fails') return fail(cluster, id(GROUP, one.n % groups))
  const request = requestOf(cluster, one, groups, nodes)
  if (request) cluster.ask(request)
}

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
