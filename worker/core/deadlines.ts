import { isUnplaced } from '../../schema/carry.ts'
import { Census } from './census.ts'
import type { ClusterState } from './decision.ts'

/**
 * When the cluster must be stepped again even if nothing is heard; session deadlines (D3) are the
 * shell's and not in here.
 *
 * @returns milliseconds since the Unix epoch on the Durable Object's clock, or null. May lie in
 *   the past: the step that follows takes it, or the alarm would spin.
 */
export function nextDeadline(state: ClusterState): number | null {
  let next = standingDeadline(state)
  const at = (ms: number) => {
    if (next === null || ms < next) next = ms
  }
  for (const [groupId, offer] of state.observed.offers) {
    const ownership = state.hive.groups.get(groupId)?.ownership
    const waits = ownership?.phase === 'free' || (ownership && isUnplaced(ownership))
    if (waits && !offer.accepted) at(offer.deadlineMs)
  }
  for (const waiting of state.observed.waiting.values())
    if (waiting.retryAtMs !== null) at(waiting.retryAtMs)
  for (const fencing of state.observed.fencing.values())
    if (fencing.nextMs !== null) at(fencing.nextMs)
  for (const { dueMs } of state.observed.failbacks.values()) at(dueMs)
  for (const { untilMs, isLate } of state.observed.drains.values())
    if (untilMs !== null && !isLate) at(untilMs)
  return next
}

/** Of those the ones that the hive has: whoever has not loaded it has to keep this. */
export function standingDeadline(state: ClusterState): number | null {
  let next: number | null = null
  const at = (ms: number) => {
    if (next === null || ms < next) next = ms
  }
  for (const { quarantinedUntilMs } of state.hive.nodes.values())
    if (quarantinedUntilMs !== undefined) at(quarantinedUntilMs)
  for (const id of Census.of(state).stuck) {
    const stick = state.hive.groups.get(id)?.stick
    if (stick) at(stick.untilMs)
  }
  for (const { untilMs } of state.hive.cluster?.maintenance ?? []) at(untilMs)
  return next
}
