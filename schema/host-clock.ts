/** Time Service (S-13): a host's clocks against the control plane's. Shown, and never decided on. */
import * as z from 'zod'

/** Ten years either way: a host without a battery begins in 1970. */
const OFFSET_MAX_MS = 100 * 366 * 24 * 3_600_000

export const hostClock = z.strictObject({
  /** How far its wall clock is ahead of the control plane's; negative: behind. */
  offsetMs: z.number().min(-OFFSET_MAX_MS).max(OFFSET_MAX_MS),
  /** The offset is surely within this: half of the round trip that it was measured on. */
  errorMs: z.number().nonnegative().max(3_600_000),
  /**
   * How much faster its steady clock runs, by which its leases are measured, in millionths; null while it
   * has not been watched for long enough to say.
   */
  driftPpm: z.number().min(-1e6).max(1e6).nullable(),
})
export type HostClock = z.infer<typeof hostClock>

/** Beyond these an operator is told. */
const SKEW_ALARM_MS = 250
/** Half of the rate error that the leases allow for (A1): the host is still safe, and not by much. */
const DRIFT_ALARM_PPM = 5_000

/** What is wrong with a clock, in words, or null. */
export function clockProblem({ offsetMs, errorMs, driftPpm }: HostClock): string | null {
  const sure = Math.abs(offsetMs) - errorMs
  if (driftPpm !== null && Math.abs(driftPpm) > DRIFT_ALARM_PPM)
    return `its steady clock runs ${Math.abs(Math.round(driftPpm))} ppm too ${driftPpm > 0 ? 'fast' : 'slow'}; the leases allow for 10,000`
  if (sure <= SKEW_ALARM_MS) return null
  return `its clock is ${spanText(Math.abs(offsetMs))} ${offsetMs > 0 ? 'ahead' : 'behind'}`
}

const spanText = (ms: number): string =>
  ms < 1_000
    ? `${Math.round(ms)} ms`
    : ms < 120_000
      ? `${(ms / 1_000).toFixed(1)} s`
      : `${Math.round(ms / 60_000)} min`
