import type { Group, Node } from '../../schema/hive.ts'
import type { Draft } from './draft.ts'
import { type Question, whyNotItself } from './eligibility.ts'
import { whyNotBeside } from './neighbours.ts'
import { isQuarantined, quarantineText } from './quarantine.ts'
import { compareRanks, rankOf } from './ranking.ts'

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
  const willing: Node[] = []
  const quarantined: Node[] = []
  const rejected: { node: string; reason: string }[] = []
  for (const node of draft.nodes()) {
    const reason = whyNot(draft, group, node, question)
    if (reason !== null) rejected.push({ node: node.name, reason })
    // An operator who names a node has looked at it.
    else if (isQuarantined(node, draft.nowMs) && node.id !== question.first) quarantined.push(node)
    else willing.push(node)
  }
  // Better interrupted now and then than not there for hours.
  const eligible = willing.length > 0 ? willing : quarantined
  if (willing.length > 0)
    for (const node of quarantined) rejected.push({ node: node.name, reason: quarantineText(node) })
  return { eligible: ordered(draft, group, eligible, question), rejected }
}

function ordered(
  draft: Draft,
  group: Group,
  nodes: readonly Node[],
  question: Question,
): readonly Node[] {
  if (nodes.length < 2) return nodes
  const failed = new Set(recentFailovers(draft, group).map((f) => f.nodeId))
  return nodes
    .map((node) => ({ node, rank: rankOf(draft, group, node, question, failed.has(node.id)) }))
    .sort((a, b) => compareRanks(a.rank, b.rank))
    .map(({ node }) => node)
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
