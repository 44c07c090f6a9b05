/** Hard rules and room: whether a group may be where others are, or are about to be. */
import type { Group, Node } from '../../schema/hive.ts'
import type { Rule } from '../../schema/placement.ts'
import { capacityOf } from './capacity.ts'
import type { Draft } from './draft.ts'
import { type Question, whyNotItself } from './eligibility.ts'
import type { Seat } from './seats.ts'

/**
 * The group and all that hard rules keep together with it, in order of precedence: they share a node,
 * and move as one. Only what is wanted online counts; what waits for another group as well, or it would
 * be let go of where it cannot be, have its mates follow it, wait for them again, and do so for ever.
 */
export function unitOf(draft: Draft, group: Group): readonly Group[] {
  const ids = new Set([group.id])
  for (const id of ids)
    for (const rule of draft.rulesOf(id))
      if (rule.hard && rule.kind === 'keepTogether') for (const other of rule.groups) ids.add(other)
  if (ids.size === 1) return [group]
  const place = ({ id }: Group) => draft.precedence.placeOf(id)
  const belongs = (one: Group) =>
    one.id === group.id || draft.seats.of(one.id) !== undefined || isHeldBack(draft, one)
  return [...ids]
    .flatMap((id) => draft.group(id) ?? [])
    .filter(belongs)
    .sort((a, b) => place(a) - place(b))
}

/** Wanted online, and waiting for another group to be: it takes no seat. */
const isHeldBack = (draft: Draft, group: Group): boolean =>
  group.waitsFor !== undefined && isWanted(draft, group)

/**
 * Why it may not be there beside the others, in words, for one node after the other; null: nothing is in
 * its way anywhere.
 */
export function besides(
  draft: Draft,
  group: Group,
  question: Question,
): ((node: Node) => string | null) | null {
  return isJudged(draft, group) ? asOnline(draft, group, question) : null
}

export const whyNotBeside = (
  draft: Draft,
  group: Group,
  node: Node,
  question: Question = {},
): string | null => besides(draft, group, question)?.(node) ?? null

/** The same as if it were wanted online. */
export const whyNotOnline = (draft: Draft, group: Group, node: Node): string | null =>
  asOnline(draft, group, {})(node)

function asOnline(draft: Draft, group: Group, question: Question): (node: Node) => string | null {
  const unit = unitOf(draft, group)
  // Looked at once, and not for each of a thousand nodes.
  const hasRoommates = unit.length > 1
  const isApart = rulesOf(draft, unit).some((rule) => rule.hard && rule.kind === 'keepApart')
  const takesRoom = unit.some(needsRoom)
  return (node) =>
    (hasRoommates ? whyNotTogether(draft, group, unit, node, question) : null) ??
    (isApart ? whyNotApart(draft, group, unit, node) : null) ??
    (takesRoom ? (shortfall(draft, group, unit, node)?.text ?? null) : null)
}

/** Nothing is in the way of what is wanted offline, and most clusters have neither rules nor needs. */
export function isJudged(draft: Draft, group: Group): boolean {
  const ruled = draft.rulesOf(group.id).length > 0
  if (!ruled && group.needs === undefined) return false
  return draft.seats.of(group.id) !== undefined
}

export function whyNotTogether(
  draft: Draft,
  group: Group,
  unit: readonly Group[],
  node: Node,
  question: Question,
): string | null {
  for (const mate of unit) {
    if (mate.id === group.id) continue
    const at = question.whole ? null : anchorOf(draft, group, mate, question)
    if (at !== null && at !== node.id)
      return `it is kept together with ${mate.name}, which is on ${draft.node(at)?.name}`
    if (at !== null || mate.ownership.phase === 'free' || mate.ownership.owner === node.id) continue
    const reason = whyNotItself(draft, mate, node, { without: question.without ?? null })
    if (reason !== null)
      return `${mate.name}, which it is kept together with, cannot go there: ${reason}`
  }
  return null
}

/** Where a group's mate stays, so that the group has to be there; null: it comes along, or follows. */
function anchorOf(draft: Draft, group: Group, mate: Group, question: Question): string | null {
  const { ownership } = mate
  if (mate.waitsFor) return null
  if (ownership.phase === 'owned')
    return ownership.owner === question.without ? null : ownership.owner
  if (!draft.precedes(mate, group)) return null
  const bound = draft.seats.of(mate.id)?.bound ?? null
  return bound !== null && draft.node(bound)?.state === 'up' ? bound : null
}

export function whyNotApart(
  draft: Draft,
  group: Group,
  unit: readonly Group[],
  node: Node,
): string | null {
  const found = apartFrom(draft, unit, (seat) => counts(draft, seat, node.id, group))
  return found ? `it is kept apart from ${found.other.name} (${ruleText(found.rule)})` : null
}

/** Its name, and where it was defined if that was in a file. */
export const ruleText = ({ name, source }: Rule): string =>
  source === undefined ? `rule ${name}` : `rule ${name}, ${source}`

