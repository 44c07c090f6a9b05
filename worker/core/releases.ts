/** How a group loses its owner: asked to stop by a living one (C5), or free from now on (C2). */
import type { Carry } from '../../schema/carry.ts'
import type { Group, Ownership, ReleaseReason } from '../../schema/hive.ts'
import type { Because } from '../../schema/update.ts'
import { bestCarry, copyOf } from './carrying.ts'
import type { Draft } from './draft.ts'
import { isLeftAlone } from './maintenance.ts'
import { unitOf } from './neighbours.ts'
import { logNodeList, makeOffer } from './offers.ts'
import { candidates } from './placement.ts'

type Free = Extract<Ownership, { phase: 'free' }>

interface Release {
  readonly reason: ReleaseReason
  /** Where it is to go, if that is said. */
  readonly to: string | null
  readonly carry?: Carry | undefined
}

/**
 * Asks the living owner to stop a group and to say when nothing runs (C5). The target is asked at
 * once, so that its yes is there when the source is done (O3). What hard rules keep together with it
 * goes along.
 */
export function beginRelease(draft: Draft, group: Group, how: Release, because: Because): void {
  const { ownership } = group
  if (ownership.phase !== 'owned') return
  const to = release(draft, group, ownership, how, because)
  if (to === null) return
  for (const { id } of unitOf(draft, group)) {
    const mate = draft.group(id)
    if (!mate || id === group.id || mate.ownership.phase !== 'owned') continue
    if (mate.ownership.owner !== ownership.owner) continue
    const along = { reason: 'move' as const, to, ...(how.carry && bestCarry(draft, mate)) }
    release(draft, mate, mate.ownership, along, {
      manager: 'FM',
      code: 'keptTogether',
      evidence: { with: group.name },
    })
  }
}

/** @returns the node that it is to go to, if there is one */
function release(
  draft: Draft,
  group: Group,
  ownership: Extract<Ownership, { phase: 'owned' }>,
  how: Release,
  because: Because,
): string | null {
  const found = candidates(draft, group, { without: ownership.owner, first: how.to })
  // In maintenance nobody else takes what the end of its host frees.
  const stays = how.reason === 'hostShutdown' && isLeftAlone(draft, group)
  const target = how.reason === 'delete' || stays ? undefined : found.eligible[0]
  const value: Group = {
    ...group,
    ownership: {
      phase: 'releasing',
      owner: ownership.owner,
      epoch: ownership.epoch,
      to: target?.id ?? null,
      reason: how.reason,
      // M1: it travels to somewhere, and nowhere else.
      ...(how.carry && target && { carry: how.carry }),
      correlationId: draft.cause,
    },
  }
  draft.put(
    { table: 'group', id: group.id, value },
    { ...because, rejected: [...found.rejected] },
    draft.cause,
  )
  logNodeList(draft, value)
  if (target) makeOffer(draft, value, target, how.reason, [])
  return target?.id ?? null
}

/** The group has no owner from now on; its next placement gets a higher epoch (C2). */
export function freeGroup(
  draft: Draft,
  group: Group,
  reason: Free['reason'],
  because: Because,
  ackedCopy?: string,
): void {
  const { ownership } = group
  if (ownership.phase === 'free') return
  if (ownership.phase === 'releasing' && ownership.reason === 'delete')
    return removeGroup(draft, group, because, ownership.correlationId)
  const value: Group = {
    ...group,
    ownership: {
      phase: 'free',
      owner: null,
      epoch: ownership.epoch,
      lastOwner: ownership.owner,
      to: ownership.phase === 'releasing' ? ownership.to : null,
      reason,
      ...copyOf(ownership, ackedCopy),
      correlationId: ownership.phase === 'releasing' ? ownership.correlationId : draft.cause,
    },
  }
  draft.put({ table: 'group', id: group.id, value }, because, value.ownership.correlationId)
}

/** Its owner has let go of it, or it has none: nobody can list it in a report any more (S4). */
export function removeGroup(
  draft: Draft,
  group: Group,
  because: Because,
  correlationId: string = draft.cause,
): void {
  draft.put({ table: 'group', id: group.id, value: null }, because, correlationId)
  for (const rule of draft.rules()) {
    if (!rule.groups.includes(group.id)) continue
    const groups = rule.groups.filter((id) => id !== group.id)
    const value = groups.length < 2 ? null : { ...rule, groups }
    draft.put({ table: 'rule', id: rule.id, value }, because, correlationId)
  }
  if (draft.offer(group.id)) draft.observe({ table: 'offer', id: group.id, value: null })
  if (draft.waiting(group.id)) draft.observe({ table: 'waiting', id: group.id, value: null })
  if (draft.failback(group.id)) draft.observe({ table: 'failback', id: group.id, value: null })
}
