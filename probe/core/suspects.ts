/**
 * Whose module it was that took its resource monitor along (S-29, S-32): read off the calls that had not
 * ended. What hangs is told at once; what crashes may have been somebody else's SIGKILL, so whoever is to
 * be alone from then on was there twice, unless the monitor ended by itself in its only call.
 */

/** How a monitor has ended. `hangs`: killed, for it, or one call of it, had not come back. */
export type Ending = 'hangs' | 'exit' | 'signal' | 'meant'

export interface Death {
  readonly atMs: number
  /** Calls that had not ended and may be the cause: where all stands still, the one begun last. */
  readonly open: number
  /** Resources that they were about, by GUID; none of a call that was about too many. */
  readonly resources: readonly string[]
}

/** Two deaths within this time are held to have one cause. */
const SAME_CAUSE_MS = 600_000
/** Of more at once nobody can tell which it was, and each would cost a process. */
export const SUSPECTS_MAX = 4

/** @returns resources that are to have a monitor of their own from now on, by GUID */
export function suspectsOf(earlier: readonly Death[], now: Death, ending: Ending): string[] {
  if (ending === 'meant') return []
  const alone = now.open === 1 && ending !== 'signal'
  const recent = earlier.filter(({ atMs }) => now.atMs - atMs <= SAME_CAUSE_MS)
  const again = (guid: string) => recent.some(({ resources }) => resources.includes(guid))
  const found = [...new Set(alone ? now.resources : now.resources.filter(again))]
  return found.length > SUSPECTS_MAX ? [] : found.sort()
}
