/** The resources of a configuration document, providers before what depends on them. */
import type { ConfigResource } from '../../../schema/api/config.ts'
import { neededFields } from '../../../schema/dependency.ts'
import type { ResourceSettings } from '../../../schema/event.ts'
import type { Hive, Resource } from '../../../schema/hive.ts'
import { DEFAULT_RESTART } from '../../../schema/resource-types/index.ts'
import { type Compiled, differing, type Wanted } from './compiled.ts'
import { pollOf, resourceForm, wantedResourceForm } from './forms.ts'

export interface Ids {
  readonly groupIds: ReadonlyMap<string, string>
  readonly nodeIds: ReadonlyMap<string, string>
}

interface One {
  readonly name: string
  readonly group: string
  readonly pointer: string
  readonly wanted: ConfigResource
}

export function compileResources(hive: Hive, wanted: Wanted, ids: Ids, out: Compiled): void {
  const all = new Map<string, One>()
  for (const [group, { resources }] of Object.entries(wanted.config.groups))
    for (const [name, resource] of Object.entries(resources)) {
      const pointer = `/groups/${group}/resources/${name}`
      const twice = all.get(name)
      if (twice) out.problems.push({ pointer, message: `it is in group ${twice.group} too` })
      else all.set(name, { name, group, pointer, wanted: resource })
    }
  const byName = new Map([...hive.resources.values()].map((r) => [r.name, r]))
  const groupOf = (name: string) => hive.groups.get(byName.get(name)?.groupId ?? '')?.name
  const resourceIds = new Map([...byName].map(([name, { id }]) => [name, id]))
  for (const name of all.keys()) if (!resourceIds.has(name)) resourceIds.set(name, wanted.newId())
  for (const one of providersFirst(all, out)) {
    const known = byName.get(one.name)
    const problem = problemOf(
      hive,
      one,
      known,
      ids,
      (name) => all.get(name)?.group ?? groupOf(name),
    )
    if (problem) out.problems.push(problem)
    else compileOne(hive, one, known, { ...ids, resourceIds }, wanted, out)
  }
}

function providersFirst(all: ReadonlyMap<string, One>, out: Compiled): readonly One[] {
  const taken = new Set<One>()
  const path: One[] = []
  const take = (one: One) => {
    if (taken.has(one)) return
    const begun = path.indexOf(one)
    if (begun >= 0) {
      out.cycle ??= [...path.slice(begun), one].map(({ name, pointer }) => ({ name, pointer }))
      return
    }
    path.push(one)
    for (const name of one.wanted.dependsOn.flat()) {
      const provider = all.get(name)
      if (provider) take(provider)
    }
    path.pop()
    taken.add(one)
  }
  for (const one of all.values()) take(one)
  return [...taken]
}

function problemOf(
  hive: Hive,
  { group, pointer, wanted }: One,
  known: Resource | undefined,
  { nodeIds }: Ids,
  groupOf: (resource: string) => string | undefined,
): { pointer: string; message: string } | null {
  const inGroup = known && (hive.groups.get(known.groupId)?.name ?? '')
  if (inGroup !== undefined && inGroup !== group)
    return {
      pointer,
      message: `it is in group ${inGroup}, and does not change its group: delete it there first, or give this one another name`,
    }
  if (known && known.type !== wanted.type)
    return {
      pointer: `${pointer}/type`,
      message: `it is of type ${known.type}, and does not change its type: delete it first, or give this one another name`,
    }
  const stranger = wanted.dependsOn.flat().find((name) => groupOf(name) !== group)
  if (stranger !== undefined)
    return {
      pointer: `${pointer}/dependsOn`,
      message: `there is no resource "${stranger}" in group ${group}`,
    }
  const owner = wanted.possibleOwners?.findIndex((name) => !nodeIds.has(name)) ?? -1
  if (owner >= 0)
    return {
      pointer: `${pointer}/possibleOwners/${owner}`,
      message: `there is no node "${wanted.possibleOwners?.[owner]}"`,
    }
  return null
}

function compileOne(
  hive: Hive,
  { name, group, pointer, wanted: resource }: One,
  known: Resource | undefined,
  ids: Ids & { resourceIds: ReadonlyMap<string, string> },
  wanted: Wanted,
  out: Compiled,
): void {
  const now = known ? resourceForm(hive, known) : null
  const fields = now ? differing(now, wantedResourceForm(hive, resource, now)) : []
  if (now && fields.length === 0) return
  const source = wanted.source(pointer)
  const isolated = known?.isolated !== undefined && !resource.separateMonitor
  const settings: ResourceSettings = {
    properties: resource.properties,
    ...neededFields(
      resource.dependsOn.map((some) => some.map((one) => ids.resourceIds.get(one) as string)),
    ),
    possibleOwners: resource.possibleOwners?.map((one) => ids.nodeIds.get(one) as string) ?? null,
    restart: {
      attempts: resource.restart.attempts ?? DEFAULT_RESTART.attempts,
      periodMs: resource.restart.period ?? DEFAULT_RESTART.periodMs,
      delayMs: resource.restart.delay ?? DEFAULT_RESTART.delayMs,
      retryAfterMs: resource.restart.retryAfter ?? DEFAULT_RESTART.retryAfterMs,
    },
    poll: pollOf(hive, resource),
    ...(!isolated && { separateMonitor: resource.separateMonitor }),
    ...(source !== undefined && { source }),
  }
  const resourceId = ids.resourceIds.get(name) as string
  const persistentState = resource.state === 'offline' ? 0 : 1
  out.changes.push({
    ...{ action: known ? 'change' : 'create', kind: 'resource', name, pointer, fields },
  })
  if (!known) {
    const groupId = ids.groupIds.get(group) as string
    const { type: resourceType } = resource
    out.resources.push({
      pointer,
      request: {
        ...{ type: 'createResource', resourceId, groupId, name, resourceType },
        ...{ persistentState, settings },
      },
    })
    return
  }
  if (fields.some(({ field }) => field !== 'state'))
    out.resources.push({ pointer, request: { type: 'changeResource', resourceId, settings } })
  if (fields.some(({ field }) => field === 'state'))
    out.resources.push({
      pointer,
      request: { type: 'setResourceState', resourceId, persistentState },
    })
}
