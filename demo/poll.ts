/** Waiting for others by looking again and again. */

/**
 * @param waitedMs since when has been waited
 * @returns the pause before the next look, in milliseconds: a tenth of that, as each look takes from those who are waited for
 */
export const pauseMs = (waitedMs: number): number => Math.min(200, Math.max(10, waitedMs / 10))
