/** In which order eligible nodes are asked: soft rules, fault domains, preferences and the policy. */
import type { Group, Node } from '../../schema/hive.ts'
import { capacityOf } from './capacity.ts'
import type { Draft } from './draft.ts'
import { type Question, whyNotItself } from './eligibility.ts'
import { isJudged, sum, unitOf, whyNotOnline } from './neighbours.ts'
import type { Seat } from './seats.ts'
import { preferredOf } from './sticks.ts'

/** Of two nodes on one level, the one with the smaller number is asked first. */
export type Rank = readonly number[]

/**
 * The target that was asked for; then, last of all, where the group failed within its failover period;
 * then soft rules; then preferred owners in their order; then the policy; then the node list.
 */
export function rankOf(
  draft: Draft,
  group: Group,
  node: Node,
  question: Question,
  failedThere: boolean,
): Rank {
  const preferred = preferredOf(group).indexOf(node.id)
  return [
    node.id === question.first ? 0 : 1,
    failedThere ? 1 : 0,
    couldComeOnline(draft, group, node) ? 0 : 1,
    ...softness(draft, group, node),
    preferred >= 0 ? preferred : Number.MAX_SAFE_INTEGER,
    policyRank(draft, group, node),
    node.position,
  ]
}

/** Whether nothing is held against the node, so that only its place in the list counts. */
export const isFaultless = ([, failed, offline, stranded, broken]: Rank): boolean =>
  failed === 0 && offline === 0 && stranded === 0 && broken === 0

/** Whether nothing but the target that was asked for, failures and preferences tells nodes apart. */
export function goesByList(draft: Draft, group: Group): boolean {
  if ((draft.cluster?.placement ?? 'list') !== 'list') return false
  if (draft.rulesOf(group.id).length > 0) return false
  return group.needs === undefined || isJudged(draft, group)
}

export function compareRanks(a: Rank, b: Rank): number {
  for (const [i, x] of a.entries()) {
    const y = b[i] as number
    if (x !== y) return x < y ? -1 : 1
  }
  return 0
}

/** Of what is wanted offline: where it would have to leave again to come online is no good place. */
function couldComeOnline(draft: Draft, group: Group, node: Node): boolean {
  const isFree = draft.rulesOf(group.id).length === 0 && group.needs === undefined
  return isFree || isJudged(draft, group) || whyNotOnline(draft, group, node) === null
}

/** How many of its mates could not follow, and how much the soft rules are broken there. */
function softness(draft: Draft, group: Group, node: Node): [number, number] {
  if (draft.rulesOf(group.id).length === 0) return [0, 0]
  const stranded = unitOf(draft, group).filter(
    (mate) =>
      mate.id !== group.id &&
      mate.ownership.phase === 'free' &&
      whyNotItself(draft, mate, node) !== null,
  )
  let broken = 0
  for (const rule of draft.rulesOf(group.id)) {
    for (const id of rule.groups) {
      const seat = id === group.id ? undefined : draft.seats.of(id)
      if (seat)
        broken += rule.kind === 'keepApart' ? tooNear(draft, seat, node) : tooFar(seat, node)
    }
  }
  return [stranded.length, broken]
}

const SAME_NODE = 2
const SAME_DOMAIN = 1

function tooNear(draft: Draft, seat: Seat, node: Node): number {
  const at = seat.bound ?? seat.here
  if (at === null) return 0
  if (at === node.id) return SAME_NODE
  const domain = draft.node(at)?.faultDomain
  return domain !== undefined && domain === node.faultDomain ? SAME_DOMAIN : 0
}

const tooFar = (seat: Seat, node: Node): number => {
  const at = seat.bound ?? seat.here
  return at === null || at === node.id ? 0 : SAME_NODE
}

function policyRank(draft: Draft, group: Group, node: Node): number {
  switch (draft.cluster?.placement ?? 'list') {
    case 'list':
      return 0
    case 'least-active':
      return draft.seats.at(node.id).filter((seat) => seat.group.id !== group.id).length
    case 'capacity':
      return -roomLeft(draft, group, node)
  }
}

/**
 * Room that would be left of what is scarcest there, as part of the most that any node has of it. Only
 * what the group needs counts, if it needs anything.
 */
function roomLeft(draft: Draft, group: Group, node: Node): number {
  const others = draft.seats
    .at(node.id)
    .map((seat) => seat.group)
    .filter((other) => other.id !== group.id)
  const names = Object.keys(capacityOf(node) ?? {})
  const needed = names.filter((name) => (group.needs?.[name] ?? 0) > 0)
  const lefts = (needed.length > 0 ? needed : names).map((name) => {
    const left = (capacityOf(node)?.[name] ?? 0) - sum(others, name)
    return left / Math.max(most(draft, name), Number.MIN_VALUE)
  })
  return Math.min(...lefts, Number.MAX_VALUE)
}

const most = (draft: Draft, name: string) =>
  draft.nodes().reduce((max, node) => Math.max(max, capacityOf(node)?.[name] ?? 0), 0)
