/** How people get in, and what they do about that by themselves. */
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import type * as z from 'zod'
import type * as a from '../../schema/api/accounts.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import { persons } from '../../schema/tables/accounts.ts'
import { organisations } from '../../schema/tables/tenants.ts'
import { AccountWrites, type Statement } from '../account-writes.ts'
import { type Call, notFound } from '../calls.ts'
import { textOf } from '../d1-errors.ts'
import { countMail, countToken, countTry } from './attempts.ts'
import { authOf, RESET } from './auth.ts'
import {
  accountExists,
  Invitations,
  joinRefusal,
  newMember,
  newPerson,
  type Offer,
  tokenInvalid,
} from './invitations.ts'
import { isPasswordOf } from './logins.ts'
import { mailerOf, mailing, requireMailer } from './mail.ts'
import { hashPassword } from './password.ts'
import { tellOfPerson, tellOfRefusal } from './personal-audit.ts'
import { roleOf } from './roles.ts'
import { askingPerson, type Person, Sessions } from './sessions.ts'
import { providerOf, publicUrl, requireSecret, signUpClosed, signUpOf } from './setting.ts'

export const authHandlers = {
  authInfo: async ({ env }: Call) => {
    const provider = providerOf(env)
    const oidc = provider && { name: provider.name }
    return { signUp: signUpOf(env), mail: mailerOf(env) !== null, oidc }
  },

  signUp: async (call: Call<z.output<typeof a.signUp>>) => {
    const { env, asker, later } = call
    const { email } = call.body
    requireSecret(env)
    if (signUpOf(env) !== 'open')
      throw signUpClosed('new accounts are not made at this control plane')
    const [mailer, url] = [requireMailer(env), publicUrl(env, call.url)]
    await countMail(env.DB, asker.address, email)
    const isKnown = await hasAccount(env.DB, email)
    const invitations = new Invitations(env.DB)
    const { token, work } = await invitations.make({
      ...{ organisationId: null, email, role: null, grants: '[]', createdBy: email },
      ttlMs: LIMITS.mailedTokenMs,
    })
    // Also where there is an account: that it takes as long tells nobody of it.
    await invitations.run(work)
    const text = isKnown
      ? `Somebody, probably you, wants to sign up at ${url} with ${email}. There is an account for it already: log in, or ask for a new password.\n`
      : `Somebody, probably you, wants to sign up at ${url} with ${email}.\n\nGo on within an hour:\n${url}/account#register=${token}\n\nIf it was not you, nothing has to be done.\n`
    later(mailing(mailer, { to: email, subject: 'Sign up for Holdfast', text }))
    return { sent: true as const }
  },

  register: async (call: Call<z.output<typeof a.register>>): Promise<a.SessionMade> => {
    const { env, asker } = call
    const { token, name, password } = call.body
    requireSecret(env)
    await countToken(env.DB, asker.address)
    const offer = await new Invitations(env.DB).offer(token, env.OWNER_TOKEN)
    const email = offer.email ?? call.body.email
    if (email === undefined)
      throw new HoldfastError({
        code: 'BAD_REQUEST',
        message: 'an address is missing',
        why: 'The owner link is for whoever has it, and names no address.',
        remedy: 'Send `email` as well.',
      })
    if (offer.organisation && offer.email !== null && signUpOf(env) === 'closed')
      throw signUpClosed('invitations are only for those who have an account already')
    if (await hasAccount(env.DB, email)) throw accountExists()
    const person = { id: crypto.randomUUID(), email, name }
    const made = newPerson(drizzle(env.DB), { ...person, password: await hashPassword(password) })
    await joined(call, person, offer, [...offer.use(email), ...made])
    return { ...(await new Sessions(env.DB).make(person.id, asker)), person }
  },

  forgotPassword: async (call: Call<z.output<typeof a.forgotPassword>>) => {
    const { env, asker, body } = call
    requireMailer(env)
    // Before anything depends on whether there is an account.
    publicUrl(env, call.url)
    const { api } = await authOf(call)
    await countMail(env.DB, asker.address, body.email)
    await api.requestPasswordReset({ body })
    return { sent: true as const }
  },

  resetPassword: async (call: Call<z.output<typeof a.resetPassword>>) => {
    const { env, asker, body } = call
    // The library says whose it was when it is done: that it could not be told undoes nothing.
    const told = (person: { id: string; email: string }) =>
      tellOfPerson(call, person, 'resetPassword').catch(() =>
        call.later(tellOfPerson(call, person, 'resetPassword').catch(() => {})),
      )
    const { api, codeOf } = await authOf(call, told)
    await countToken(env.DB, asker.address)
    const token = body.token.slice(RESET.length)
    try {
      await api.resetPassword({ body: { token, newPassword: body.password } })
    } catch (error) {
      if (codeOf(error) !== null) throw tokenInvalid(error)
      throw error
    }
    return {}
  },

  changePassword: async (call: Call<z.output<typeof a.changePassword>>) => {
    const { env, asker, body } = call
    const person = askingPerson(call)
    const { api, headers } = await authOf(call)
    await countTry(env.DB, asker.address, person.email)
    // Looked at once more by better-auth: it is told before it is done, and only if it will be.
    if (!(await isPasswordOf(env.DB, person.id, body.current))) {
      const refused = new HoldfastError({
        ...{ code: 'FORBIDDEN', message: 'the password before is another one' },
        remedy: 'Give the one that you log in with; if it is lost, log out and ask for a new one.',
      })
      tellOfRefusal(call, person.email, refused)
      throw refused
    }
    await tellOfPerson(call, person, 'changePassword')
    const asked = { currentPassword: body.current, newPassword: body.password }
    await api.changePassword({ body: asked, headers })
    await new Sessions(env.DB).endOthers(person.id, person.session.id)
    return {}
  },

  logOut: async (call: Call) => {
    const person = askingPerson(call)
    const { id } = person.session
    await tellOfPerson(call, person, 'logOut', [sessionEnded(id)])
    await new Sessions(call.env.DB).end(person.id, id)
    return { id }
  },

  listSessions: async (call: Call): Promise<{ sessions: z.input<typeof a.sessionView>[] }> => {
    const person = askingPerson(call)
    const rows = await new Sessions(call.env.DB).list(person.id)
    return {
      sessions: rows.map((row) => ({
        ...{ id: row.id, current: row.id === person.session.id, lastUsedAtMs: row.lastUsedAtMs },
        ...{ createdAtMs: row.createdAt.getTime(), expiresAtMs: row.expiresAt.getTime() },
        ...{ from: row.ipAddress, agent: row.userAgent },
      })),
    }
  },

  endSession: async (call: Call) => {
    const id = call.params['session'] ?? ''
    const person = askingPerson(call)
    const sessions = new Sessions(call.env.DB)
    const isTheirs = (await sessions.list(person.id)).some((one) => one.id === id)
    if (!isTheirs) throw notFound('session', id, 'List what there is: GET /v1/auth/sessions')
    await tellOfPerson(call, person, 'endSession', [sessionEnded(id)])
    await sessions.end(person.id, id)
    return { id }
  },

  listOrganisations: async (call: Call) => {
    const { organisations: all, principal } = askingPerson(call)
    const current = principal?.organisation.id
    return { organisations: all.map((one) => ({ ...one, current: one.id === current })) }
  },

  createOrganisation: async (call: Call<z.output<typeof a.createOrganisation>>) => {
    const { env } = call
    const person = askingPerson(call)
    if (signUpOf(env) !== 'open') throw signUpClosed('organisations are not made by their members')
    mayJoin(person)
    const organisation = { id: crypto.randomUUID(), name: call.body.name }
    const offer = { role: 'owner', grants: '[]', invitedBy: person.email, organisation }
    const made = drizzle(env.DB)
      .insert(organisations)
      .values({ ...organisation, createdAtMs: Date.now() })
    try {
      await joined(call, person, offer, [made])
    } catch (cause) {
      if (!/UNIQUE constraint failed: organisations\.name/.test(textOf(cause))) throw cause
      const message = `the name "${organisation.name}" is taken`
      throw new HoldfastError({ code: 'NAME_TAKEN', message }, { cause })
    }
    await new Sessions(env.DB).useOrganisation(person.session.id, organisation.id)
    return { organisation, role: 'owner' as const }
  },

  useOrganisation: async (call: Call<z.output<typeof a.useOrganisation>>) => {
    const person = askingPerson(call)
    const { organisation: wanted } = call.body
    const found =
      person.organisations.find((one) => one.id === wanted) ??
      person.organisations.find((one) => one.name === wanted)
    if (!found) throw notFound('organisation', wanted, 'List what there is: holdfast org list')
    await new Sessions(call.env.DB).useOrganisation(person.session.id, found.id)
    const { role, ...organisation } = found
    return { organisation, role }
  },

  acceptInvitation: async (call: Call<z.output<typeof a.acceptInvitation>>) => {
    const { env, asker } = call
    const person = askingPerson(call)
    await countToken(env.DB, asker.address)
    const offer = await new Invitations(env.DB).offer(call.body.token, env.OWNER_TOKEN)
    const { organisation } = offer
    // Of somebody else's it says no more than of one that there is not.
    const isTheirs = offer.email === null || offer.email === person.email
    if (!organisation || !isTheirs) throw tokenInvalid()
    mayJoin(person)
    await joined(call, person, offer, offer.use(person.email))
    await new Sessions(env.DB).useOrganisation(person.session.id, organisation.id)
    return { organisation, role: roleOf(offer) }
  },
}

