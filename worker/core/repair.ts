/** Hard rules hold always: one that is found broken is repaired, by a move if there is a place. */
import type { Group, Node } from '../../schema/hive.ts'
import { bestCarry } from './carrying.ts'
import type { Draft } from './draft.ts'
import type { Question } from './eligibility.ts'
import { isLeftAlone } from './maintenance.ts'
import {
  apartFrom,
  isJudged,
  isOvercommitted,
  ruleText,
  shortfall,
  unitOf,
  whyNotTogether,
} from './neighbours.ts'
import { candidates } from './placement.ts'
import { isUp } from './rcm.ts'
import { beginRelease } from './releases.ts'
import type { Seat } from './seats.ts'

/**
 * Of an owned group. Of those that a rule is about, the one that comes last gives way.
 *
 * @returns whether anybody leaves
 */
export function keepRules(draft: Draft, group: Group): boolean {
  const owner = draft.node(group.ownership.owner ?? '')
  if (group.ownership.phase !== 'owned' || owner?.state !== 'up') return false
  if (leaveIfForbidden(draft, group, owner)) return true
  if (!isJudged(draft, group)) return false
  const unit = unitOf(draft, group)
  return (
    joinUnit(draft, group, unit, owner) ||
    standApart(draft, group, unit, owner) ||
    leaveIfFull(draft, group, owner)
  )
}

/** An owner list that no longer has the owner. Where nobody else may have it, it stays. */
function leaveIfForbidden(draft: Draft, group: Group, owner: Node): boolean {
  const rule = draft
    .resourcesOf(group.id)
    .find((r) => r.possibleOwners && !r.possibleOwners.includes(owner.id))
  if (!rule) return false
  draft.staysRestless(group.id)
  if (!hasElsewhere(draft, group)) return false
  const evidence = { node: owner.name, resource: rule.name }
  beginRelease(draft, group, leaving(draft, group), {
    manager: 'FM',
    code: 'notPossibleOwner',
    evidence,
  })
  return true
}

/** To where its mates are; else all of them to where all may be; else it waits until there is a place. */
function joinUnit(draft: Draft, group: Group, unit: readonly Group[], owner: Node): boolean {
  const before = unit.filter((mate) => draft.precedes(mate, group))
  const reason = whyNotTogether(draft, group, [...before, group], owner, {})
  if (reason === null) return false
  draft.staysRestless(group.id)
  const because = broken(owner, reason)
  if (!hasElsewhere(draft, group)) {
    const [first] = unit
    const home = first && candidates(draft, first, { whole: true }).eligible[0]
    if (home && first) {
      gather(draft, unit, home, because)
      return true
    }
  }
  beginRelease(draft, group, leaving(draft, group), because)
  return true
}

/** Of a free group whose mates are where it cannot be: all of them to where all may be. */
export function gatherMates(draft: Draft, group: Group, question: Question): void {
  if (!isJudged(draft, group)) return
  const unit = unitOf(draft, group)
  const mates = unit.filter((mate) => mate.ownership.phase === 'owned')
  // Nothing new is to come to a paused node; that does not interrupt what runs there.
  if (mates.length === 0 || mates.some((m) => draft.node(m.ownership.owner ?? '')?.paused)) return
  const home = candidates(draft, group, { ...question, whole: true }).eligible[0]
  if (home) gather(draft, unit, home, broken(home, `kept together with ${mates[0]?.name}`))
}

function gather(
  draft: Draft,
  unit: readonly Group[],
  home: Node,
  because: ReturnType<typeof broken>,
): void {
  for (const { id } of unit) {
    const mate = draft.group(id)
    if (!mate || isLeftAlone(draft, mate)) continue
    if (mate.ownership.phase === 'owned' && mate.ownership.owner !== home.id)
      beginRelease(draft, mate, leaving(draft, mate, home.id), because)
  }
}

/** The other one moves, if it can and this one cannot: then both stay up. */
function standApart(draft: Draft, group: Group, unit: readonly Group[], owner: Node): boolean {
  const first = (seat: Seat) => seat.here === owner.id && draft.precedes(seat.group, group)
  const found = apartFrom(draft, unit, (seat) => first(seat) && !seat.leaves)
  if (!found) return false
  draft.staysRestless(group.id)
  const because = broken(owner, `kept apart from ${found.other.name} (${ruleText(found.rule)})`)
  const other = draft.group(found.other.id)
  const gives = !hasElsewhere(draft, group) && other && hasElsewhere(draft, other) ? other : group
  beginRelease(draft, gives, leaving(draft, gives), because)
  return true
}

/**
 * What runs is not stopped because of sums: it leaves if there is a place. What is to come up beside it
 * leaves in any case, and may then displace it if it is more important.
 */
function leaveIfFull(draft: Draft, group: Group, owner: Node): boolean {
  if (!isOvercommitted(draft, owner)) return false
  const up = isUp(draft, group)
  const takes = ({ here, group: other }: Seat) =>
    here === owner.id && (draft.precedes(other, group) || (!up && isUp(draft, other)))
  const found = shortfall(draft, group, [group], owner, takes)
  if (!found) return false
  draft.staysRestless(group.id)
  if (up && !hasElsewhere(draft, group)) return false
  beginRelease(draft, group, leaving(draft, group), broken(owner, found.text))
  return true
}

/** What runs is interrupted as little as can be. */
const leaving = (draft: Draft, group: Group, to: string | null = null) => ({
  ...{ reason: 'move' as const, to, ...bestCarry(draft, group) },
})

const broken = (owner: Node, detail: string) => ({
  manager: 'FM' as const,
  code: 'ruleBroken',
  evidence: { node: owner.name, detail },
})

const hasElsewhere = (draft: Draft, group: Group): boolean =>
  !isLeftAlone(draft, group) &&
  candidates(draft, group, { without: group.ownership.owner }).eligible.length > 0
