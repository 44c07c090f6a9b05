/** S-18: a node is emptied for work on its host: every group leaves it by the best way there is. */
import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import type { Group, Node } from '../../schema/hive.ts'
import { bestCarry } from './carrying.ts'
import { couldMakeRoom } from './displacement.ts'
import type { Draft } from './draft.ts'
import { ownedBy } from './membership-manager.ts'
import { candidates } from './placement.ts'
import { findNode, isRefusal } from './refusals.ts'
import { beginRelease } from './releases.ts'

type Of<T extends Request['type']> = Extract<Request, { type: T }>

export function drainNode(draft: Draft, r: Of<'drainNode'>, by: string): Refusal | null {
  const node = findNode(draft, r.nodeId)
  if (isRefusal(node)) return node
  if (node.draining) return null
  const value: Node = { ...node, paused: true, draining: { sinceMs: draft.nowMs, by } }
  draft.put(
    { table: 'node', id: node.id, value },
    { manager: 'NM', code: 'nodeDrained', rule: 'S-18', evidence: { by } },
  )
  for (const group of ownedBy(draft, node.id)) sayIfStuck(draft, group, node)
  return null
}

/** Said once; that it still stays is shown by `holdfast why`. */
function sayIfStuck(draft: Draft, group: Group, node: Node): void {
  const found = candidates(draft, group, { without: node.id })
  if (found.eligible.length > 0) return
  const why = found.rejected.map((r) => `${r.node} ${r.reason}`).join('; ')
  draft.log({
    component: 'FM',
    groupId: group.id,
    message: `group ${group.name} stays on ${node.name}, which is drained, until another node can take it: ${why}`,
  })
}

/**
 * Takes an owned group from a node that is drained, if another can have it. One live move at a time: each
 * has the network and the target to itself.
 *
 * @returns whether it leaves
 */
export function leaveDrained(draft: Draft, group: Group): boolean {
  const owner = draft.node(group.ownership.owner ?? '')
  if (group.ownership.phase !== 'owned' || !owner?.draining || owner.state !== 'up') return false
  draft.staysRestless(group.id)
  const question = { without: owner.id }
  const found = candidates(draft, group, question)
  if (found.eligible.length === 0 && !couldMakeRoom(draft, group, question)) return false
  const { carry } = bestCarry(draft, group)
  if (carry?.method === 'live' && movesLive(draft, owner)) return false
  beginRelease(
    draft,
    { ...group, drained: { from: owner.id, back: 'unsaid' } },
    { reason: 'move', to: null, ...(carry && { carry }) },
    {
      manager: 'FM',
      code: 'nodeDrained',
      rule: 'S-18',
      evidence: { node: owner.name, method: carry?.method ?? 'stop' },
    },
  )
  return true
}

const movesLive = (draft: Draft, owner: Node): boolean =>
  draft.groups().some(({ ownership }) => {
    const leaves = ownership.phase === 'releasing' && ownership.owner === owner.id
    return leaves && ownership.carry?.method === 'live'
  })

/** What becomes of the groups that left a node when it was drained: back now, by their policy, or not at all. */
export function resumeDrained(
  draft: Draft,
  nodeId: string,
  failback: 'now' | 'policy' | 'never',
): void {
  for (const group of draft.groups()) {
    if (group.drained?.from !== nodeId) continue
    const { drained: _, ...rest } = group
    const value =
      failback === 'policy' ? rest : { ...rest, drained: { from: nodeId, back: failback } }
    draft.put(
      { table: 'group', id: group.id, value },
      { manager: 'FM', code: 'nodeResumed', rule: 'S-18', evidence: { failback } },
    )
  }
}
