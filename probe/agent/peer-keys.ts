import { LIMITS } from '../../schema/limits.ts'
import type { Peer } from '../../schema/session.ts'

/**
 * Which key of a pair to send with (S-17). A new one is only listened for at first, until everybody
 * surely has it; both are good for what is received.
 */
export class PeerKeys {
  /** Since when each key id has been known here. */
  readonly #knownSince = new Map<number, number>()

  learn(peers: readonly Peer[], nowMs: number): void {
    const ids = new Set(peers.flatMap((peer) => peer.keys.map((key) => key.id)))
    for (const id of ids) if (!this.#knownSince.has(id)) this.#knownSince.set(id, nowMs)
    for (const id of [...this.#knownSince.keys()]) if (!ids.has(id)) this.#knownSince.delete(id)
  }

  toSendWith(peer: Peer, nowMs: number): Peer['keys'][number] {
    const settled = peer.keys.filter(
      ({ id }) => nowMs - (this.#knownSince.get(id) ?? nowMs) >= LIMITS.peerKeyOverlapMs,
    )
    return (settled.at(-1) ?? peer.keys[0]) as Peer['keys'][number]
  }
}
