/**
 * A move that is to last: an operator has said that a group stays where it was moved to, until when and why.
 * Until then that node comes before all preferred owners. It is listed with the group, and ends by itself.
 */
import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import type { Group } from '../../schema/hive.ts'
import type { Draft } from './draft.ts'
import { findGroup, isRefusal } from './refusals.ts'

type Of<T extends Request['type']> = Extract<Request, { type: T }>

/** In the order in which they are tried before the rest of the node list. */
export function preferredOf({ stick, preferredOwners }: Group): readonly string[] {
  if (!stick) return preferredOwners
  return [stick.node, ...preferredOwners.filter((id) => id !== stick.node)]
}

/** As it is after a move: what was said of an earlier one is over. */
export function moved(draft: Draft, r: Of<'moveGroup'>, by: string, group: Group): Group {
  const { stick: _, ...rest } = group
  if (!r.stick || r.to === null) return rest
  const { forMs, reason } = r.stick
  const times = { sinceMs: draft.nowMs, untilMs: draft.nowMs + forMs }
  return { ...rest, stick: { node: r.to, by, reason, ...times } }
}

export function unstickGroup(draft: Draft, r: Of<'unstickGroup'>, by: string): Refusal | null {
  const group = findGroup(draft, r.groupId)
  if (isRefusal(group)) return group
  if (group.stick) release(draft, group, 'unstuck', { by })
  return null
}

/** A deadline that has passed is taken in the step that sees it. */
export function endSticks(draft: Draft): void {
  for (const id of draft.census.stuck) {
    const group = draft.group(id)
    if (group?.stick && group.stick.untilMs <= draft.nowMs)
      release(draft, group, 'stickOver', { by: group.stick.by })
  }
}

function release(draft: Draft, group: Group, code: string, evidence: { by: string }): void {
  const { stick, ...rest } = group
  const node = draft.node(stick?.node ?? '')?.name ?? 'a node that is gone'
  draft.put(
    { table: 'group', id: group.id, value: rest },
    { manager: 'FM', code, evidence: { ...evidence, node } },
  )
}
