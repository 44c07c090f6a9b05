/** How somebody gets a session: by password, with a code where there is a second factor, or by another provider. */
import { and, eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import type * as z from 'zod'
import * as a from '../../schema/api/accounts.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import { logins, persons } from '../../schema/tables/accounts.ts'
import type { Statement } from '../account-writes.ts'
import type { Call } from '../calls.ts'
import { textOf } from '../d1-errors.ts'
import { presentedSession, sha256 } from '../secrets.ts'
import { countLogin, countToken, countTry } from './attempts.ts'
import { authOf } from './auth.ts'
import { Invitations } from './invitations.ts'
import type { Claims } from './oidc.ts'
import { tellOfPerson, tellOfRefusal } from './personal-audit.ts'
import { codeNeeded, SecondFactors } from './second-factor.ts'
import { Sessions } from './sessions.ts'
import {
  type Provider,
  publicUrl,
  requireProvider,
  requireSecret,
  signUpClosed,
  signUpOf,
} from './setting.ts'

const WRONG = () =>
  new HoldfastError({
    code: 'UNAUTHENTICATED',
    message: 'address or password is wrong',
    why: 'Which of the two is not said, so that nobody learns who has an account.',
    remedy: 'Try again, or ask for a new password: POST /v1/auth/password/forgot',
  })

export const loginHandlers = {
  logIn: async (call: Call<z.output<typeof a.logIn>>): Promise<a.SessionMade> => {
    const { env, asker } = call
    const { email, password, code } = call.body
    const { api, codeOf } = await authOf(call)
    await countTry(env.DB, asker.address, email)
    let session = ''
    try {
      const { token, user } = await api.signInEmail({ body: { email, password } })
      const person = { id: user.id, email: user.email, name: user.name }
      session = token
      await secondFactor(call, person.id, code)
      await countLogin(env.DB, person.id)
      const expiresAtMs = await new Sessions(env.DB).begun(person.id)
      await tellOfPerson(call, person, 'logIn', [sessionMade(call, expiresAtMs)])
      return { token: presentedSession(token), expiresAtMs, person }
    } catch (cause) {
      // The session that a right password has made is none without what comes behind it.
      if (session) await new Sessions(env.DB).forget(session)
      const error = codeOf(cause) === 'INVALID_EMAIL_OR_PASSWORD' ? WRONG() : cause
      tellOfRefusal(call, email, error)
      throw error
    }
  },

  beginOidc: async ({ env, url }: Call) => {
    const { beginFlow } = await import('./oidc.ts')
    return beginFlow(requireProvider(env), requireSecret(env), pageOf(env, url))
  },

  finishOidc: async (call: Call<z.output<typeof a.finishOidc>>): Promise<a.SessionMade> => {
    const { env, asker, body, url } = call
    const { finishFlow } = await import('./oidc.ts')
    const [provider, secret] = [requireProvider(env), requireSecret(env)]
    await countToken(env.DB, asker.address)
    const claims = await finishFlow(provider, secret, pageOf(env, url), body)
    const person = await personOf(env, provider, claims)
    await countLogin(env.DB, person.id)
    await tellOfPerson(call, person, 'logIn', [sessionMade(call, Date.now() + LIMITS.sessionMs)])
    return { ...(await new Sessions(env.DB).make(person.id, asker)), person }
  },
}

/** Where the provider leads back to: the page that reads what it says. */
const pageOf = (env: Env, url: string) => `${publicUrl(env, url)}/account`

/** Nothing of it by which anybody could be that session. */
const sessionMade = ({ asker }: Pick<Call, 'asker'>, expiresAtMs: number) => ({
  ...{ table: 'session', id: '', before: null },
  after: { agent: asker.agent, expiresAtMs },
})

/** Where there is one to be asked for. */
async function secondFactor(
  { env }: Pick<Call, 'env'>,
  personId: string,
  code: string | undefined,
): Promise<void> {
  const factors = new SecondFactors(env.DB, requireSecret(env))
  const row = await factors.of(personId)
  if (!row) return
  if (code === undefined) throw codeNeeded()
  await factors.take(row, code, 'UNAUTHENTICATED')
}

/**
 * Whoever the provider knew before; else whoever has the address that it has verified; else somebody new, where
 * sign-up is open or somebody has invited that address.
 *
 * @throws {HoldfastError} SIGN_UP_CLOSED
 */
async function personOf(env: Env, { issuer }: Provider, claims: Claims) {
  const db = drizzle(env.DB)
  const providerId = `oidc ${issuer.href}`
  // The same for two that come at once: it is there once.
  const id = await sha256(`${providerId} ${claims.subject}`)
  const shown = { id: persons.id, email: persons.email, name: persons.name }
  const before = await db
    .select(shown)
    .from(logins)
    .innerJoin(persons, eq(logins.userId, persons.id))
    .where(and(eq(logins.id, id), eq(logins.providerId, providerId)))
    .get()
  if (before) return before
  const at = new Date()
  const times = { createdAt: at, updatedAt: at }
  const login = (userId: string): Statement =>
    db
      .insert(logins)
      .values({ id, accountId: claims.subject, providerId, userId, ...times })
      .onConflictDoNothing()
  const ofAddress = eq(persons.email, claims.email)
  const known = await db.select(shown).from(persons).where(ofAddress).get()
  if (known) {
    await new Invitations(env.DB).run([login(known.id)])
    return known
  }
  await mayBeNew(env, claims.email)
  const name = a.personName.safeParse(claims.name)
  const person = {
    ...{ id: crypto.randomUUID(), email: claims.email },
    name: name.success ? name.data : claims.email,
  }
  const made = db.insert(persons).values({ ...person, emailVerified: true, ...times })
  try {
    await new Invitations(env.DB).run([made, login(person.id)])
    return person
  } catch (error) {
    // Somebody with this address was faster: in another tab, most likely.
    if (!/UNIQUE constraint failed: persons\.email/.test(textOf(error))) throw error
    const now = await db.select(shown).from(persons).where(ofAddress).get()
    if (!now) throw error
    await new Invitations(env.DB).run([login(now.id)])
    return now
  }
}

async function mayBeNew(env: Env, email: string): Promise<void> {
  const signUp = signUpOf(env)
  if (signUp === 'open') return
  if (signUp === 'invited' && (await new Invitations(env.DB).hasOpen(email))) return
  throw signUpClosed('the provider knows you, and this control plane does not')
}
