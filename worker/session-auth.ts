import { createPublicKey, verify } from 'node:crypto'
import type { Refusal } from '../schema/errors.ts'
import type { Hive } from '../schema/hive.ts'
import { ATTEMPT_HEADER, connectText, type NodeFrame, sessionText } from '../schema/session.ts'
import type { HiveStore } from './hive-store.ts'
import { problemResponse } from './problem.ts'
import type { Attachment } from './sockets.ts'

type Checked = { nodeId: string; attempt: number } | { refused: Refusal; lastAttempt?: number }

/**
 * A request to open a session: signed by the node's key, with a number that only grows, so that a
 * copy of it is worthless and no stranger can use up session numbers.
 */
export async function checkConnect(
  request: Request,
  hive: Hive,
  store: HiveStore,
): Promise<Checked> {
  if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket')
    return {
      refused: {
        code: 'BAD_REQUEST',
        message: 'this endpoint speaks WebSocket',
        remedy:
          'It is for holdfast-probe; a proxy in between has to let WebSocket upgrades through.',
      },
    }
  const nodeId = request.headers.get('x-holdfast-node') ?? ''
  const attempt = Number(request.headers.get(ATTEMPT_HEADER))
  const signature = request.headers.get('x-holdfast-signature') ?? ''
  const node = hive.nodes.get(nodeId)
  // Nobody may be told that it was removed by one that has lost its data.
  if (!hive.cluster) return { refused: NO_CLUSTER }
  if (!Number.isSafeInteger(attempt) || attempt <= 0) return { refused: MALFORMED }
  if (!node) return { refused: notMember(hive) }
  const text = connectText(hive.cluster.id, nodeId, attempt)
  if (!isSignedBy(node.publicKey, text, signature)) return { refused: wrongKey(node.name) }
  return attemptUsed(store, nodeId, attempt) ?? { nodeId, attempt }
}

/**
 * A number that is not higher than the last one: a copy of an earlier request, or a host that lost
 * its count. Whoever holds the key may know the last number, and goes on from there.
 */
export function attemptUsed(
  store: HiveStore,
  nodeId: string,
  attempt: number,
): { refused: Refusal; lastAttempt: number } | null {
  const lastAttempt = store.session(nodeId)?.attempt ?? 0
  if (attempt > lastAttempt) return null
  return {
    lastAttempt,
    refused: {
      code: 'ATTEMPT_USED',
      message: 'this request to connect was used before',
      why: `its number is ${attempt}, and ${lastAttempt} has been seen already`,
      remedy: 'Nothing: the probe goes on from that number by itself.',
    },
  }
}

export const NO_CLUSTER: Refusal = {
  code: 'UNAVAILABLE',
  message: 'the control plane does not have this cluster',
  why: 'It was deleted, was never formed here, or the control plane runs without its data.',
  remedy:
    'If it was deleted, leave it: holdfast-probe leave --force. Else start the control plane with the folder that has its state; the probe goes on trying.',
}

const MALFORMED: Refusal = {
  code: 'BAD_REQUEST',
  message: 'a request to connect without a number',
  remedy: 'It is for holdfast-probe; a proxy in between has to pass its headers on.',
}

const notMember = (hive: Hive): Refusal => ({
  code: 'NOT_A_MEMBER',
  message: `this host is not a member of cluster ${hive.cluster?.name ?? ''}`,
  why: 'No node with this id is in the hive: it was removed, or has left.',
  remedy: 'To take it back in: holdfast-probe leave --force, then join with a new token.',
})

const wrongKey = (name: string): Refusal => ({
  code: 'WRONG_KEY',
  message: `this is not the key of node ${name}`,
  why: 'The signature does not fit the public key that the node joined with.',
  remedy: 'Restore identity.key from before, or remove the node and join again with a new token.',
})

/** Problem+json, and the number to go on from. */
export function refusedSession(checked: { refused: Refusal; lastAttempt?: number }): Response {
  const response = problemResponse(checked.refused, crypto.randomUUID())
  if (checked.lastAttempt !== undefined)
    response.headers.set(ATTEMPT_HEADER, String(checked.lastAttempt))
  return response
}

/** What is wrong with a report before the core sees it, or null. */
export function checkReport(
  frame: Extract<NodeFrame, { t: 'report' }>,
  a: Attachment,
  hive: Hive,
): { code: string; detail: string } | null {
  if (a.phase !== 'challenged' || a.run !== '')
    return { code: 'repeatedReport', detail: 'one report per session (S2)' }
  if (frame.session !== a.session)
    return { code: 'wrongSession', detail: `this is session ${a.session} (S2)` }
  const node = hive.nodes.get(a.nodeId)
  if (!node || !hive.cluster)
    return { code: 'notMember', detail: 'this node is not a member of the cluster (evicted?)' }
  const text = sessionText({
    clusterId: hive.cluster.id,
    nodeId: a.nodeId,
    session: a.session,
    nonce: a.nonce,
    boot: frame.boot,
  })
  if (!isSignedBy(node.publicKey, text, frame.signature))
    return { code: 'badSignature', detail: 'the report is not signed by the key of this node' }
  return null
}

function isSignedBy(publicKey: string, text: string, signature: string): boolean {
  try {
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: publicKey },
      format: 'jwk',
    })
    return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'))
  } catch {
    return false
  }
}
