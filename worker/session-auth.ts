import { createPublicKey, verify } from 'node:crypto'
import type { Hive } from '../schema/hive.ts'
import { connectText, type NodeFrame, PROTOCOL, sessionText } from '../schema/session.ts'
import type { HiveStore } from './hive-store.ts'
import type { Attachment } from './sockets.ts'

type Checked = { nodeId: string; attempt: number } | { refused: string; status: number }

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
    return { refused: 'this endpoint speaks WebSocket', status: 426 }
  const nodeId = request.headers.get('x-holdfast-node') ?? ''
  const attempt = Number(request.headers.get('x-holdfast-attempt'))
  const signature = request.headers.get('x-holdfast-signature') ?? ''
  const node = hive.nodes.get(nodeId)
  if (!hive.cluster || !node || !Number.isSafeInteger(attempt) || attempt <= 0)
    return { refused: 'no such node in this cluster (evicted?)', status: 403 }
  const text = connectText(hive.cluster.id, nodeId, attempt)
  if (!isSignedBy(node.publicKey, text, signature))
    return { refused: 'the signature does not fit the key of this node', status: 403 }
  if (attempt <= (store.session(nodeId)?.attempt ?? 0))
    return { refused: 'this request to connect was used before', status: 409 }
  return { nodeId, attempt }
}

/** What is wrong with a report before the core sees it, or null. */
export function checkReport(
  frame: Extract<NodeFrame, { t: 'report' }>,
  a: Attachment,
  hive: Hive,
): { code: string; detail: string } | null {
  if (frame.protocol > PROTOCOL)
    return {
      code: 'newerProtocol',
      detail: `this control plane speaks protocol ${PROTOCOL}, the node ${frame.protocol}: update the control plane first`,
    }
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
