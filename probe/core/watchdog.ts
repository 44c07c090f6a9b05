/**
 * The watchdog rule (G12): the device resets this host when it has not been fed for T_wd. It is fed
 * only while that reset would come before the lease end, since the guard may die just after a feed.
 */
import type { Timing } from '../../schema/timing.ts'
import type { GuardState } from './guard-state.ts'
import { leaseEnd } from './lease.ts'

type Seen = Pick<GuardState, 'leases' | 'records' | 'stops' | 'policy'>

export function mayFeed(state: Seen, timeoutMs: number, nowMs: number): boolean {
  // No lease end matters: a takeover needs a fence. The device only brings back a host whose guard
  // is gone for good, so it is fed for as long as there is one.
  if (state.policy.takeover === 'fence') return true
  if (state.records.length === 0 && state.stops.length === 0) return true
  const end = leaseEnd(state.leases)
  return end !== null && end - nowMs >= timeoutMs
}

/** A yes needs the reset after the last feed to come before the lease end, too. */
export function fedInTime(state: Pick<GuardState, 'leases' | 'watchdog'>): boolean {
  const { watchdog } = state
  if (!watchdog) return true
  const end = leaseEnd(state.leases)
  return end !== null && end - watchdog.fedMs >= watchdog.timeoutMs
}

/** Clean end: the device is switched off, and only when nothing is left that it is there for. */
export function mayDisarm(state: Pick<GuardState, 'grants' | 'records' | 'stops'>): boolean {
  return state.grants.length === 0 && state.records.length === 0 && state.stops.length === 0
}

/** A device that is slower than a lease allows starves a host that is well; null: it fits. */
export function watchdogProblem(timeoutMs: number, t: Timing): string | null {
  const most = t.ttlMs - t.pingMs - t.marginMs
  return timeoutMs < most
    ? null
    : `a watchdog of ${timeoutMs} ms resets hosts that are well: the lease of this cluster allows less than ${most} ms`
}
