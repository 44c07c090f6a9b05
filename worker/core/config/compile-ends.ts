/**
 * What the document does not name any more. What runs is taken offline first, and deleted by the next
 * apply: whoever is deleted is told to nobody, so nobody would stop it.
 */
import type { Group, Resource } from '../../../schema/hive.ts'
import type { ClusterState } from '../decision.ts'
import { Draft } from '../draft.ts'
import { providersOfGroup } from '../group-order.ts'
import { whyNotDeleted } from '../resource-requests.ts'
import type { Compiled } from './compiled.ts'

export interface Gone {
  readonly resources: Resource[]
  readonly groups: Group[]
}

const dependsOn = (one: Resource, other: Resource) => one.dependsOn.includes(other.id)

export function deleteResources(state: ClusterState, gone: Gone, out: Compiled): void {
  const draft = new Draft(state, 0, '')
  const waits = new Set<string>()
  for (const resource of dependentsFirst(gone.resources, dependsOn)) {
    const { id: resourceId, name } = resource
    const group = state.hive.groups.get(resource.groupId)
    const pointer = `/groups/${group?.name}/resources/${name}`
    out.changes.push({ action: 'delete', kind: 'resource', name, pointer, fields: [] })
    const dependents = draft
      .resourcesOf(resource.groupId)
      .filter((x) => x.dependsOn.includes(resourceId))
    if (resource.persistentState === 1)
      out.ends.push({
        pointer,
        request: { type: 'setResourceState', resourceId, persistentState: 0 },
      })
    if (whyNotDeleted(draft, resource) !== null || dependents.some((x) => waits.has(x.id))) {
      waits.add(resourceId)
      out.later.push({ kind: 'resource', name })
    } else out.ends.push({ pointer, request: { type: 'deleteResource', resourceId } })
  }
  const needs = (one: Group, other: Group) => providersOfGroup(one).includes(other.id)
  for (const group of dependentsFirst(gone.groups, needs)) {
    const { id: groupId, name } = group
    const pointer = `/groups/${name}`
    out.changes.push({ action: 'delete', kind: 'group', name, pointer, fields: [] })
    const waitFor = gone.groups.some((other) => needs(other, group) && waits.has(other.id))
    const holds = draft.resourcesOf(groupId).some((r) => waits.has(r.id))
    // One that has an owner is gone when that has let go of it.
    if (holds || waitFor || group.ownership.phase !== 'free') waits.add(groupId)
    if (holds || waitFor) out.later.push({ kind: 'group', name })
    else out.ends.push({ pointer, request: { type: 'deleteGroup', groupId } })
  }
}

function dependentsFirst<T>(all: readonly T[], needs: (one: T, other: T) => boolean): readonly T[] {
  const begun = new Set<T>()
  const out: T[] = []
  const take = (one: T) => {
    if (begun.has(one)) return
    begun.add(one)
    for (const other of all) if (needs(other, one)) take(other)
    out.push(one)
  }
  for (const one of all) take(one)
  return out
}
