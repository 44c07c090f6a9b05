import { LIMITS } from '../schema/limits.ts'
import type { apiKeySecrets, apiKeys, clusters, organisations } from '../schema/tables/tenants.ts'
import type { Principal } from './principal.ts'

/** A key as the database had it, and the cluster that was asked for with it. */
export interface FoundKey {
  readonly secret: typeof apiKeySecrets.$inferSelect
  readonly key: typeof apiKeys.$inferSelect
  readonly organisation: typeof organisations.$inferSelect
  readonly cluster: typeof clusters.$inferSelect | null
}

export interface KnownKey extends FoundKey {
  /** Whose it is, as it was read out of that. */
  readonly principal: Principal
}

/**
 * Keys that this isolate of the Worker has looked up a moment ago: whoever only looks is not looked up with each
 * call, since most of what a call costs is that. What changes something is always looked up, so a key that was
 * revoked can change nothing from that moment on, and looks on for as long as it is known here at most.
 */
export class KnownKeys {
  /** By the SHA-256 of what was presented, and what the path names. */
  readonly #found = new Map<string, { found: KnownKey; atMs: number }>()

  get(hash: string, reference: string | null, nowMs: number): KnownKey | null {
    const known = this.#found.get(nameOf(hash, reference))
    // A clock that was set back makes nothing known for longer.
    const isFresh = known && Math.abs(nowMs - known.atMs) < LIMITS.keyKnownMs
    return isFresh ? known.found : null
  }

  add(hash: string, reference: string | null, found: KnownKey, nowMs: number): void {
    // Of a cluster that is not there it may be asked again as soon as it is.
    if (reference !== null && !found.cluster) return
    if (this.#found.size >= LIMITS.keysKnownMax) this.#found.clear()
    this.#found.set(nameOf(hash, reference), { found, atMs: nowMs })
  }

  /** It was changed here: it is looked up anew. */
  forget(keyId: string): void {
    for (const [name, { found }] of this.#found)
      if (found.key.id === keyId) this.#found.delete(name)
  }
}

const nameOf = (hash: string, reference: string | null): string => `${hash} ${reference ?? ''}`
