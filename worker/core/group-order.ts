/**
 * Dependencies between groups (S-93): which come online after which, and which only while others are. A
 * group that has to wait is placed like any other, and held back where it is: so that it stands ready,
 * and nothing that decides about places has to know of it.
 */
import type { Refusal } from '../../schema/errors.ts'
import type { Group, Resource } from '../../schema/hive.ts'
import { isSpare } from './alternatives.ts'
import type { Draft } from './draft.ts'
import { isUp } from './rcm.ts'
import { notFound } from './refusals.ts'

type Ordered = Pick<Group, 'after' | 'onlyWhile'>

export const providersOfGroup = ({ after = [], onlyWhile = [] }: Ordered): string[] => [
  ...new Set([...after, ...onlyWhile]),
]

/** Holds a group back, or lets it go, as those that it depends on are now. */
export function keepOrder(draft: Draft, group: Group): void {
  if (!group.after && !group.onlyWhile && !group.waitsFor) return
  if (group.waitsFor) draft.staysRestless(group.id)
  // What is on its way from one node to another is looked at when it has arrived.
  if (group.ownership.phase === 'releasing') return
  const lacks = lackedBy(draft, group)
  const before = group.waitsFor ?? []
  if (lacks.length === before.length && lacks.every((id, n) => id === before[n])) return
  const { waitsFor: _, ...rest } = group
  const names = lacks.map((id) => draft.group(id)?.name ?? id).join(', ')
  draft.put(
    { table: 'group', id: group.id, value: lacks.length > 0 ? { ...rest, waitsFor: lacks } : rest },
    lacks.length > 0
      ? { manager: 'FM', code: 'waitsForGroup', rule: 'S-93', evidence: { for: names } }
      : { manager: 'FM', code: 'waitsNoMore', rule: 'S-93' },
    group.ownership.correlationId,
  )
}

function lackedBy(draft: Draft, group: Group): string[] {
  const { after = [], onlyWhile = [], ownership } = group
  if (!draft.resourcesOf(group.id).some((r) => r.persistentState === 1)) return []
  // A guest whose memory is under way has been started long ago.
  const travels =
    (ownership.phase === 'free' && ownership.copy) ||
    (ownership.phase === 'owned' && ownership.resume)
  const runs = group.waitsFor === undefined && (travels || isUp(draft, group))
  const needed = runs ? onlyWhile : [...after, ...onlyWhile]
  return [...new Set(needed)].filter((id) => !isOnline(draft, id))
}

/** All that is wanted of it is online, and something is; what is but an alternative may have failed. */
function isOnline(draft: Draft, groupId: string): boolean {
  const { ownership } = draft.group(groupId) ?? {}
  if (ownership?.phase !== 'owned') return false
  const members = draft.resourcesOf(groupId)
  const serves = (r: Resource) => {
    const seen = draft.observed(r.id)
    return seen?.epoch === ownership.epoch && seen.status === 'online'
  }
  const wanted = members.filter((r) => r.persistentState === 1)
  return wanted.length > 0 && wanted.every((r) => serves(r) || isSpare(r, members, serves))
}

/** Of a group as it would be: those it depends on have to be there, and must not depend on it. */
export function refuseOrder(draft: Draft, group: Group): Refusal | null {
  for (const id of providersOfGroup(group)) {
    const provider = draft.group(id)
    if (!provider) return notFound('group', id)
    const { ownership, name } = provider
    if (ownership.phase === 'releasing' && ownership.reason === 'delete')
      return {
        code: 'GROUP_BUSY',
        message: `group "${group.name}" cannot depend on "${name}": that is being deleted`,
        remedy: 'Name another group.',
      }
  }
  const cycle = cycleThrough(draft, group)
  if (!cycle) return null
  return {
    code: 'DEPENDENCY_CYCLE',
    message: `the dependencies between groups would form a cycle: ${cycle.join(' → ')}`,
    why: 'Each of them would wait for the next one to be online first.',
    remedy: `Leave out one of these: holdfast group change ${group.name} --after "" --only-while ""`,
  }
}

/** The names along it, or null. */
function cycleThrough(draft: Draft, group: Group): string[] | null {
  const done = new Set<string>()
  const walk = (id: string, path: string[]): string[] | null => {
    if (id === group.id) return path
    const next = draft.group(id)
    if (!next || done.has(id)) return null
    done.add(id)
    for (const below of providersOfGroup(next)) {
      const found = walk(below, [...path, draft.group(below)?.name ?? below])
      if (found) return found
    }
    return null
  }
  for (const id of providersOfGroup(group)) {
    const found = walk(id, [group.name, draft.group(id)?.name ?? id])
    if (found) return found
  }
  return null
}

/** Who would wait for it for ever. */
export function refuseWhileNeeded(draft: Draft, group: Group): Refusal | null {
  const dependents = draft.dependentsOf(group.id).flatMap((id) => draft.group(id) ?? [])
  const [first] = dependents
  if (!first) return null
  return {
    code: 'GROUP_IN_USE',
    message: `group "${group.name}" cannot be deleted: ${dependents.map((g) => g.name).join(', ')} depend on it`,
    remedy: `Change what they depend on first: holdfast group change ${first.name} --after … --only-while …`,
  }
}
