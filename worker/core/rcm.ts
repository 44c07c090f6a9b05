import type { Event } from '../../schema/event.ts'
import type { Group, Resource } from '../../schema/hive.ts'
import type { ObservedResource } from '../../schema/observed.ts'
import type { LocalIntent, StatusItem } from '../../schema/session.ts'
import type { Status } from '../../schema/status.ts'
import type { Because } from '../../schema/update.ts'
import { isSpare } from './alternatives.ts'
import type { Draft } from './draft.ts'

type Of<T extends Event['type']> = Extract<Event, { type: T }>

/** Resource Control Manager: what the owner observes of its resources. */
export function resourceReported(draft: Draft, event: Of<'resourceReported'>): void {
  for (const item of event.items) {
    const resource = draft.resource(item.resourceId)
    const group = resource && draft.group(resource.groupId)
    // A stale epoch is ignored before anything else.
    if (!resource || group?.ownership.owner !== event.nodeId) continue
    if (item.epoch !== group.ownership.epoch) continue
    observeResource(draft, resource, event.nodeId, item)
  }
}

/**
 * A deliberate change made on the host, outside of us (S-68): the hive follows, unless somebody who
 * knew more has decided since. What is not followed is said in the log.
 */
export function takeIntent(draft: Draft, nodeId: string, intent: LocalIntent): void {
  const resource = draft.resource(intent.resourceId)
  const group = resource && draft.group(resource.groupId)
  if (!resource || !group || resource.persistentState === intent.persistentState) return
  const node = draft.node(nodeId)?.name ?? nodeId
  const late = whyTooLate(resource, group, nodeId, intent)
  if (late) {
    const message = `${resource.name} was ${stateWord(intent)} on ${node} while it was cut off: ${late}`
    return draft.log({ component: 'RCM', groupId: group.id, resourceId: resource.id, message })
  }
  const { persistentState } = intent
  const value: Resource = { ...resource, persistentState, stateSeq: draft.nextSeq }
  draft.put(
    { table: 'resource', id: resource.id, value },
    {
      manager: 'RCM',
      code: 'changedOnHost',
      rule: 'S-68',
      evidence: { node, detail: intent.detail ?? '' },
    },
  )
}

const stateWord = (intent: LocalIntent) => (intent.persistentState === 0 ? 'stopped' : 'started')

function whyTooLate(r: Resource, group: Group, nodeId: string, intent: LocalIntent): string | null {
  const { ownership } = group
  // The host may have let go of the group in the meantime; nobody else has run it since.
  const owner = ownership.phase === 'free' ? ownership.lastOwner : ownership.owner
  if (ownership.epoch !== intent.epoch || owner !== nodeId)
    return 'the group has been placed elsewhere since, and that stands'
  if ((r.stateSeq ?? 0) > intent.knownSeq)
    return 'what is wanted was changed by an operator since, and that stands'
  return null
}

/** What an operator has said counts as said now, even where it was so before (S-67, S-68). */
export function operatorWants(
  draft: Draft,
  resource: Resource,
  persistentState: 0 | 1,
  evidence: { by: string; cancels?: string },
): void {
  const code = persistentState === 1 ? 'operatorOnline' : 'operatorOffline'
  const value: Resource = { ...resource, persistentState, stateSeq: draft.nextSeq }
  const because: Because = { manager: 'RCM', code, rule: 'S-67', evidence }
  draft.put({ table: 'resource', id: resource.id, value }, because)
}

/**
 * The first resource that is wanted online, whose owner has used up its restarts, and without which
 * something does not get what it needs.
 */
export function failedBeyondRestart(draft: Draft, group: Group): Resource | undefined {
  const members = draft.resourcesOf(group.id)
  const hasFailed = (r: Resource) => {
    const seen = draft.observed(r.id)
    const here = seen?.epoch === group.ownership.epoch
    return r.persistentState === 1 && here && seen.gaveUp && seen.status === 'failed'
  }
  return members.find((r) => hasFailed(r) && !isSpare(r, members, (other) => !hasFailed(other)))
}

