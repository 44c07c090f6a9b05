/** What operators and hosts do besides losing, draining and moving. */
import fc from 'fast-check'
import type { Event, Request } from '../../schema/event.ts'
import { type Cluster, GROUP, id, NODE, RULE } from './instant-cluster.ts'

export const deed = fc.oneof(
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
export type Deed = typeof deed extends fc.Arbitrary<infer D> ? D : never

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

export function doOne(
  cluster: Cluster,
  one: Deed | undefined,
  groups: number,
  nodes: number,
): void {
  if (!one) return
  if (one.do === 'fails') return fail(cluster, id(GROUP, one.n % groups))
  const request = requestOf(cluster, one, groups, nodes)
  if (request) cluster.ask(request)
}