/**
 * The first that hard rules keep apart from a unit and that is in its way. What is kept together with it
 * counts for it: there it would have to come, and either of the two would have to leave again.
 */
export function apartFrom(
  draft: Draft,
  unit: readonly Group[],
  inTheWay: (seat: Seat) => boolean,
): { rule: Rule; other: Group } | null {
  const own = new Set(unit.map((g) => g.id))
  for (const rule of rulesOf(draft, unit)) {
    if (!rule.hard || rule.kind !== 'keepApart') continue
    for (const id of rule.groups) {
      const named = own.has(id) ? undefined : draft.group(id)
      if (!named || (!draft.seats.of(id) && !isWanted(draft, named))) continue
      for (const mate of unitOf(draft, named)) {
        const seat = own.has(mate.id) ? undefined : draft.seats.of(mate.id)
        if (seat && inTheWay(seat)) return { rule, other: seat.group }
      }
    }
  }
  return null
}

const isWanted = (draft: Draft, { id }: Group): boolean =>
  draft.resourcesOf(id).some((r) => r.persistentState === 1)

/** Those that name any of them, oldest first. */
function rulesOf(draft: Draft, unit: readonly Group[]): readonly Rule[] {
  const [only, ...more] = unit
  if (only && more.length === 0) return draft.rulesOf(only.id)
  const named = new Set(unit.flatMap(({ id }) => draft.rulesOf(id)))
  return draft.rules().filter((rule) => named.has(rule))
}

export interface Shortfall {
  readonly text: string
  /** By name: how much more would be needed. */
  readonly missing: Readonly<Record<string, number>>
}

/**
 * What a node lacks for a unit. Hard limits: what is about to leave takes its room until it has left.
 *
 * @param takes which of the others take room; all by default
 */
export function shortfall(
  draft: Draft,
  group: Group,
  unit: readonly Group[],
  node: Node,
  takes?: (seat: Seat) => boolean,
): Shortfall | null {
  const capacity = capacityOf(node)
  if (!capacity || !unit.some(needsRoom)) return null
  const taken = takes ? takenBy(draft, unit, node, takes) : takenByOthers(draft, group, unit, node)
  const missing: Record<string, number> = {}
  const said: string[] = []
  for (const [name, has] of Object.entries(capacity)) {
    const needed = sum(unit, name)
    if (needed === 0) continue
    const left = has - taken(name)
    if (needed <= left + EPSILON * has) continue
    missing[name] = needed - left
    said.push(`${round(needed)} ${name} needed, ${round(Math.max(left, 0))} of ${round(has)} left`)
  }
  return said.length > 0 ? { text: `no room: ${said.join('; ')}`, missing } : null
}

const needsRoom = ({ needs }: Group): boolean =>
  needs !== undefined && Object.values(needs).some((amount) => amount > 0)

function takenBy(
  draft: Draft,
  unit: readonly Group[],
  node: Node,
  takes: (seat: Seat) => boolean,
): (name: string) => number {
  const own = new Set(unit.map((g) => g.id))
  const others = draft.seats
    .at(node.id)
    .filter((seat) => !own.has(seat.group.id) && takes(seat))
    .map((seat) => seat.group)
  return (name) => sum(others, name)
}

/** All that are there, and those that are on their way and come first. */
function takenByOthers(
  draft: Draft,
  group: Group,
  unit: readonly Group[],
  node: Node,
): (name: string) => number {
  const load = draft.seats.load(node.id)
  const own = new Set(unit.map((g) => g.id))
  const coming = load.bound
    .filter((seat) => !own.has(seat.group.id) && counts(draft, seat, node.id, group))
    .map((seat) => seat.group)
  const ownHere = unit.filter((one) => draft.seats.of(one.id)?.here === node.id)
  return (name) => (load.here[name] ?? 0) - sum(ownHere, name) + sum(coming, name)
}

/** Whether those that are there need more than it has. */
export function isOvercommitted(draft: Draft, node: Node): boolean {
  const capacity = capacityOf(node)
  if (!capacity) return false
  const { here } = draft.seats.load(node.id)
  return Object.entries(capacity).some(([name, has]) => (here[name] ?? 0) > has * (1 + EPSILON))
}

/** Sums of fractions are off by less than this part of the whole. */
const EPSILON = 1e-9

export const sum = (groups: readonly Group[], name: string): number =>
  groups.reduce((all, group) => all + (group.needs?.[name] ?? 0), 0)

const round = (x: number) => Number(x.toPrecision(6))

/** There now, or on its way there and first. */
export function counts(draft: Draft, seat: Seat, nodeId: string, group: Group): boolean {
  if (seat.here === nodeId) return true
  if (seat.bound !== nodeId || draft.node(nodeId)?.state !== 'up') return false
  return draft.precedes(seat.group, group)
}
