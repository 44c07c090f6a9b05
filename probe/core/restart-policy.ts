import type { RestartPolicy } from '../../schema/hive.ts'

/** What to do about a resource that is not online though it should be (S-74 to S-76). */
export type RestartDecision =
  | { action: 'restart'; atMs: number; restarts: readonly number[] }
  | { action: 'giveUp'; retryAtMs: number }

/**
 * Counts restarts within the period. Started within the attempts: no failover (S-76). Attempts used
 * up: the resource is Failed and the Cluster Service is told (S-75); tried again after a long while.
 *
 * @param restarts instants of earlier restarts on this node, any clock as long as it is one
 */
export function afterFailure(
  policy: RestartPolicy,
  restarts: readonly number[],
  nowMs: number,
): RestartDecision {
  const recent = restarts.filter((at) => at > nowMs - policy.periodMs)
  if (recent.length >= policy.attempts)
    return { action: 'giveUp', retryAtMs: nowMs + policy.retryAfterMs }
  return { action: 'restart', atMs: nowMs + policy.delayMs, restarts: [...recent, nowMs] }
}
