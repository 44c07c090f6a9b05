/** So much later than the clock should have brought it is no hiccup any more. */
const NOTICED_MS = 1_000

/**
 * How long a process stood still between two looks at the clock that counts from boot, suspend
 * included: stopped by a signal, starved, or the whole machine paused (A5). 0: it did not.
 *
 * @param everyMs how often it looks
 */
export function stoodStillMs(lookedMs: number, nowMs: number, everyMs: number): number {
  const gap = nowMs - lookedMs - everyMs
  return gap >= NOTICED_MS ? Math.round(gap) : 0
}
