/** When what has failed is tried again. */

/** Milliseconds until the next attempt; null: that was the last. */
export function retryInMs(attempts: number, factor: number, random = Math.random()): number | null {
  const delay = RETRIES_MS[attempts - 1]
  // By a fifth more or less: what failed together does not come back together.
  return delay === undefined ? null : Math.round(delay * factor * (0.8 + 0.4 * random))
}

const [S, MIN, H] = [1_000, 60_000, 3_600_000]
const RETRIES_MS = [5 * S, 30 * S, 2 * MIN, 10 * MIN, 30 * MIN, 2 * H, 6 * H, 24 * H]
