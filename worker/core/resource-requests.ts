import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import { fingerprint } from '../../schema/fingerprint.ts'
import type { PollPolicy, Resource, RestartPolicy } from '../../schema/hive.ts'
import { LIMITS } from '../../schema/limits.ts'
import { DEFAULT_RESTART, RESOURCE_TYPES, typeInfo } from '../../schema/resource-types/index.ts'
import type { Draft } from './draft.ts'
import { findCycle, operatorWants } from './rcm.ts'
import {
  findGroup,
  findResource,
  isRefusal,
  limitReached,
  nameTaken,
  notFound,
  unknownNode,
} from './refusals.ts'

type Of<T extends Request['type']> = Extract<Request, { type: T }>

export function createResource(draft: Draft, r: Of<'createResource'>, by: string): Refusal | null {
  const group = findGroup(draft, r.groupId)
  if (isRefusal(group)) return group
  const { ownership } = group
  if (ownership.phase === 'releasing' && ownership.reason === 'delete')
    return {
      code: 'GROUP_BUSY',
      message: `group "${group.name}" is being deleted`,
      remedy: 'Make another group for it: holdfast group create NAME',
    }
  const type = typeInfo(draft.typesByName, r.resourceType)
  if (!type) return unknownType(draft, r.resourceType)
  const all = draft.resources()
  if (all.length >= LIMITS.resourcesMax) return limitReached('resources', LIMITS.resourcesMax)
  const { resourcesPerGroupMax } = LIMITS
  if (draft.resourcesOf(group.id).length >= resourcesPerGroupMax)
    return {
      ...limitReached('resources in one group', resourcesPerGroupMax),
      message: `group "${group.name}" has ${resourcesPerGroupMax} resources already`,
    }
  const taken = nameTaken('resource', r.name, all)
  if (taken) return taken
  const value: Resource = {
    id: r.resourceId,
    groupId: group.id,
    name: r.name,
    type: r.resourceType,
    properties: r.settings.properties ?? {},
    persistentState: r.persistentState,
    stateSeq: draft.nextSeq,
    dependsOn: r.settings.dependsOn ?? [],
    ...(r.settings.anyOf && { anyOf: r.settings.anyOf }),
    possibleOwners: r.settings.possibleOwners ?? null,
    restart: { ...DEFAULT_RESTART, ...defined<RestartPolicy>(r.settings.restart) },
    poll: { ...type.poll, ...defined<PollPolicy>(r.settings.poll) },
    separateMonitor: r.settings.separateMonitor ?? false,
    ...(r.settings.source !== undefined && { source: r.settings.source }),
    createdAtMs: draft.nowMs,
  }
  const refused = check(draft, value)
  if (refused) return refused
  draft.put(
    { table: 'resource', id: value.id, value },
    { manager: 'RCM', code: 'resourceCreated', evidence: { by } },
  )
  return null
}

export function changeResource(draft: Draft, r: Of<'changeResource'>, by: string): Refusal | null {
  const resource = findResource(draft, r.resourceId)
  if (isRefusal(resource)) return resource
  const { name, settings } = r
  if (r.from !== undefined && r.from !== fingerprint(resource.properties))
    return changedMeanwhile(resource)
  const others = draft.resources().filter((x) => x.id !== resource.id)
  const taken = name ? nameTaken('resource', name, others) : null
  if (taken) return taken
  // Whoever says where its module runs has decided anew.
  const { isolated, anyOf: before, ...rest } = resource
  const anyOf = settings.dependsOn ? settings.anyOf : before
  const value: Resource = {
    ...rest,
    ...(isolated && settings.separateMonitor === undefined && { isolated }),
    ...(name && { name }),
    ...(settings.properties && { properties: settings.properties }),
    ...(settings.dependsOn && { dependsOn: settings.dependsOn }),
    ...(anyOf && { anyOf }),
    ...(settings.possibleOwners !== undefined && { possibleOwners: settings.possibleOwners }),
    ...(settings.separateMonitor !== undefined && { separateMonitor: settings.separateMonitor }),
    ...(settings.source !== undefined && { source: settings.source }),
    restart: { ...resource.restart, ...defined<RestartPolicy>(settings.restart) },
    poll: { ...resource.poll, ...defined<PollPolicy>(settings.poll) },
  }
  const refused = check(draft, value)
  if (refused) return refused
  draft.put(
    { table: 'resource', id: value.id, value },
    { manager: 'RCM', code: 'resourceChanged', evidence: { by } },
  )
  return null
}

const changedMeanwhile = ({ name }: Resource): Refusal => ({
  code: 'CHANGED_MEANWHILE',
  message: `"${name}" has been changed since it was read`,
  why: 'The change was made from what it was before. Nothing was changed.',
  remedy: `Look again, then repeat the change: holdfast resource show ${name}`,
})

