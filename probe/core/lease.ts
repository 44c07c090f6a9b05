import type { Timing } from '../../schema/timing.ts'

/**
 * The two leases of a node, on a clock that counts suspend time (L1). Each end is measured from the
 * moment its request was *sent*; null means that there is no such lease.
 */
export interface Leases {
  readonly pongEndMs: number | null
  readonly authorityEndMs: number | null
}

export const NO_LEASES: Leases = { pongEndMs: null, authorityEndMs: null }

/** A later answer never shortens a lease; the answer of an older request says nothing new (L1). */
export function renewed(
  leases: Leases,
  lease: 'pong' | 'authority',
  sentAtMs: number,
  t: Timing,
): Leases {
  if (lease === 'pong')
    return { ...leases, pongEndMs: Math.max(leases.pongEndMs ?? 0, sentAtMs + t.ttlMs) }
  const end = Math.max(leases.authorityEndMs ?? 0, sentAtMs + t.ttlAuthorityMs)
  return { ...leases, authorityEndMs: end }
}

/** Both leases stand before their stop time: something may be started (L3, C3). */
export function mayStart(leases: Leases, t: Timing, nowMs: number): boolean {
  const end = leaseEnd(leases)
  return end !== null && nowMs < end - t.stopMs
}

/** When the first of both leases ends, or null while one is missing. */
export function leaseEnd({ pongEndMs, authorityEndMs }: Leases): number | null {
  return pongEndMs === null || authorityEndMs === null ? null : Math.min(pongEndMs, authorityEndMs)
}

/**
 * When everything has to be stopped unless a lease is renewed before (L4).
 *
 * @returns the instant and the lease that runs out first, or null while there is none
 */
export function stopTime(
  leases: Leases,
  t: Timing,
): { atMs: number; lease: 'pong' | 'authority' } | null {
  const { pongEndMs, authorityEndMs } = leases
  if (pongEndMs === null && authorityEndMs === null) return null
  const pong = pongEndMs ?? Number.POSITIVE_INFINITY
  const authority = authorityEndMs ?? Number.POSITIVE_INFINITY
  return pong <= authority
    ? { atMs: pong - t.stopMs, lease: 'pong' }
    : { atMs: authority - t.stopMs, lease: 'authority' }
}