/** Whether any of it has been brought up where it is. */
export const isUp = (draft: Draft, { id, ownership }: Group): boolean =>
  draft.resourcesOf(id).some((r) => {
    const seen = draft.observed(r.id)
    return seen?.epoch === ownership.epoch && seen.status !== 'offline'
  })

/** The owner says that nothing of the group runs: by its release, or by a report without it. */
export function seenStopped(draft: Draft, groupId: string): void {
  for (const r of draft.resourcesOf(groupId)) {
    const seen = draft.observed(r.id)
    if (!seen || seen.status === 'offline' || seen.status === 'failed') continue
    const value = { ...seen, status: 'offline' as const, sinceMs: draft.nowMs }
    draft.observe({ table: 'resource', id: r.id, value })
  }
}

/** Nothing is known of the members any more: their node is gone. */
export function forgetResources(draft: Draft, groupId: string): void {
  for (const r of draft.resourcesOf(groupId)) {
    const seen = draft.observed(r.id)
    if (!seen) continue
    draft.observe({
      table: 'resource',
      id: r.id,
      value: { ...seen, status: 'unknown', sinceMs: draft.nowMs, gaveUp: false, nodeId: null },
    })
  }
}

/** Every resource that comes online before this one is asked to: itself and all below it. */
export function providersOf(
  draft: Draft,
  resource: Resource,
  seen = new Set<string>(),
): Resource[] {
  const out: Resource[] = []
  for (const id of resource.dependsOn) {
    const provider = draft.resource(id)
    if (!provider || seen.has(id)) continue
    seen.add(id)
    out.push(provider, ...providersOf(draft, provider, seen))
  }
  return out
}

/** The names along a cycle that these dependencies would form, or null (S-93). */
export function findCycle(
  draft: Draft,
  resourceId: string,
  resourceName: string,
  dependsOn: readonly string[],
): string[] | null {
  const walk = (id: string, path: string[], done: Set<string>): string[] | null => {
    if (id === resourceId) return path
    if (done.has(id)) return null
    done.add(id)
    const next = draft.resource(id)
    for (const provider of next?.dependsOn ?? []) {
      const found = walk(provider, [...path, draft.resource(provider)?.name ?? provider], done)
      if (found) return found
    }
    return null
  }
  const done = new Set<string>()
  for (const id of dependsOn) {
    const found = walk(id, [resourceName, draft.resource(id)?.name ?? id], done)
    if (found) return found
  }
  return null
}

function observeResource(draft: Draft, r: Resource, nodeId: string, item: StatusItem): void {
  const seen = draft.observed(r.id)
  const status: Status = item.status === 'stopped' ? 'offline' : item.status
  const unchanged =
    seen?.status === status &&
    seen.nodeId === nodeId &&
    seen.epoch === item.epoch &&
    seen.gaveUp === item.gaveUp &&
    seen.restarts === item.restarts &&
    seen.detail === item.detail
  if (unchanged) return
  const value: ObservedResource = {
    status,
    nodeId,
    epoch: item.epoch,
    sinceMs: seen?.status === status && seen.epoch === item.epoch ? seen.sinceMs : draft.nowMs,
    restarts: item.restarts,
    gaveUp: item.gaveUp,
    ...(item.detail !== undefined && { detail: item.detail }),
  }
  draft.observe({ table: 'resource', id: r.id, value })
  if (seen?.status === status && seen.epoch === item.epoch && !item.gaveUp) return
  draft.log({
    component: 'RCM',
    groupId: r.groupId,
    resourceId: r.id,
    correlationId: item.correlationId ?? draft.cause,
    message: statusText(draft, r, nodeId, status, item),
  })
}

function statusText(
  draft: Draft,
  r: Resource,
  nodeId: string,
  status: Status,
  item: StatusItem,
): string {
  const where = draft.node(nodeId)?.name ?? nodeId
  const tail = item.gaveUp ? '; restart attempts used up' : ''
  return `${r.name} is ${status} on ${where}${item.detail ? ` (${item.detail})` : ''}${tail}`
}
