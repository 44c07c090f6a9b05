import type { Group, Node, Resource } from '../../schema/hive.ts'
import type { Draft } from './draft.ts'
import {
  type Question,
  whyNotAny,
  whyNotAsked,
  whyNotHosted,
  whyNotItself,
  whyNotOfGroup,
} from './eligibility.ts'
import { besides, whyNotBeside } from './neighbours.ts'
import { isQuarantined, quarantineText } from './quarantine.ts'
import { compareRanks, goesByList, isFaultless, type Rank, rankOf } from './ranking.ts'
import { preferredOf } from './sticks.ts'

export interface Candidates {
  /** In the order in which they are to be asked. */
  readonly eligible: readonly Node[]
  /** Every other node, with its one reason. */
  readonly rejected: readonly { node: string; reason: string }[]
}

/**
 * Who could take a group, in order, and why the others cannot. The one place that knows; all that
 * shows reasons shows these. Nodes in quarantine are asked only when nobody else could take it.
 */
export function candidates(draft: Draft, group: Group, question: Question = {}): Candidates {
  if (draft.brief && !question.all && byPlace(draft)) return first(draft, group, question)
  const { able, unable } = general(draft)
  const members = draft.resourcesOf(group.id)
  const fitsAll = fitsEverywhere(draft, members)
  const beside = besides(draft, group, question)
  if (fitsAll && !beside && asksAll(question) && !general(draft).quarantine)
    return { eligible: ordered(draft, group, able, question), rejected: unableNames(draft) }
  const willing: Node[] = []
  const quarantined: Node[] = []
  const refused: Refused[] = [...unable]
  for (const node of able) {
    const reason =
      whyNotAsked(node, question) ??
      (fitsAll ? null : whyNotOfGroup(draft, members, node)) ??
      beside?.(node) ??
      null
    if (reason !== null) refused.push({ node, reason })
    // An operator who names a node has looked at it.
    else if (isQuarantined(node, draft.nowMs) && node.id !== question.first) quarantined.push(node)
    else willing.push(node)
  }
  const rejected = namesOf(refused)
  // Better interrupted now and then than not there for hours.
  const eligible = willing.length > 0 ? willing : quarantined
  if (willing.length > 0)
    for (const node of quarantined) rejected.push({ node: node.name, reason: quarantineText(node) })
  return { eligible: ordered(draft, group, eligible, question), rejected }
}

/** Whether the policy has nothing to say but which node comes first in the list. */
const byPlace = (draft: Draft) => (draft.cluster?.placement ?? 'list') === 'list'

/**
 * The same, but nobody is looked at after one that none of the others could be better than: for games of
 * what-if, in which whoever is asked accepts.
 */
function first(draft: Draft, group: Group, question: Question): Candidates {
  const members = draft.resourcesOf(group.id)
  const beside = besides(draft, group, question)
  const byList = goesByList(draft, group)
  const quarantined: Node[] = []
  const refused: Refused[] = []
  let best: Ranked | null = null
  const failed = new Set(recentFailovers(draft, group).map((f) => f.nodeId))
  for (const node of inListOrder(draft, group, question, failed)) {
    const reason =
      whyNotAny(draft, node) ??
      whyNotAsked(node, question) ??
      whyNotOfGroup(draft, members, node) ??
      beside?.(node) ??
      null
    if (reason !== null) refused.push({ node, reason })
    else if (isQuarantined(node, draft.nowMs) && node.id !== question.first) quarantined.push(node)
    else if (byList) return { eligible: [node], rejected: namesOf(refused) }
    else {
      const one: Ranked = { node, rank: rankOf(draft, group, node, question, failed.has(node.id)) }
      best = best === null ? one : better(best, one)
      // Of those that come behind it in the list none can be before it.
      if (node.id === question.first || isFaultless(one.rank)) break
    }
  }
  const eligible = best ? [best.node] : ordered(draft, group, quarantined, question)
  return { eligible, rejected: namesOf(refused) }
}

/** As `byList` puts all of them. */
function* inListOrder(
  draft: Draft,
  group: Group,
  question: Question,
  failed: ReadonlySet<string>,
): Iterable<Node> {
  const ids = new Set([question.first ?? [], preferredOf(group), ...failed].flat())
  const special = [...ids].flatMap((id) => draft.node(id) ?? [])
  const [early, late] = [special.filter(({ id }) => id === question.first), [] as Node[]]
  for (const node of byList(group, special, { ...question, first: null }, failed))
    if (node.id !== question.first) (failed.has(node.id) ? late : early).push(node)
  yield* early
  for (const node of draft.nodes()) if (!ids.has(node.id)) yield node
  yield* late
}

