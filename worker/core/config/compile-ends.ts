/**
 * What the document does not name any more. What runs is taken offline first, and deleted by the next
 * apply: whoever is deleted is told to nobody, so nobody would stop it.
 */
import type { Group, Resource } from '../../../schema/hive.ts'
import type { ClusterState } from '../decision.ts'
import { Draft } from '../draft.ts'
import { whyNotDeleted } from '../resource-requests.ts'
import type { Compiled } from './compiled.ts'

export interface Gone {
  readonly resources: Resource[]
  readonly groups: Group[]
}

export function deleteResources(state: ClusterState, gone: Gone, out: Compiled): void {
  const draft = new Draft(state, 0, '')
  const waits = new Set<string>()
  for (const resource of dependentsFirst(gone.resources)) {
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
  for (const { id: groupId, name } of gone.groups) {
    const pointer = `/groups/${name}`
    out.changes.push({ action: 'delete', kind: 'group', name, pointer, fields: [] })
    if (draft.resourcesOf(groupId).some((r) => waits.has(r.id)))
      out.later.push({ kind: 'group', name })
    else out.ends.push({ pointer, request: { type: 'deleteGroup', groupId } })
  }
}

function dependentsFirst(resources: readonly Resource[]): readonly Resource[] {
  const left = new Map(resources.map((r) => [r.id, r]))
  const out: Resource[] = []
  const take = (resource: Resource) => {
    if (!left.delete(resource.id)) return
    for (const other of resources) if (other.dependsOn.includes(resource.id)) take(other)
    out.push(resource)
  }
  for (const resource of resources) take(resource)
  return out
}
