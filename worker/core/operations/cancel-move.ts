import type { Refusal } from '../../../schema/errors.ts'
import type { Request } from '../../../schema/event.ts'
import type { Group, Node } from '../../../schema/hive.ts'
import type { Draft } from '../draft.ts'
import { findGroup, isRefusal } from '../refusals.ts'
import { homeOf } from './leave.ts'

/**
 * A group that leaves by stop and start comes back up where it was, and what hard rules took along does so
 * too. Its owner has been told to stop it and finishes that (C5): it is placed anew, at the next epoch.
 */
export function cancelMove(
  draft: Draft,
  r: Extract<Request, { type: 'cancelMove' }>,
  by: string,
): Refusal | null {
  const group = findGroup(draft, r.groupId)
  if (isRefusal(group)) return group
  const { correlationId } = group.ownership
  const mates = draft
    .groups()
    .filter(
      ({ ownership }) => ownership.phase !== 'owned' && ownership.correlationId === correlationId,
    )
  const homes: [Group, Node][] = []
  for (const one of mates.some(({ id }) => id === group.id) ? mates : [group]) {
    const home = homeOf(draft, one)
    if (typeof home === 'string') return notBack(one, home)
    homes.push([one, home])
  }
  for (const [one, home] of homes) sendHome(draft, one, home, { by, operation: r.operation })
  return null
}

function sendHome(
  draft: Draft,
  group: Group,
  home: Node,
  evidence: { by: string; operation: string },
): void {
  // That it was to stay at the new place is over as well.
  const { stick: _, ...rest } = group
  const { ownership } = rest
  if (ownership.phase === 'owned') return
  // Whoever was asked before is not where it goes now.
  if (draft.offer(group.id)) draft.observe({ table: 'offer', id: group.id, value: null })
  draft.put(
    { table: 'group', id: group.id, value: { ...rest, ownership: { ...ownership, to: home.id } } },
    {
      manager: 'FM',
      code: 'moveCancelled',
      rule: 'S-91',
      evidence: { ...evidence, to: home.name },
    },
  )
}

const notBack = ({ name }: Group, why: string): Refusal => ({
  code: 'NOT_CANCELLABLE',
  message: `the move of group "${name}" cannot be taken back: ${why}`,
  remedy: `When it is there: holdfast move ${name} --to NODE`,
})
