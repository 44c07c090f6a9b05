/** How often what could be guessed is tried: bounded per caller and per account, counted in D1. */
import { lte, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import { attempts } from '../../schema/tables/accounts.ts'
import { sha256 } from '../secrets.ts'

interface Bucket {
  readonly name: string
  readonly max: number
  readonly windowMs: number
}

const WINDOW_MS = LIMITS.attemptsMs
const HOUR_MS = 3_600_000

/**
 * One more try at an account. Counted before it is looked at, whether or not there is such an account, so that what
 * goes on at the same time counts as well.
 *
 * @param address of the caller; null where nobody vouches for it
 * @throws {HoldfastError} RATE_LIMITED
 */
export const countTry = (d1: D1Database, address: string | null, account: string): Promise<void> =>
  count(d1, [
    ...ofCaller(address),
    { name: `at ${account}`, max: LIMITS.attemptsAtAccount, windowMs: WINDOW_MS },
    {
      name: `at ${account} from ${address ?? ''}`,
      max: LIMITS.attemptsOfAddressAtAccount,
      windowMs: WINDOW_MS,
    },
  ])

/** One more try of a token, which names no account. @throws {HoldfastError} RATE_LIMITED */
export const countToken = (d1: D1Database, address: string | null): Promise<void> =>
  count(d1, ofCaller(address))

/** One more code beside a right password. @throws {HoldfastError} RATE_LIMITED */
export const countCode = (d1: D1Database, personId: string): Promise<void> =>
  count(d1, [{ name: `code of ${personId}`, max: LIMITS.attemptsOfCode, windowMs: WINDOW_MS }])

/** One more session of somebody who has proved who they are. @throws {HoldfastError} RATE_LIMITED */
export const countLogin = (d1: D1Database, personId: string): Promise<void> =>
  count(d1, [{ name: `login of ${personId}`, max: LIMITS.loginsPerHour, windowMs: HOUR_MS }])

/** One more mail that somebody wants sent to an address. @throws {HoldfastError} RATE_LIMITED */
export const countMail = (d1: D1Database, address: string | null, to: string): Promise<void> =>
  count(d1, [
    ...ofCaller(address),
    { name: `mail to ${to}`, max: LIMITS.mailsPerHour, windowMs: HOUR_MS },
  ])

/** One more mail that tells an address of an event. @throws {HoldfastError} RATE_LIMITED */
export const countAlert = (d1: D1Database, organisationId: string, to: string): Promise<void> =>
  count(d1, [
    { name: `alert to ${to}`, max: LIMITS.alertsToAddressPerHour, windowMs: HOUR_MS },
    {
      name: `alert of ${organisationId}`,
      max: LIMITS.alertsOfOrganisationPerHour,
      windowMs: HOUR_MS,
    },
  ])

const ofCaller = (address: string | null): Bucket[] => [
  address === null
    ? { name: 'anywhere', max: LIMITS.attemptsOfAll, windowMs: WINDOW_MS }
    : { name: `from ${address}`, max: LIMITS.attemptsOfAddress, windowMs: WINDOW_MS },
]

async function count(d1: D1Database, buckets: readonly Bucket[]): Promise<void> {
  const db = drizzle(d1)
  const nowMs = Date.now()
  const rows = await Promise.all(
    buckets.map(async ({ name, windowMs }) => {
      const over = sql`${attempts.resetsAtMs} <= ${nowMs}`
      return db
        .insert(attempts)
        .values({ bucket: await sha256(name), count: 1, resetsAtMs: nowMs + windowMs })
        .onConflictDoUpdate({
          target: attempts.bucket,
          set: {
            count: sql`case when ${over} then 1 else ${attempts.count} + 1 end`,
            resetsAtMs: sql`case when ${over} then ${nowMs + windowMs} else ${attempts.resetsAtMs} end`,
          },
        })
        .returning()
    }),
  )
  // Whatever nobody tries any more is nobody's business.
  await db.delete(attempts).where(lte(attempts.resetsAtMs, nowMs))
  const full = rows.flatMap(([row], i) => (row && row.count > (buckets[i]?.max ?? 0) ? [row] : []))
  if (full.length === 0) return
  const retryAfterS = Math.ceil((Math.max(...full.map((row) => row.resetsAtMs)) - nowMs) / 1_000)
  throw new HoldfastError({
    code: 'RATE_LIMITED',
    message: 'too many attempts',
    why: 'What could be guessed may be tried a few times only. Nothing was looked at.',
    remedy: `Wait ${retryAfterS} s, and try again.`,
    retryAfterS,
  })
}
