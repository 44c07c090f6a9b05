import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import { LIMITS } from '../../schema/limits.ts'
import { CLOSE } from '../../schema/session.ts'
import type { Draft } from './draft.ts'
import { forgetDrain, resumeDrained } from './drain.ts'
import { nextView, ownedBy, removeNode } from './membership-manager.ts'
import { withoutQuarantine } from './quarantine.ts'
import { findNode, isRefusal, limitReached, nameTaken } from './refusals.ts'

type Of<T extends Request['type']> = Extract<Request, { type: T }>

export function formCluster(draft: Draft, r: Of<'formCluster'>, by: string): Refusal | null {
  if (draft.cluster) return { code: 'NAME_TAKEN', message: 'the cluster is formed already' }
  const value = {
    id: r.clusterId,
    name: r.name,
    profile: r.profile,
    takeover: 'lease' as const,
    view: 0,
    formedAtMs: draft.nowMs,
  }
  draft.put(
    { table: 'cluster', id: r.clusterId, value },
    { manager: 'MM', code: 'clusterFormed', evidence: { by } },
  )
  return null
}

/** A host swapped its join token for membership; it is Down until its first report. */
export function joinNode(draft: Draft, r: Of<'joinNode'>, by: string): Refusal | null {
  const nodes = draft.nodes()
  if (nodes.length >= LIMITS.nodesMax) return limitReached('nodes', LIMITS.nodesMax)
  const taken = nameTaken('node', r.name, nodes)
  if (taken) return taken
  const because = { manager: 'MM' as const, code: 'nodeJoined', evidence: { by } }
  draft.put(
    {
      table: 'node',
      id: r.nodeId,
      value: {
        id: r.nodeId,
        name: r.name,
        publicKey: r.publicKey,
        position: nodes.reduce((max, node) => Math.max(max, node.position + 1), 0),
        state: 'down',
        paused: false,
        epoch: 0,
        bootId: null,
        session: 0,
        types: [],
        joinedAtMs: draft.nowMs,
      },
    },
    because,
  )
  nextView(draft, because)
  return null
}

export function pauseNode(draft: Draft, r: Of<'pauseNode'>, by: string): Refusal | null {
  const node = findNode(draft, r.nodeId)
  if (isRefusal(node)) return node
  const quarantined = node.quarantinedUntilMs !== undefined
  if (node.paused === r.paused && (r.paused ? !node.draining : !quarantined)) return null
  // To resume a node is to trust it again, whatever it was kept back for.
  const { draining: _, ...still } = r.paused ? node : withoutQuarantine(node)
  const value = { ...still, paused: r.paused }
  draft.put(
    { table: 'node', id: node.id, value },
    { manager: 'NM', code: r.paused ? 'nodePaused' : 'nodeResumed', evidence: { by } },
  )
  forgetDrain(draft, node.id)
  if (!r.paused) resumeDrained(draft, node.id, r.failback ?? 'policy')
  return null
}

export function evictNode(draft: Draft, r: Of<'evictNode'>, by: string): Refusal | null {
  const node = findNode(draft, r.nodeId)
  if (isRefusal(node)) return node
  if (r.lost && node.state !== 'down' && node.under === 'fence')
    return {
      code: 'NODE_NOT_DOWN',
      message: `node "${node.name}" cannot be removed as lost: it is not Down`,
      why: `Under takeover policy "fence" it may go on for as long as nobody says that its boot ${node.bootId} is over (F2).`,
      remedy: `If its host is surely off: holdfast fence confirm ${node.name}`,
    }
  if (r.lost && node.state !== 'down')
    return {
      code: 'NODE_NOT_DOWN',
      message: `node "${node.name}" cannot be removed as lost: it is not Down`,
      why: 'Until its lease has surely ended it may still run what it owns (D3).',
      remedy: `If it is connected, it is not lost: move its groups away and remove it without --lost. Else wait until it is Down: holdfast wait ${node.name} --for down`,
    }
  const owned = ownedBy(draft, node.id)
  if (owned.length > 0)
    return {
      code: 'NODE_OWNS_GROUPS',
      message: `node "${node.name}" cannot be evicted: it owns ${owned.map((g) => g.name).join(', ')}`,
      why: 'An evicted node is told nothing more, so what it runs could not be stopped in time.',
      remedy: `Move them away first: holdfast move ${owned[0]?.name}`,
    }
  removeNode(draft, node, { manager: 'MM', code: 'nodeEvicted', evidence: { by } })
  draft.effects.push({
    type: 'closeSession',
    nodeId: node.id,
    code: CLOSE.evicted,
    detail: 'evicted',
  })
  return null
}
