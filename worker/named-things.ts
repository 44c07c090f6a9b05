/** Things of a cluster by name or GUID: what a call names is looked up where it is, and nothing else is sent along. */
import type { GroupView, NodeView, ResourceView } from '../schema/api/bodies.ts'
import type { ClusterState } from './core/decision.ts'
import { type Sessions, viewGroup, viewNode, viewResource } from './core/view.ts'

export interface Shown {
  readonly node: NodeView
  readonly group: GroupView
  readonly resource: ResourceView
}
export type Kind = keyof Shown

export interface Named {
  readonly id: string
  readonly name: string
}

/** @returns in the order of the references; null: there is none of that name */
export function namedIn(
  { hive }: ClusterState,
  kind: Kind,
  references: readonly string[],
): (Named | null)[] {
  const table = TABLE[kind]
  return references.map((reference) => {
    const found = hive[table].get(reference) ?? byName(hive[table].values(), reference)
    return found ? { id: found.id, name: found.name } : null
  })
}

/** @returns null: there is none of that name */
export function thingIn(
  state: ClusterState,
  sessions: () => Sessions,
  { kind, reference, nowMs }: { kind: Kind; reference: string; nowMs: number },
): Shown[Kind] | null {
  const { hive } = state
  const [named] = namedIn(state, kind, [reference])
  if (!named) return null
  const [node, group] = [hive.nodes.get(named.id), hive.groups.get(named.id)]
  if (kind === 'node') return node ? viewNode(state, node, sessions()) : null
  if (kind === 'group') return group ? viewGroup(state, group, nowMs) : null
  const resource = hive.resources.get(named.id)
  return resource ? viewResource(state, resource) : null
}

const TABLE = { node: 'nodes', group: 'groups', resource: 'resources' } as const

function byName(things: Iterable<Named>, name: string): Named | undefined {
  for (const one of things) if (one.name === name) return one
  return undefined
}
