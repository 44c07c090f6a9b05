/** Rate limits (issue "hosted service", fairness): one caller's storm is refused, and nobody else's request. */
import { describe, expect, test } from 'vitest'
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import { Rates, rateFactor } from '../../worker/rates.ts'

const { burst, perSecond } = LIMITS.rates.key

function refusal(work: () => unknown) {
  try {
    work()
  } catch (error) {
    if (error instanceof HoldfastError) return error.refusal
    throw error
  }
  return null
}

/** @returns how many of so many requests were let through */
const through = (rates: Rates, count: number, who: Parameters<Rates['take']>[0], nowMs: number) =>
  Array.from({ length: count }).filter(() => !refusal(() => rates.take(who, 1, nowMs))).length

describe('rates', () => {
  test('a burst goes through, then what the bucket is filled with', () => {
    const rates = new Rates()
    expect(through(rates, burst + 10, { key: 'a' }, 1_000)).toBe(burst)
    expect(through(rates, 10_000, { key: 'a' }, 2_000)).toBe(perSecond)
    expect(through(rates, 10_000, { key: 'a' }, 3_000_000)).toBe(burst)
  })

  test('a storm of one key leaves those of others alone', () => {
    const rates = new Rates()
    through(rates, 100_000, { key: 'storm' }, 1_000)
    expect(through(rates, burst, { key: 'calm' }, 1_000)).toBe(burst)
  })

  test('all keys of an organisation share what it has, and what is refused takes nothing', () => {
    const rates = new Rates()
    const of = (key: string, nowMs: number) =>
      through(rates, burst, { key, organisation: 'one' }, nowMs)
    const total = Array.from({ length: 10 }, (_, n) => of(`key ${n}`, 0)).reduce((a, b) => a + b)
    expect(total).toBe(LIMITS.rates.organisation.burst)
    // The key that came last has all of its own yet.
    expect(through(rates, burst, { key: 'key 9' }, 0)).toBe(burst)
  })

  test('RATE_LIMITED says whose, how many, and when to come again', () => {
    const rates = new Rates()
    through(rates, burst, { key: 'a' }, 0)
    const refused = refusal(() => rates.take({ key: 'a' }, 1, 0))
    expect(refused?.code).toBe('RATE_LIMITED')
    expect(refused?.message).toContain('this API key')
    expect(refused?.why).toContain(`${perSecond} a second`)
    const againMs = (refused?.retryAfterS ?? 0) * 1_000
    expect(refusal(() => rates.take({ key: 'a' }, 1, againMs))).toBeNull()
  })

  test('what is left is that of whichever has the least', () => {
    const rates = new Rates()
    const left = rates.take({ key: 'a', organisation: 'one', cluster: null }, 1, 0)
    expect(left).toEqual({ of: 'key', burst, remaining: burst - 1, resetS: 1 })
  })

  test('a clock that is set back gives nothing and takes nothing', () => {
    const rates = new Rates()
    through(rates, burst - 1, { key: 'a' }, 10_000)
    expect(through(rates, 10, { key: 'a' }, 0)).toBe(1)
  })

  test('callers that are remembered are bounded: the one that was heard longest ago is forgotten', () => {
    const rates = new Rates()
    through(rates, burst, { key: 'old' }, 0)
    for (let n = 0; n < LIMITS.rateBucketsMax; n++) rates.take({ key: `new ${n}` }, 1, 0)
    expect(through(rates, burst, { key: 'old' }, 0)).toBe(burst)
  })

  test('the factor: 0 limits nothing, what makes no sense is 1', () => {
    const rates = new Rates()
    for (let n = 0; n < 10 * burst; n++) expect(rates.take({ key: 'a' }, 0, 0)).toBeNull()
    expect(['0', '2.5', 'x', '-1', undefined].map(rateFactor)).toEqual([0, 2.5, 1, 1, 1])
  })
})
