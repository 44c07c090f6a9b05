/** How long a resource that was isolated stays alone (S-32). */
const FIRST_MS = 3_600_000
const LONGEST_MS = 24 * 3_600_000
/** One that has behaved for this long begins anew. */
export const ISOLATIONS_FORGOTTEN_MS = 7 * 24 * 3_600_000

/**
 * @param times how often it was isolated in a row, this time included
 * @returns milliseconds that its own monitor has to last before it is tried among the others again
 */
export const aloneMs = (times: number): number =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(times - 1, 10))
