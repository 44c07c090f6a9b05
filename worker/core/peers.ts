import { LIMITS } from '../../schema/limits.ts'
import type { PeerAddress } from '../../schema/session.ts'

/**
 * Who hears whom (S-17): in a small cluster all hear each other; in a larger one each has neighbours
 * on both sides of a ring, so that every node is heard by several and nobody sends to everybody.
 * Always mutual: whom a node hears, it is heard by.
 *
 * Only addresses that can reach each other count: of one family, and loopback only with loopback.
 *
 * @returns ids of the peers of each node, sorted
 */
export function peerRing(
  nodes: readonly ({ readonly nodeId: string } & Pick<PeerAddress, 'address'>)[],
): Map<string, string[]> {
  const reaches = new Map<string, string[]>()
  for (const { nodeId, address } of nodes) {
    const network = networkOf(address)
    reaches.set(network, [...(reaches.get(network) ?? []), nodeId])
  }
  const peers = new Map<string, string[]>()
  for (const ids of reaches.values()) {
    ids.sort()
    ids.forEach((id, place) => {
      peers.set(id, neighbours(ids, place).sort())
    })
  }
  return peers
}

function neighbours(ids: readonly string[], place: number): string[] {
  if (ids.length <= LIMITS.peerMeshMax) return ids.filter((_, other) => other !== place)
  const found: string[] = []
  for (let step = 1; step <= LIMITS.peerRingNeighbours / 2; step += 1) {
    found.push(ids[(place + step) % ids.length] as string)
    found.push(ids[(place - step + ids.length) % ids.length] as string)
  }
  return found
}

function networkOf(address: string): 'v4' | 'v6' | 'loopback v4' | 'loopback v6' {
  if (address.includes(':')) return address === '::1' ? 'loopback v6' : 'v6'
  return address.startsWith('127.') ? 'loopback v4' : 'v4'
}

/** One welcomed session, and whom it hears in which session of theirs. */
export interface PeerSession {
  readonly nodeId: string
  readonly session: number
  /** It was not answered for so long that it is about to be closed. */
  readonly suspect: boolean
  readonly hears: Readonly<Record<string, { readonly session: number; readonly answered: boolean }>>
}

/**
 * Nodes that some other node hears now and that say there that they are answered: for these the alarm
 * may stand late, since whoever hears them says so when it no longer does. A witness that is suspect
 * itself is none, and words about an earlier session are about something else.
 */
export function vouchedFor(sessions: readonly PeerSession[]): Set<string> {
  const current = new Map(sessions.map((s) => [s.nodeId, s.session]))
  const vouched = new Set<string>()
  for (const witness of sessions) {
    if (witness.suspect) continue
    for (const [nodeId, { session, answered }] of Object.entries(witness.hears))
      if (answered && current.get(nodeId) === session) vouched.add(nodeId)
  }
  return vouched
}
