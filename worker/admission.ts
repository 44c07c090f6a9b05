/** Who asks, for which cluster, and whether they may: before anything else of a request is looked at. */
import type { Context } from 'hono'
import type { Access, Role } from '../schema/api/access.ts'
import { HoldfastError } from '../schema/errors.ts'
import { ApiKeys, type ClusterRow, unknownKey } from './api-keys.ts'
import { notFound } from './calls.ts'
import { type Principal, requireRole, roleIn } from './principal.ts'
import { Rates, rateFactor, rateHeaders } from './rates.ts'
import { addressOf, type Bindings } from './requests.ts'

export interface Admitted {
  /** Null where nobody has to say who they are. */
  readonly principal: Principal | null
  /** What the path names, where it names one. */
  readonly cluster: ClusterRow | null
}

/** Who asks, and what its path names: whether it may is another question. */
interface Identified extends Admitted {
  readonly principal: Principal
  readonly secret: string
  /** When the key or this secret of it ends; null: it is not known to. */
  readonly validUntilMs: number | null
}

/** @throws {HoldfastError} UNAUTHENTICATED, NOT_FOUND, FORBIDDEN */
export async function admit(c: Context<Bindings>, access: Access): Promise<Admitted> {
  if (access === 'anyone' || access === 'joinToken') return { principal: null, cluster: null }
  const identified = await identify(c, true)
  permit(c, access, identified)
  return identified
}

/**
 * A cluster that the key has no scope for is none here.
 *
 * @param looks it changes nothing: what was known a moment ago will do
 * @throws {HoldfastError} UNAUTHENTICATED
 */
export async function identify(c: Context<Bindings>, looks = false): Promise<Identified> {
  const keys = new ApiKeys(c.env.DB)
  const secret = presented(c)
  const reference = c.req.param('cluster') ?? null
  const { principal, cluster, noteUse, validUntilMs } = await guessing(c, () =>
    keys.identify(secret, reference, looks),
  )
  take(c, {
    ...{ key: principal.id, organisation: principal.organisation.id },
    cluster: cluster?.id ?? null,
  })
  if (noteUse) c.executionCtx.waitUntil(keys.noteUse(principal.id))
  const known = cluster && roleIn(principal, cluster.id) !== null
  return { principal, cluster: known ? cluster : null, secret, validUntilMs }
}

/**
 * A cluster of somebody else, and one that the key is not for, are answered as one that does not exist.
 *
 * @throws {HoldfastError} NOT_FOUND, FORBIDDEN
 */
export function permit(
  c: Context<Bindings>,
  access: Role | 'anyKey',
  { principal, cluster }: Identified,
): void {
  const reference = c.req.param('cluster')
  if (reference !== undefined && !cluster) throw notFound('cluster', reference)
  if (access !== 'anyKey') requireRole(principal, access, cluster)
}

function presented(c: Context<Bindings>): string {
  const said = c.req.header('authorization') ?? ''
  const key = /^Bearer (hfk_[A-Za-z0-9_-]{8,100})$/.exec(said)?.[1]
  if (key) return key
  if (said !== '') throw unknownKey()
  throw new HoldfastError({
    code: 'UNAUTHENTICATED',
    message: 'this needs an API key',
    remedy: 'Send it as `Authorization: Bearer hfk_…`, or set HOLDFAST_API_KEY.',
  })
}

const rates = new Rates()

function take(c: Context<Bindings>, who: Parameters<Rates['take']>[0]): void {
  const left = rates.take(who, rateFactor(c.env.RATE_FACTOR))
  if (left) c.set('left', left)
}

/** Each address has its share; and every answer says what is left of whichever share is the smallest. */
export async function underRates(c: Context<Bindings>, next: () => Promise<void>): Promise<void> {
  c.set('left', null)
  take(c, { address: addressOf(c) })
  await next()
  const left = c.get('left')
  // The answer to an upgrade is the platform's own.
  if (!left || c.res.status === 101) return
  for (const [name, value] of Object.entries(rateHeaders(left))) c.res.headers.set(name, value)
}

/** Keys and tokens that are not valid: few of them from one address, so that guessing gets nowhere. */
export async function guessing<T>(c: Context<Bindings>, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const wrong = error instanceof HoldfastError && GUESSED.has(error.refusal.code)
    if (wrong) take(c, { guesses: addressOf(c) })
    throw error
  }
}

const GUESSED: ReadonlySet<string> = new Set(['UNAUTHENTICATED', 'TOKEN_INVALID'])
