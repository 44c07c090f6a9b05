/** Whether a node can take a group at all, whatever else is there. */
import type { Group, Node, Resource } from '../../schema/hive.ts'
import type { Draft } from './draft.ts'

export interface Question {
  /** A node that is not wanted this time (the source of a move or failover). */
  readonly without?: string | null
  /** A node to be asked first (the target of a planned move). */
  readonly first?: string | null
  /** Nodes that refused this placement. */
  readonly refused?: readonly { nodeId: string; reason: string }[]
  /** All that it is kept together with moves along, from wherever that is. */
  readonly whole?: boolean
  /** Not only the first is wanted, whatever the draft is for. */
  readonly all?: boolean
}

/** Why not, in words; null: it can. */
export function whyNotItself(
  draft: Draft,
  group: Group,
  node: Node,
  question: Question = {},
): string | null {
  return (
    whyNotAny(draft, node) ??
    whyNotAsked(node, question) ??
    whyNotOfGroup(draft, draft.resourcesOf(group.id), node)
  )
}

/** Why a node takes no group at all. */
export function whyNotAny(draft: Draft, node: Node): string | null {
  if (node.state === 'down') return 'down'
  if (draft.fencing(node.id)) return 'unreachable'
  if (node.state === 'leaving') return 'its host shuts down'
  return node.paused ? 'paused' : null
}

export function whyNotAsked(node: Node, { without, refused }: Question): string | null {
  if (node.id === without) return 'it is taken from there'
  const said = refused?.find((r) => r.nodeId === node.id)
  return said ? `refused: ${said.reason}` : null
}

/** By its owner lists and types. */
export function whyNotOfGroup(
  draft: Draft,
  members: readonly Resource[],
  node: Node,
): string | null {
  for (const r of members) {
    if (r.possibleOwners && !r.possibleOwners.includes(node.id))
      return `not a possible owner of ${r.name}${r.source === undefined ? '' : ` (${r.source})`}`
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
