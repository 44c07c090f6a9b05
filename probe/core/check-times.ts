/** When something is checked again: with the others that the same call can ask about (S-27). */

/** One that is asked about in the same call, and when it is checked next. */
export interface CheckTime {
  readonly everyMs: number
  readonly atMs: number
}

/**
 * Resources that were brought online one after the other would be asked about one by one for ever. So
 * each goes with the last of the others that comes no sooner than half its interval from now: once or
 * twice it is checked too soon, never too late, and from then on all go together.
 *
 * @returns the time of the next check of one with this interval
 */
export function nextChecks(
  others: readonly CheckTime[],
  nowMs: number,
): (everyMs: number) => number {
  if (others.length === 0) return (everyMs) => nowMs + everyMs
  const shared = new Map<number, number>()
  for (const { everyMs, atMs } of others) {
    if (atMs <= nowMs + everyMs / 2 || atMs > nowMs + everyMs) continue
    shared.set(everyMs, Math.max(atMs, shared.get(everyMs) ?? 0))
  }
  return (everyMs) => shared.get(everyMs) ?? nowMs + everyMs
}
