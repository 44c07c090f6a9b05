/** How often a process looks whether it stood still. */
export const LOOK_MS = 250
/** So much longer than that between two looks is no hiccup any more. */
const NOTICED_MS = 1_000

/**
 * How long a process stood still between two looks at the clock that counts from boot, suspend
 * included: stopped by a signal, starved, or the whole machine paused (A5). 0: it did not.
 */
export function stoodStillMs(lookedMs: number, nowMs: number): number {
  const gap = nowMs - lookedMs - LOOK_MS
  return gap >= NOTICED_MS ? Math.round(gap) : 0
}