const namesOf = (refused: readonly Refused[]) =>
  refused
    .toSorted((a, b) => a.node.position - b.node.position)
    .map(({ node, reason }) => ({ node: node.name, reason }))

interface Refused {
  readonly node: Node
  readonly reason: string
}

const asksAll = ({ without, refused }: Question): boolean => without == null && !refused?.length

const unableNames = (draft: Draft) => draft.once('unable', () => namesOf(general(draft).unable))

interface General {
  /** Nodes that take groups, in list order. */
  readonly able: readonly Node[]
  /** Why the others do not. */
  readonly unable: readonly Refused[]
  /** Whether any of those that do are in quarantine. */
  readonly quarantine: boolean
}

function general(draft: Draft): General {
  return draft.once('general', () => {
    const able: Node[] = []
    const unable: Refused[] = []
    for (const node of draft.nodes()) {
      const reason = whyNotAny(draft, node)
      if (reason === null) able.push(node)
      else unable.push({ node, reason })
    }
    return { able, unable, quarantine: able.some((node) => isQuarantined(node, draft.nowMs)) }
  })
}

/** Whether every node that takes groups may have these, so that nobody has to look at each. */
function fitsEverywhere(draft: Draft, members: readonly Resource[]): boolean {
  if (members.some((r) => r.possibleOwners)) return false
  const types = [...new Set(members.map((r) => r.type))].sort()
  return draft.once(`hosts ${types.join()}`, () =>
    general(draft).able.every((node) =>
      types.every((type) => whyNotHosted(draft, node, type) === null),
    ),
  )
}

interface Ranked {
  readonly node: Node
  readonly rank: Rank
}

const better = (a: Ranked, b: Ranked) => (compareRanks(a.rank, b.rank) <= 0 ? a : b)

function ordered(
  draft: Draft,
  group: Group,
  nodes: readonly Node[],
  question: Question,
): readonly Node[] {
  if (nodes.length < 2) return nodes
  const failed = new Set(recentFailovers(draft, group).map((f) => f.nodeId))
  if (goesByList(draft, group)) return byList(group, nodes, question, failed)
  const ranked = nodes.map((node) => ({
    node,
    rank: rankOf(draft, group, node, question, failed.has(node.id)),
  }))
  // In a game of what-if whoever is asked first accepts.
  if (draft.brief && !question.all) return [ranked.reduce(better).node]
  return ranked.sort((a, b) => compareRanks(a.rank, b.rank)).map(({ node }) => node)
}

/** What `rankOf` comes to where neither rules nor room nor the policy have anything to say. */
function byList(
  group: Group,
  nodes: readonly Node[],
  { first }: Question,
  failed: ReadonlySet<string>,
): readonly Node[] {
  const preferredOwners = preferredOf(group)
  if (preferredOwners.length === 0 && failed.size === 0 && first == null) return nodes
  const place = ({ id }: Node) => {
    const at = preferredOwners.indexOf(id)
    return at < 0 ? preferredOwners.length : at
  }
  const byPlace = (a: Node, b: Node) => place(a) - place(b) || a.position - b.position
  const isSpecial = (node: Node) => failed.has(node.id) || preferredOwners.includes(node.id)
  const asked = nodes.filter((node) => node.id === first)
  const others = nodes.filter((node) => node.id !== first)
  const special = others.filter(isSpecial)
  return [
    ...asked,
    ...special.filter((node) => !failed.has(node.id)).sort(byPlace),
    ...others.filter((node) => !isSpecial(node)),
    ...special.filter((node) => failed.has(node.id)).sort(byPlace),
  ]
}

/** Why a node may not take a group now, in words; null when it may. */
export const whyNot = (
  draft: Draft,
  group: Group,
  node: Node,
  question: Question = {},
): string | null =>
  whyNotItself(draft, group, node, question) ?? whyNotBeside(draft, group, node, question)

/** Failovers because of failures that still count against the threshold. */
export function recentFailovers(draft: Draft, group: Group): Group['failovers'] {
  return group.failovers.filter((f) => f.atMs > draft.nowMs - group.failoverPeriodMs)
}

/** Failovers allowed in the period: as set, else number of nodes - 1 (WSFC). */
export function failoverThreshold(group: Group, nodes: number): number {
  return group.failoverThreshold ?? Math.max(nodes - 1, 0)
}
