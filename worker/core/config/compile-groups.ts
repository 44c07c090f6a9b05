/** Groups and their resources of a configuration document. */
import type { ConfigDocument, ConfigGroup } from '../../../schema/api/config.ts'
import type { GroupSettings } from '../../../schema/event.ts'
import type { Group, Hive } from '../../../schema/hive.ts'
import { DEFAULT_FAILOVER_PERIOD_MS } from '../../../schema/resource-types/index.ts'
import type { ClusterState } from '../decision.ts'
import { deleteResources, type Gone } from './compile-ends.ts'
import { compileResources } from './compile-resources.ts'
import { type Compiled, differing, type Wanted } from './compiled.ts'
import { groupForm, wantedGroupForm } from './forms.ts'

/** @returns by name: the groups that there will be */
export function compileGroups(
  state: ClusterState,
  wanted: Wanted,
  out: Compiled,
): ReadonlyMap<string, string> {
  const { hive } = state
  const { config, prune } = wanted
  const ids = new Map<string, string>()
  const nodeIds = new Map([...hive.nodes.values()].map(({ name, id }) => [name, id]))
  const byName = new Map([...hive.groups.values()].map((group) => [group.name, group]))
  const all: One[] = []
  const gone: Gone = { resources: [], groups: [] }
  for (const [name, group] of Object.entries(config.groups)) {
    const known = byName.get(name)
    const id = known?.id ?? wanted.newId()
    ids.set(name, id)
    all.push({ name, id, known, group })
  }
  for (const group of hive.groups.values()) {
    if (Object.hasOwn(config.groups, group.name)) continue
    if (prune) gone.groups.push(group)
    else {
      ids.set(group.name, group.id)
      out.kept.push({ kind: 'group', name: group.name })
    }
  }
  for (const one of providersFirst(all)) compileGroup(hive, one, { ids, nodeIds }, wanted, out)
  for (const resource of hive.resources.values()) {
    const group = hive.groups.get(resource.groupId)
    if (!group || isNamed(config, group.name, resource.name)) continue
    if (prune) gone.resources.push(resource)
    else if (Object.hasOwn(config.groups, group.name))
      out.kept.push({ kind: 'resource', name: resource.name })
  }
  deleteResources(state, gone, out)
  compileResources(hive, wanted, { groupIds: ids, nodeIds }, out)
  return ids
}

const isNamed = (config: ConfigDocument, group: string, resource: string): boolean =>
  Object.hasOwn(config.groups, group) &&
  Object.hasOwn(config.groups[group]?.resources ?? {}, resource)

interface One {
  readonly name: string
  readonly id: string
  readonly known: Group | undefined
  readonly group: ConfigGroup
}

interface Ids {
  readonly ids: ReadonlyMap<string, string>
  readonly nodeIds: ReadonlyMap<string, string>
}

/** In a circle no order helps; whoever takes the request refuses it, and names it. */
function providersFirst(all: readonly One[]): readonly One[] {
  const byName = new Map(all.map((one) => [one.name, one]))
  const begun = new Set<One>()
  const out: One[] = []
  const take = (one: One) => {
    if (begun.has(one)) return
    begun.add(one)
    for (const name of [...one.group.after, ...one.group.onlyWhile]) {
      const provider = byName.get(name)
      if (provider) take(provider)
    }
    out.push(one)
  }
  for (const one of all) take(one)
  return out
}

function compileGroup(
  hive: Hive,
  one: One,
  { ids, nodeIds }: Ids,
  wanted: Wanted,
  out: Compiled,
): void {
  const { name, id, known, group } = one
  const pointer = `/groups/${name}`
  for (const field of ['after', 'onlyWhile'] as const) {
    const stranger = group[field].findIndex((other) => !ids.has(other))
    if (stranger < 0) continue
    const message = `there is no group "${group[field][stranger]}"`
    return void out.problems.push({ pointer: `${pointer}/${field}/${stranger}`, message })
  }
  const unknown = group.preferredOwners.findIndex((node) => !nodeIds.has(node))
  if (unknown >= 0) {
    const message = `there is no node "${group.preferredOwners[unknown]}"`
    out.problems.push({ pointer: `${pointer}/preferredOwners/${unknown}`, message })
    return
  }
  const fields = known ? differing(groupForm(hive, known), wantedGroupForm(group)) : []
  if (known && fields.length === 0) return
  const source = wanted.source(pointer)
  const settings: GroupSettings = {
    preferredOwners: group.preferredOwners.map((node) => nodeIds.get(node) as string),
    failback: group.failback,
    failoverThreshold: group.failoverThreshold,
    failoverPeriodMs: group.failoverPeriod ?? DEFAULT_FAILOVER_PERIOD_MS,
    priority: group.priority,
    needs: group.needs,
    after: [...new Set(group.after)].map((other) => ids.get(other) as string),
    onlyWhile: [...new Set(group.onlyWhile)].map((other) => ids.get(other) as string),
    ...(source !== undefined && { source }),
  }
  const action = known ? 'change' : 'create'
  out.changes.push({ action, kind: 'group', name, pointer, fields })
  out.groups.push({
    pointer,
    request: known
      ? { type: 'changeGroup', groupId: id, settings }
      : { type: 'createGroup', groupId: id, name, settings },
  })
}
