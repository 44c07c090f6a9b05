/** Higher priority displaces lower when room is short (DESIGN section 4). */
import type { Group, Node, Ownership } from '../../schema/hive.ts'
import { LIMITS } from '../../schema/limits.ts'
import type { Draft } from './draft.ts'
import { type Question, whyNotItself } from './eligibility.ts'
import { isLeftAlone } from './maintenance.ts'
import {
  counts,
  isJudged,
  shortfall,
  sum,
  unitOf,
  whyNotApart,
  whyNotTogether,
} from './neighbours.ts'
import { candidates } from './placement.ts'
import { beginRelease } from './releases.ts'
import type { Seat } from './seats.ts'

type Free = Extract<Ownership, { phase: 'free' }>

interface Plan {
  readonly node: Node
  readonly leave: readonly Group[]
  /** How many of these would have nowhere to go. */
  readonly stranded: number
}

/**
 * Of a free group that no node has room for: has others leave the node where that costs least. The room
 * is kept for it from then on.
 */
export function makeRoom(draft: Draft, group: Group, free: Free, question: Question): void {
  const plans = plansFor(draft, group, question)
  // Room that comes by itself is waited for.
  if (plans.some((plan) => plan.leave.length === 0)) return
  const [best] = plans.sort((a, b) => a.stranded - b.stranded || a.leave.length - b.leave.length)
  if (!best) return
  const { node, leave } = best
  const names = leave.map((one) => one.name).join(', ')
  const value: Group = { ...group, ownership: { ...free, to: node.id, room: true } }
  draft.put(
    { table: 'group', id: group.id, value },
    {
      manager: 'FM',
      code: 'makesRoom',
      evidence: {
        node: node.name,
        leave: names.slice(0, LIMITS.detailLengthMax),
      },
    },
    free.correlationId,
  )
  for (const { id } of leave) {
    const lower = draft.group(id)
    if (lower?.ownership.phase !== 'owned') continue
    beginRelease(
      draft,
      lower,
      // By stop and start: what is more important does not wait for memory to travel.
      { reason: 'displaced', to: null },
      { manager: 'FM', code: 'displaced', evidence: { by: group.name, node: node.name } },
    )
  }
}

/** Whether it would find room somewhere, if others had to leave for it. */
export const couldMakeRoom = (draft: Draft, group: Group, question: Question): boolean =>
  plansFor(draft, group, question).length > 0

function plansFor(draft: Draft, group: Group, question: Question): Plan[] {
  if (!isJudged(draft, group)) return []
  return draft.nodes().flatMap((node) => planOn(draft, group, node, question) ?? [])
}

/** @returns who would have to leave a node for it; null: it could not be there whoever leaves */
function planOn(draft: Draft, group: Group, node: Node, question: Question): Plan | null {
  const unit = unitOf(draft, group)
  const comes = ({ ownership, waitsFor }: Group) =>
    waitsFor !== undefined || ownership.phase === 'free' || ownership.owner === question.without
  // Nothing but room must be in the way.
  if (!unit.every(comes)) return null
  if (unit.some((mate) => whyNotItself(draft, mate, node, question) !== null)) return null
  if (whyNotTogether(draft, group, unit, node, question) !== null) return null
  if (whyNotApart(draft, group, unit, node) !== null) return null
  const stays = (seat: Seat) => counts(draft, seat, node.id, group) && !seat.leaves
  const lack = shortfall(draft, group, unit, node, stays)
  if (!lack) return { node, leave: [], stranded: 0 }
  const lower = draft.seats
    .at(node.id)
    .filter((seat) => stays(seat) && seat.group.ownership.phase === 'owned')
    .map((seat) => seat.group)
    .filter((other) => importance(draft, other) < importance(draft, group))
    .filter((other) => !isLeftAlone(draft, other))
    .sort((a, b) => draft.precedence.compare(b, a))
  const leave = enough(lower, lack.missing)
  if (!leave) return null
  const stranded = leave.filter(
    (other) => candidates(draft, other, { without: node.id }).eligible.length === 0,
  )
  return { node, leave, stranded: stranded.length }
}

const importance = (draft: Draft, group: Group) => draft.precedence.importance(group)

/** The first ones that together give what is missing, without those that would leave for nothing. */
function enough(
  lower: readonly Group[],
  missing: Readonly<Record<string, number>>,
): readonly Group[] | null {
  const suffices = (groups: readonly Group[]) =>
    Object.entries(missing).every(([name, amount]) => sum(groups, name) >= amount)
  const end = lower.findIndex((_, n) => suffices(lower.slice(0, n + 1)))
  if (end < 0) return null
  let leave = lower.slice(0, end + 1)
  for (const one of [...leave].reverse()) {
    const rest = leave.filter((other) => other !== one)
    if (suffices(rest)) leave = rest
  }
  return leave
}
