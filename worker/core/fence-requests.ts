/** What operators ask for about fencing: carried out, or refused with a reason and nothing changed. */
import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import type { Node } from '../../schema/hive.ts'
import type { Draft } from './draft.ts'
import { bootIsOver } from './fencing.ts'
import { findNode, isRefusal, unknownNode } from './refusals.ts'

type Of<T extends Request['type']> = Extract<Request, { type: T }>

/**
 * The takeover policy of the cluster. To `fence`: every node that is Up counts as told before it is
 * told, so none of them is taken over by its lease from now on. To `lease`: a node is taken over by
 * its lease again only once its guard has acknowledged this very change.
 */
export function setTakeover(draft: Draft, r: Of<'setTakeover'>, by: string): Refusal | null {
  const { cluster } = draft
  if (!cluster) throw new Error('no cluster')
  const { takeover } = r
  if (cluster.takeover === takeover) return null
  const number = (cluster.policyNumber ?? 0) + 1
  draft.put(
    { table: 'cluster', id: cluster.id, value: { ...cluster, takeover, policyNumber: number } },
    {
      manager: 'MM',
      code: 'takeoverChanged',
      evidence: { by, from: cluster.takeover, to: takeover },
    },
  )
  for (const node of draft.nodes()) {
    if (node.state === 'down') continue
    if (takeover === 'fence' && node.under !== 'fence')
      draft.put(
        { table: 'node', id: node.id, value: { ...node, under: 'fence' } },
        { manager: 'NM', code: 'policyTold', rule: 'D3', evidence: { takeover } },
      )
    draft.effects.push({ type: 'policy', nodeId: node.id, policy: { takeover, number } })
  }
  return null
}

export function setFence(draft: Draft, r: Of<'setFence'>, by: string): Refusal | null {
  const node = findNode(draft, r.nodeId)
  if (isRefusal(node)) return node
  const unknown = unknownNode(draft, r.fence?.helpers)
  if (unknown) return unknown
  if (r.fence?.helpers?.includes(node.id))
    return {
      code: 'BAD_REQUEST',
      message: `node "${node.name}" cannot be its own helper`,
      why: 'A host that hangs cannot switch itself off, and could not say so afterwards.',
      remedy: 'Name other nodes, or leave the helpers out: then every other node may do it.',
    }
  const { fence: known, ...rest } = node
  if (JSON.stringify(known ?? null) === JSON.stringify(r.fence)) return null
  const value: Node = r.fence ? { ...rest, fence: r.fence } : rest
  draft.put(
    { table: 'node', id: node.id, value },
    r.fence
      ? { manager: 'NM', code: 'fenceSet', evidence: { by, agent: r.fence.agent } }
      : { manager: 'NM', code: 'fenceRemoved', evidence: { by } },
  )
  return null
}

/** F5: the operator's statement about the boot that was shown. What has changed since is a conflict. */
export function confirmFence(draft: Draft, r: Of<'confirmFence'>, by: string): Refusal | null {
  const node = findNode(draft, r.nodeId)
  if (isRefusal(node)) return node
  const view = draft.cluster?.view ?? 0
  if (node.bootId !== r.boot)
    return conflict(
      `boot ${r.boot} of node "${node.name}" is not the one that the cluster knows now`,
      node.bootId === null
        ? 'The node has never reported.'
        : `Since then it has reported boot ${node.bootId}, about which nothing was said.`,
      node.name,
    )
  if (r.view !== undefined && r.view !== view)
    return conflict(
      `the cluster has changed since boot ${r.boot} of node "${node.name}" was shown`,
      `That was view ${r.view}, now it is view ${view}.`,
      node.name,
    )
  // Nothing waits for it any more; to say it again is no error.
  if (node.state === 'down') return null
  bootIsOver(
    draft,
    node,
    { outcome: 'off', by, detail: 'confirmed by an operator' },
    {
      manager: 'NM',
      code: 'fenceConfirmedByOperator',
      rule: 'F5',
      evidence: { by, boot: r.boot, view },
    },
  )
  return null
}

const conflict = (message: string, why: string, name: string): Refusal => ({
  code: 'FENCE_CONFLICT',
  message,
  why: `${why} Nothing was changed.`,
  remedy: `Look again at the host, then: holdfast fence confirm ${name}`,
})
