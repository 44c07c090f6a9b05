import type { Group, Node } from '../../schema/hive.ts'
import type { Draft } from './draft.ts'
import { isQuarantined, quarantineText } from './quarantine.ts'

export interface Candidates {
  /** In the order in which they are to be asked. */
  readonly eligible: readonly Node[]
  /** Every other node, with its one reason. */
  readonly rejected: readonly { node: string; reason: string }[]
}

export interface Question {
  /** A node that is not wanted this time (the source of a move or failover). */
  readonly without?: string | null
  /** A node to be asked first (the target of a planned move). */
  readonly first?: string | null
  /** Nodes that refused this placement. */
  readonly refused?: readonly { nodeId: string; reason: string }[]
}

/**
 * Who could take a group, in order, and why the others cannot. The one place that knows; all that
 * shows reasons shows these.
 *
 * Order (Q6): the target that was asked for, then preferred owners in their order, then the node
 * list in its order; nodes where the group failed within its failover period come last. Nodes in
 * quarantine are asked only when nobody else could take it.
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
  const rank = (node: Node): number => {
    if (node.id === question.first) return -1
    const failedHere = recentFailovers(draft, group).some((f) => f.nodeId === node.id)
    const preferred = group.preferredOwners.indexOf(node.id)
    const order = preferred >= 0 ? preferred : 1_000 + node.position
    return failedHere ? 1_000_000 + order : order
  }
  eligible.sort((a, b) => rank(a) - rank(b))
  return { eligible, rejected }
}

/** Why a node may not take a group now, in words; null when it may. */
export function whyNot(
  draft: Draft,
  group: Group,
  node: Node,
  question: Question = {},
): string | null {
  if (node.state === 'down') return 'down'
  if (draft.fencing(node.id)) return 'unreachable'
  if (node.state === 'leaving') return 'its host shuts down'
  if (node.paused) return 'paused'
  if (node.id === question.without) return 'it is taken from there'
  const refused = question.refused?.find((r) => r.nodeId === node.id)
  if (refused) return `refused: ${refused.reason}`
  for (const r of draft.resourcesOf(group.id)) {
    if (r.possibleOwners && !r.possibleOwners.includes(node.id))
      return `not a possible owner of ${r.name}`
    const problem = whyNotHosted(draft, node, r.type)
    if (problem !== null) return `cannot host type ${r.type} (resource ${r.name})${problem}`
  }
  return null
}

/** S-56: what is missing of a type on a node, as the end of "cannot host it"; null: nothing. */
export function whyNotHosted(draft: Pick<Draft, 'type'>, node: Node, type: string): string | null {
  const hosted = node.types.find((t) => t.type === type)
  if (!hosted) return ''
  if (hosted.problem !== undefined) return `: ${hosted.problem}`
  const registered = draft.type(type)
  if (!registered || registered.versions.some((v) => v.sha256 === hosted.sha256)) return null
  return `: its module (SHA-256 ${hosted.sha256.slice(0, 12)}…) is not registered in this cluster`
}

/** Failovers because of failures that still count against the threshold. */
export function recentFailovers(draft: Draft, group: Group): Group['failovers'] {
  return group.failovers.filter((f) => f.atMs > draft.nowMs - group.failoverPeriodMs)
}

/** Failovers allowed in the period: as set, else number of nodes - 1 (WSFC). */
export function failoverThreshold(group: Group, nodes: number): number {
  return group.failoverThreshold ?? Math.max(nodes - 1, 0)
}