export function deleteResource(draft: Draft, r: Of<'deleteResource'>, by: string): Refusal | null {
  const resource = findResource(draft, r.resourceId)
  if (isRefusal(resource)) return resource
  const dependents = draft
    .resourcesOf(resource.groupId)
    .filter((x) => x.dependsOn.includes(resource.id))
  if (dependents.length > 0)
    return {
      code: 'RESOURCE_IN_USE',
      message: `resource "${resource.name}" cannot be deleted: ${dependents.map((d) => d.name).join(', ')} depend on it`,
      remedy: 'Change their dependencies first: holdfast resource change NAME --depends-on …',
    }
  const refused = whyNotDeleted(draft, resource)
  if (refused) return refused
  draft.put(
    { table: 'resource', id: resource.id, value: null },
    { manager: 'RCM', code: 'resourceDeleted', evidence: { by } },
  )
  if (draft.observed(resource.id))
    draft.observe({ table: 'resource', id: resource.id, value: null })
  return null
}

/** What is deleted is told to nobody any more, so it has to have stopped before. */
export function whyNotDeleted(draft: Draft, resource: Resource): Refusal | null {
  if (resource.persistentState === 1)
    return {
      code: 'GROUP_ONLINE',
      message: `resource "${resource.name}" cannot be deleted while it is wanted online`,
      remedy: `Take it offline first: holdfast resource offline ${resource.name}`,
    }
  const group = draft.group(resource.groupId)
  const seen = draft.observed(resource.id)
  if (!group || group.ownership.phase === 'free' || !seen) return null
  if (seen.epoch !== group.ownership.epoch) return null
  if (seen.status === 'offline' || seen.status === 'failed') return null
  const owner = draft.node(group.ownership.owner)?.name ?? group.ownership.owner
  return {
    code: 'GROUP_BUSY',
    message: `resource "${resource.name}" cannot be deleted: it is ${seen.status} on ${owner}`,
    why: 'Nobody would stop it any more.',
    remedy: `Wait until it is offline: holdfast status ${group.name}`,
  }
}

export function setResourceState(
  draft: Draft,
  r: Of<'setResourceState'>,
  by: string,
): Refusal | null {
  const resource = findResource(draft, r.resourceId)
  if (isRefusal(resource)) return resource
  operatorWants(draft, resource, r.persistentState, {
    by,
    ...(r.cancels !== undefined && { cancels: r.cancels }),
  })
  return null
}

/** Everything a resource record must satisfy, whether it is new or changed. */
function check(draft: Draft, value: Resource): Refusal | null {
  return (
    checkProperties(draft, value) ??
    unknownNode(draft, value.possibleOwners) ??
    checkDependencies(draft, value)
  )
}

function checkProperties(draft: Draft, value: Resource): Refusal | null {
  const type = typeInfo(draft.typesByName, value.type)
  if (!type) return unknownType(draft, value.type)
  const parsed = type.properties.safeParse(value.properties)
  if (parsed.success) return null
  return {
    code: 'BAD_PROPERTY',
    message: `the properties of "${value.name}" do not fit type ${value.type}`,
    why: parsed.error.issues
      .map((i) => `${i.path.join('.') || 'properties'}: ${i.message}`)
      .join('; ')
      .slice(0, 1_000),
    remedy: `See what the type takes: holdfast resource types`,
    errors: parsed.error.issues.slice(0, 20).map((i) => ({
      pointer: `/properties/${i.path.join('/')}`,
      message: i.message,
    })),
  }
}

function checkDependencies(draft: Draft, value: Resource): Refusal | null {
  for (const id of value.dependsOn) {
    const provider = draft.resource(id)
    if (!provider) return notFound('resource', id)
    if (provider.groupId !== value.groupId)
      return {
        code: 'BAD_DEPENDENCY',
        message: `"${value.name}" cannot depend on "${provider.name}" of another group`,
        remedy: 'Put both into one group: a group is what lives and moves together.',
      }
  }
  const cycle = findCycle(draft, value.id, value.name, value.dependsOn)
  if (!cycle) return null
  return {
    code: 'DEPENDENCY_CYCLE',
    message: `the dependencies would form a cycle: ${cycle.join(' → ')}`,
    remedy: 'Leave out one of these dependencies.',
  }
}

function unknownType(draft: Draft, type: string): Refusal {
  const known = [
    ...RESOURCE_TYPES.keys(),
    ...draft
      .types()
      .map((t) => t.manifest.type)
      .sort(),
  ]
  return {
    code: 'UNKNOWN_TYPE',
    message: `there is no resource type "${type}"`,
    why: `known types: ${known.join(', ')}`,
    remedy:
      'Use `process` for a program that has no module of its own, or register its module: holdfast-probe module register FILE',
  }
}

/** Without the keys that were not given, so that they do not overwrite defaults. */
function defined<T extends object>(value: { [K in keyof T]?: T[K] | undefined } | undefined) {
  return Object.fromEntries(
    Object.entries(value ?? {}).filter(([, v]) => v !== undefined),
  ) as Partial<T>
}
