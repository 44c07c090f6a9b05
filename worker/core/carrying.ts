/**
 * Moves in which the state of a workload travels (M1 to M7, S-92). Owner and epoch do not change before
 * the source's ack; everything here is about what that ack will say, and nothing is freed by it.
 */
import {
  type Carried,
  type Carry,
  isUnplaced,
  type MoveMethod,
  type ResumeFrom,
} from '../../schema/carry.ts'
import type { Event } from '../../schema/event.ts'
import type { Group, Ownership, Resource } from '../../schema/hive.ts'
import { typeInfo } from '../../schema/resource-types/index.ts'
import type { Draft } from './draft.ts'

type Of<T extends Event['type']> = Extract<Event, { type: T }>

/**
 * How the group is to leave: the first method that can be done.
 *
 * @returns the carry; null: by stop and start; or in words why it cannot be done as asked
 */
export function carryFor(
  draft: Draft,
  group: Group,
  asked: MoveMethod,
  mid: string,
): Carry | null | string {
  if (asked === 'stop') return null
  for (const method of ['live', 'quick'] as const) {
    if (asked !== 'auto' && asked !== method) continue
    const problem = whyNotCarried(draft, group, method)
    if (problem === null) return { mid, method, asked }
    if (asked === method) return problem
  }
  return null
}

/** The best way there is for a group to leave where it is: empty is by stop and start. */
export function bestCarry(draft: Draft, group: Group): { carry?: Carry } {
  const carry = carryFor(draft, group, 'auto', midFor(draft, group))
  return carry === null || typeof carry === 'string' ? {} : { carry }
}

function whyNotCarried(draft: Draft, group: Group, method: Carry['method']): string | null {
  const members = draft.resourcesOf(group.id).filter((r) => r.persistentState === 1)
  const able = members.filter((r) => canTravel(draft, r, method))
  const names = members.map((r) => r.name).join(', ')
  if (able.length === 0)
    return method === 'live'
      ? `nothing of it can move while it runs (online: ${names || 'nothing'})`
      : `nothing of it can be saved: it takes a resource with a folder that all hosts share (online: ${names || 'nothing'})`
  if (method === 'quick') return null
  // What it needs would have to be on both hosts at once.
  if (members.length > 1) return `it has more than one resource that is wanted online: ${names}`
  const seen = draft.observed(able[0]?.id ?? '')
  const { owner, epoch } = group.ownership
  if (seen?.status !== 'online' || seen.nodeId !== owner || seen.epoch !== epoch)
    return `${names} is not online`
  return null
}

function canTravel(draft: Draft, r: Resource, method: Carry['method']): boolean {
  const moves = typeInfo(draft.typesByName, r.type)?.moves
  if (method === 'live') return moves?.live === true
  return moves?.quick !== undefined && r.properties[moves.quick] !== undefined
}

/** Names a migration that no operator has named: of this group, by the update that begins it (M6). */
export const midFor = (draft: Draft, { id }: Group): string =>
  `${id.slice(0, 24)}${draft.nextSeq.toString(16).padStart(12, '0')}`

/** M1: the target has a place for the copy, or has none. Until it has, the source goes on. */
export function placeForCopy(draft: Draft, event: Of<'offerAccepted'>): void {
  const group = draft.group(event.groupId)
  if (!group || !isUnplaced(group.ownership)) return
  const { carry } = group.ownership
  if (event.receives?.mid !== carry.mid)
    return giveUp(draft, group, event.receivesNot ?? 'the target has no place for a copy')
  const value = {
    ...group,
    ownership: { ...group.ownership, carry: { ...carry, to: event.receives.to } },
  }
  draft.put(
    { table: 'group', id: group.id, value },
    {
      manager: 'FM',
      code: 'copyExpected',
      rule: 'M1',
      evidence: { node: nodeName(draft, event.nodeId) },
    },
    group.ownership.correlationId,
  )
}

/** A target that says no, says nothing or is gone takes no copy; the source has lost nothing by it. */
export function settleCarry(draft: Draft, group: Group): void {
  if (!isUnplaced(group.ownership)) return
  const offer = draft.offer(group.id)
  const target = offer && draft.node(offer.nodeId)
  const waits =
    offer !== undefined &&
    !offer.accepted &&
    offer.deadlineMs > draft.nowMs &&
    target?.state === 'up' &&
    target.session === offer.session
  if (waits) return
  const refused = offer?.refused.find((r) => r.nodeId === offer.nodeId)
  giveUp(draft, group, refused?.reason ?? 'the target does not answer')
}

/** M6, M7: "still mine" counts from the present owner, at the present epoch, of this migration. */
export function notCarried(draft: Draft, event: Of<'groupNotCarried'>): void {
  const group = draft.group(event.groupId)
  const ownership = group?.ownership
  if (ownership?.phase !== 'releasing' || ownership.owner !== event.nodeId) return
  if (ownership.epoch !== event.epoch || ownership.carry?.mid !== event.mid) return
  giveUp(draft, group as Group, event.reason)
}

/**
 * The next method that was allowed, or it stays where it is: the source has run it all the time, at this
 * epoch, and has dropped no grant.
 */
function giveUp(draft: Draft, group: Group, reason: string): void {
  const { ownership } = group
  if (ownership.phase !== 'releasing' || !ownership.carry) return
  const { method, asked, mid } = ownership.carry
  const { owner, epoch, correlationId } = ownership
  const next: Carry | null =
    asked === 'auto' && method === 'live' && whyNotCarried(draft, group, 'quick') === null
      ? { mid, method: 'quick', asked }
      : null
  const { carry: _, ...plain } = ownership
  // From a host that shuts down everything goes, as asked for or not.
  const stays = asked !== 'auto' && draft.node(owner)?.state === 'up'
  const value: Group = {
    ...group,
    ownership: stays
      ? { phase: 'owned', owner, epoch, correlationId }
      : { ...plain, ...(next && { carry: next }) },
  }
  const instead = stays ? 'it stays where it is' : (next?.method ?? 'stop and start')
  draft.put(
    { table: 'group', id: group.id, value },
    { manager: 'FM', code: 'notCarried', rule: 'M7', evidence: { method, reason, instead } },
    correlationId,
  )
  if (stays && draft.offer(group.id)) draft.observe({ table: 'offer', id: group.id, value: null })
  draft.log({
    component: 'FM',
    groupId: group.id,
    correlationId,
    message: `the ${method} move of ${group.name} was not possible (${reason}); ${instead}`,
  })
}

/** M3, M6: the ack says where the copy is, and counts for the migration that was asked for. */
export function copyOf(ownership: Ownership, acked: string | undefined): { copy?: Carried } {
  if (ownership.phase !== 'releasing' || !ownership.carry || acked === undefined) return {}
  const { mid, method } = ownership.carry
  if (mid !== acked) return {}
  return { copy: { mid, method, at: method === 'live' ? ownership.to : null } }
}

/** M4, M5: only from the ack, at the epoch after it; on the node that has the copy. */
export function resumeOf(copy: Carried | undefined, nodeId: string): { resume?: ResumeFrom } {
  if (!copy || (copy.at !== null && copy.at !== nodeId)) return {}
  return { resume: { mid: copy.mid, method: copy.method } }
}

const nodeName = (draft: Draft, id: string) => draft.node(id)?.name ?? id
