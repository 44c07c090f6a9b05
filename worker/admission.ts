/** Who asks, for which cluster, and whether they may: before anything else of a request is looked at. */
import type { Context } from 'hono'
import type { Access, Role } from '../schema/api/access.ts'
import { HoldfastError } from '../schema/errors.ts'
import { type Person, Sessions } from './accounts/sessions.ts'
import { countCall } from './api-calls.ts'
import { ApiKeys, type ClusterRow, unknownKey } from './api-keys.ts'
import { notFound } from './calls.ts'
import { type Principal, requireRole, roleIn } from './principal.ts'
import { Rates, rateFactor, rateHeaders } from './rates.ts'
import { addressOf, type Bindings } from './requests.ts'

export interface Admitted {
  /** Null where nobody has to say who they are. */
  readonly principal: Principal | null
  /** Null where nobody has to say who they are, and where a key has. */
  readonly person: Person | null
  /** What the path names, where it names one. */
  readonly cluster: ClusterRow | null
  /** What was presented. */
  readonly secret: string | null
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
  if (access === 'anyone' || access === 'joinToken') return NOBODY
  if (access === 'person') return identifyPerson(c)
  const identified = await identify(c, true)
  permit(c, access, identified)
  return identified
}

const NOBODY: Admitted = { principal: null, person: null, cluster: null, secret: null }

/**
 * A cluster that the key or member may do nothing in is none here.
 *
 * @param looks it changes nothing: what was known of a key a moment ago will do
 * @throws {HoldfastError} UNAUTHENTICATED, FORBIDDEN
 */
export async function identify(c: Context<Bindings>, looks = false): Promise<Identified> {
  const secret = presented(c)
  const found = isSession(secret) ? await ofMember(c, secret) : await ofKey(c, secret, looks)
  const { principal, cluster } = found
  const counted = countCall(c.env.DB, principal.organisation.id, cluster?.id ?? null)
  if (counted) c.executionCtx.waitUntil(counted)
  const known = cluster && roleIn(principal, cluster.id) !== null
  return { ...found, cluster: known ? cluster : null, secret }
}

async function ofKey(c: Context<Bindings>, secret: string, looks = false) {
  const keys = new ApiKeys(c.env.DB)
  const reference = c.req.param('cluster') ?? null
  const { principal, cluster, noteUse, validUntilMs } = await guessing(c, () =>
    keys.identify(secret, reference, looks),
  )
  take(c, {
    ...{ key: principal.id, organisation: principal.organisation.id },
    cluster: cluster?.id ?? null,
  })
  if (noteUse) c.executionCtx.waitUntil(keys.noteUse(principal.id))
  return { principal, person: null, cluster, validUntilMs }
}

async function ofSession(c: Context<Bindings>, secret: string) {
  const sessions = new Sessions(c.env.DB)
  const reference = c.req.param('cluster') ?? null
  const found = await guessing(c, () => sessions.identify(secret, reference))
  const { person, cluster, noteUse } = found
  take(c, {
    ...{ key: person.session.id, organisation: person.principal?.organisation.id ?? null },
    cluster: cluster?.id ?? null,
  })
  if (noteUse) c.executionCtx.waitUntil(sessions.noteUse(person.session.id))
  return { person, cluster, validUntilMs: person.session.expiresAtMs }
}

async function ofMember(c: Context<Bindings>, secret: string) {
  const { person, ...more } = await ofSession(c, secret)
  const { principal } = person
  if (!principal) throw nowhere(person)
  return { principal, person, ...more }
}

async function identifyPerson(c: Context<Bindings>): Promise<Admitted> {
  const secret = presented(c)
  if (isSession(secret)) {
    const { person } = await ofSession(c, secret)
    return { principal: person.principal, person, cluster: null, secret }
  }
  const { principal } = await ofKey(c, secret)
  throw new HoldfastError({
    code: 'FORBIDDEN',
    message: 'this needs the session of a person',
    why: `Key "${principal.name}" is nobody's own: it has no password, sessions or organisations.`,
    remedy: 'Log in: holdfast login',
  })
}

/** Who is in several organisations says in which one they work; nothing is done in another by mistake. */
function nowhere({ email, organisations }: Person): HoldfastError {
  const names = organisations.map((one) => one.name).join(', ')
  return new HoldfastError({
    code: 'FORBIDDEN',
    message: names ? 'in which organisation?' : `${email} belongs to no organisation`,
    why: names
      ? `${email} belongs to ${names}, and the session has not said which one it works in.`
      : 'What there is belongs to organisations.',
    remedy: names
      ? 'Say which: holdfast org use NAME'
      : 'Accept an invitation (holdfast member accept), or make one: holdfast org create NAME',
  })
}

const isSession = (secret: string) => secret.startsWith('hfs_')

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
  const secret = /^Bearer (hfk_[A-Za-z0-9_-]{8,100}|hfs_[A-Za-z0-9]{32})$/.exec(said)?.[1]
  if (secret) return secret
  if (said !== '') throw unknownKey()
  throw new HoldfastError({
    code: 'UNAUTHENTICATED',
    message: 'this needs an API key or a session',
    remedy:
      'Send it as `Authorization: Bearer hfk_…`, set HOLDFAST_API_KEY, or log in: holdfast login',
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
