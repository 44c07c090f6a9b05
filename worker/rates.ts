/**
 * Rate limits: buckets of tokens that fill at a steady rate, in the memory of this isolate of the Worker. An
 * edge has several isolates, each with its own: what they keep off is one caller's storm, which one place of
 * the edge feels first. They cost no call to anywhere, so that they hold while everything behind is busy.
 */
import { HoldfastError } from '../schema/errors.ts'
import { LIMITS } from '../schema/limits.ts'

export type Limited = keyof typeof LIMITS.rates

interface Bucket {
  tokens: number
  atMs: number
}

/** What is left after one request, of the bucket that has the least. */
export interface Left {
  readonly of: Limited
  /** Requests that may come at once when nothing was asked for a while. */
  readonly burst: number
  readonly remaining: number
  /** Seconds until it is full again. */
  readonly resetS: number
}

export class Rates {
  readonly #buckets = new Map<string, Bucket>()

  /**
   * Takes one request out of each of these.
   *
   * @param who for each limit whose bucket it is; a null is not limited
   * @param factor of every limit; 0: nothing is limited
   * @throws {HoldfastError} RATE_LIMITED, and nothing was taken
   */
  take(
    who: Partial<Record<Limited, string | null>>,
    factor: number,
    nowMs: number = Date.now(),
  ): Left | null {
    if (factor <= 0) return null
    const asked = (Object.keys(who) as Limited[]).flatMap((of) => {
      const name = who[of]
      return name == null ? [] : [{ of, bucket: this.#filled(of, name, factor, nowMs) }]
    })
    for (const { of, bucket } of asked) if (bucket.tokens < 1) throw limited(of, bucket, factor)
    let least: Left | null = null
    for (const { of, bucket } of asked) {
      bucket.tokens -= 1
      const left = leftOf(of, bucket, factor)
      if (!least || left.remaining < least.remaining) least = left
    }
    return least
  }

  #filled(of: Limited, name: string, factor: number, nowMs: number): Bucket {
    const key = `${of} ${name}`
    const { perSecond, burst } = LIMITS.rates[of]
    const known = this.#buckets.get(key)
    const bucket = known ?? { tokens: burst * factor, atMs: nowMs }
    // A clock that was set back fills nothing, and takes nothing away.
    const passedS = Math.max(0, nowMs - bucket.atMs) / 1_000
    bucket.tokens = Math.min(burst * factor, bucket.tokens + passedS * perSecond * factor)
    bucket.atMs = nowMs
    // The one that was asked for last is the last to be forgotten.
    if (known) this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > LIMITS.rateBucketsMax) this.#forgetOldest()
    return bucket
  }

  #forgetOldest(): void {
    const { value } = this.#buckets.keys().next()
    if (value !== undefined) this.#buckets.delete(value)
  }
}

function leftOf(of: Limited, { tokens }: Bucket, factor: number): Left {
  const { perSecond, burst } = LIMITS.rates[of]
  const resetS = Math.ceil((burst * factor - tokens) / (perSecond * factor))
  return { of, burst: Math.floor(burst * factor), remaining: Math.floor(tokens), resetS }
}

const WHOSE: Record<Limited, string> = {
  address: 'this address',
  guesses: 'this address, with keys and tokens that are not valid',
  key: 'this API key or session',
  organisation: 'this organisation',
  cluster: 'this cluster',
}

function limited(of: Limited, bucket: Bucket, factor: number): HoldfastError {
  const { perSecond, burst } = LIMITS.rates[of]
  const retryAfterS = Math.max(1, Math.ceil((1 - bucket.tokens) / (perSecond * factor)))
  return new HoldfastError({
    code: 'RATE_LIMITED',
    message: `too many requests of ${WHOSE[of]}`,
    why: `At most ${perSecond * factor} a second over time, and ${burst * factor} at once. Nothing was changed.`,
    remedy: `Wait ${retryAfterS} s, and ask less often: the event stream tells of changes without being asked.`,
    retryAfterS,
  })
}

/** Read by whoever wants to stay below (draft-ietf-httpapi-ratelimit-headers, as most services send them). */
export const rateHeaders = ({ burst, remaining, resetS }: Left): Record<string, string> => ({
  'ratelimit-limit': String(burst),
  'ratelimit-remaining': String(remaining),
  'ratelimit-reset': String(resetS),
})

/** `RATE_FACTOR` of the environment: 1 when it is not set or makes no sense. */
export function rateFactor(said: string | undefined): number {
  const factor = Number(said ?? 1)
  return Number.isFinite(factor) && factor >= 0 ? factor : 1
}
