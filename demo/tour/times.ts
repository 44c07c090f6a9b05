/** When things happened, from what the cluster itself wrote down and from the workload's own clock. */
import type { LogView } from '../../schema/api/bodies.ts'
import { CLUSTER, type Demo } from '../cluster.ts'

export interface Times {
  /** From the fault to the first line that speaks of it. */
  detectMs: number | null
  /** From there to the decision (restart, new owner). */
  decideMs: number | null
  /** From there to the workload's own first sign. */
  onlineMs: number | null
  totalMs: number
}

/** Lines of the cluster log since an instant of this machine's wall clock. */
export async function logSince(demo: Demo, sinceMs: number): Promise<LogView[]> {
  const { entries } = await demo.api('listLog', {
    params: { cluster: CLUSTER },
    query: { limit: 1_000 },
  })
  return entries.filter((line) => line.atMs >= sinceMs)
}

/**
 * @param faultMs wall clock of the fault; all hosts of the demo share it
 * @param onlineAtMs wall clock of the workload's own first sign
 */
export function breakDown(
  lines: readonly LogView[],
  faultMs: number,
  onlineAtMs: number,
  detected: RegExp,
  decided: RegExp,
): Times {
  const at = (pattern: RegExp) => lines.find((line) => pattern.test(line.message))?.atMs ?? null
  const seen = at(detected)
  const chosen = at(decided)
  return {
    detectMs: seen === null ? null : seen - faultMs,
    decideMs: seen === null || chosen === null ? null : chosen - seen,
    onlineMs: chosen === null ? null : Math.round(onlineAtMs - chosen),
    totalMs: Math.round(onlineAtMs - faultMs),
  }
}