const sessionEnded = (id: string) => ({ table: 'session', id, before: {}, after: null })

function mayJoin({ organisations: all }: Person): void {
  if (all.length < LIMITS.organisationsOfPersonMax) return
  throw new HoldfastError({
    code: 'LIMIT_REACHED',
    message: `you belong to ${all.length} organisations, and may to no more`,
    remedy: 'Have yourself removed from one first: holdfast org list',
  })
}

type Joining = Pick<Offer, 'organisation' | 'role' | 'grants' | 'invitedBy'>

/** Carries `work` out and makes somebody a member, where the offer is of an organisation: with its audit entry. */
async function joined(
  call: Call<unknown>,
  { id, email, name }: Pick<Person, 'id' | 'email' | 'name'>,
  offer: Joining,
  work: Statement[],
): Promise<void> {
  const { organisation, role, grants, invitedBy } = offer
  const { env, write } = call
  try {
    if (!organisation) return await new Invitations(env.DB).run(work)
    const member = newMember(drizzle(env.DB), id, organisation.id, offer)
    const who = { kind: 'person' as const, id, name: email }
    const after = { id, email, name, role, grants: JSON.parse(grants), invitedBy }
    const told = {
      ...{ action: 'joinOrganisation', about: { kind: 'member', id, name: email }, asked: {} },
      changes: [{ table: 'member', id, before: null, after }],
    }
    const accounts = new AccountWrites(env.DB, organisation.id, '')
    await accounts.commit({ ...write, who, about: null }, told, {}, [...work, member])
  } catch (error) {
    throw joinRefusal(error)
  }
}

async function hasAccount(d1: D1Database, email: string): Promise<boolean> {
  const of = eq(persons.email, email)
  const row = await drizzle(d1).select({ id: persons.id }).from(persons).where(of).get()
  return row !== undefined
}
