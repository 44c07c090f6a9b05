/** Sessions of people in D1: looked up with each call, so that one that was ended is none at once. */
import { and, desc, eq, inArray, lte, ne, or } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import { members, persons, sessions } from '../../schema/tables/accounts.ts'
import { clusters, organisations } from '../../schema/tables/tenants.ts'
import type { ClusterRow } from '../api-keys.ts'
import type { Principal } from '../principal.ts'
import { newSessionToken, sha256, tokenOfSession } from '../secrets.ts'
import { roleOf, scopesOf } from './roles.ts'

/** Who has a session, wherever they belong. */
export interface Person {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly session: { readonly id: string; readonly expiresAtMs: number }
  readonly organisations: readonly Membership[]
  /** In the organisation that the session works in; null: in none. */
  readonly principal: Principal | null
}

export interface Membership {
  readonly id: string
  readonly name: string
  readonly role: Principal['role']
}

/** Of a call: where it came from, if somebody vouches for that, and what it was made with. */
export interface Asker {
  readonly address: string | null
  readonly agent: string | null
}

/** Who asks, of a route that is for people. */
export function askingPerson({ person }: { person: Person | null }): Person {
  if (!person) throw new Error('a route that is for people is asked by nobody')
  return person
}

export class Sessions {
  readonly #db: DrizzleD1Database

  constructor(d1: D1Database) {
    this.#db = drizzle(d1)
  }

  /**
   * Whose session it is, and the cluster of their organisation that is asked for, at the same time.
   *
   * @param reference name or GUID of a cluster
   * @throws {HoldfastError} UNAUTHENTICATED
   */
  async identify(presented: string, reference: string | null) {
    const nowMs = Date.now()
    const token = await sha256(tokenOfSession(presented))
    const ofToken = eq(sessions.token, token)
    const who = this.#db
      .select({ session: sessions, person: persons, member: members, organisation: organisations })
      .from(sessions)
      .innerJoin(persons, eq(sessions.userId, persons.id))
      .leftJoin(members, eq(members.personId, persons.id))
      .leftJoin(organisations, eq(members.organisationId, organisations.id))
      .where(ofToken)
      .orderBy(members.joinedAtMs)
    const named = this.#db
      .select({ cluster: clusters })
      .from(sessions)
      .innerJoin(members, eq(members.personId, sessions.userId))
      .innerJoin(clusters, eq(clusters.organisationId, members.organisationId))
      .where(and(ofToken, or(eq(clusters.id, reference ?? ''), eq(clusters.name, reference ?? ''))))
      .orderBy(desc(eq(clusters.id, reference ?? '')))
    const [rows, there] = await Promise.all([
      who.all(),
      reference === null ? Promise.resolve([]) : named.all(),
    ])
    const [first] = rows
    if (!first) throw unknownSession()
    checkValid(first.session, nowMs)
    const person = personOf(rows, first)
    const { principal } = person
    const mine = there.find((one) => one.cluster.organisationId === principal?.organisation.id)
    return {
      person,
      cluster: (mine?.cluster ?? null) as ClusterRow | null,
      /** Whether it is time to note that it is used. */
      noteUse: nowMs - (first.session.lastUsedAtMs ?? 0) >= LIMITS.keyUseNotedMs,
    }
  }

  async noteUse(id: string): Promise<void> {
    await this.#db.update(sessions).set({ lastUsedAtMs: Date.now() }).where(eq(sessions.id, id))
  }

  /** A new one; its token is in the answer only. */
  async make(personId: string, { address, agent }: Asker) {
    const { presented, token } = newSessionToken()
    const nowMs = Date.now()
    const [createdAt, expiresAt] = [new Date(nowMs), new Date(nowMs + LIMITS.sessionMs)]
    await this.#db.insert(sessions).values({
      ...{ id: crypto.randomUUID(), userId: personId, token: await sha256(token) },
      ...{ createdAt, updatedAt: createdAt, expiresAt, ipAddress: address, userAgent: agent },
    })
    await this.#removeOld(personId, nowMs)
    return { token: presented, expiresAtMs: expiresAt.getTime() }
  }

  /** One that better-auth has made. @returns until when it is valid */
  async begun(personId: string): Promise<number> {
    const nowMs = Date.now()
    await this.#removeOld(personId, nowMs)
    return nowMs + LIMITS.sessionMs
  }

  async list(personId: string) {
    const nowMs = Date.now()
    const rows = await this.#db
      .select()
      .from(sessions)
      .where(eq(sessions.userId, personId))
      .orderBy(desc(sessions.createdAt))
      .all()
    return rows.filter((row) => whyOver(row, nowMs) === null)
  }

  /** @returns whether this person has had such a session */
  async end(personId: string, id: string): Promise<boolean> {
    const mine = and(eq(sessions.id, id), eq(sessions.userId, personId))
    return (await this.#db.delete(sessions).where(mine).returning()).length === 1
  }

  /** One that better-auth has made, and that nobody was given. @param token as it made it */
  async forget(token: string): Promise<void> {
    await this.#db.delete(sessions).where(eq(sessions.token, await sha256(token)))
  }

  async endOthers(personId: string, id: string): Promise<void> {
    await this.#db.delete(sessions).where(and(eq(sessions.userId, personId), ne(sessions.id, id)))
  }

  async useOrganisation(id: string, organisationId: string): Promise<void> {
    await this.#db.update(sessions).set({ organisationId }).where(eq(sessions.id, id))
  }

  /** Those that are over, and the oldest of too many. */
  async #removeOld(personId: string, nowMs: number): Promise<void> {
    const mine = eq(sessions.userId, personId)
    const older = this.#db
      .select({ id: sessions.id })
      .from(sessions)
      .where(mine)
      .orderBy(desc(sessions.createdAt))
      .limit(LIMITS.sessionsMax)
      .offset(LIMITS.sessionsMax)
    const isOver = lte(sessions.expiresAt, new Date(nowMs))
    await this.#db.delete(sessions).where(and(mine, or(isOver, inArray(sessions.id, older))))
  }
}

type SessionRow = typeof sessions.$inferSelect
interface Found {
  session: SessionRow
  person: typeof persons.$inferSelect
  member: typeof members.$inferSelect | null
  organisation: typeof organisations.$inferSelect | null
}

function personOf(rows: readonly Found[], { session, person }: Found): Person {
  const all = rows.flatMap(({ member, organisation }) =>
    member && organisation ? [{ member, organisation }] : [],
  )
  // One that was chosen and is none any more is not silently replaced by another.
  const chosen =
    session.organisationId === null
      ? all.length === 1
        ? all[0]
        : undefined
      : all.find((one) => one.organisation.id === session.organisationId)
  const expiresAtMs = session.expiresAt.getTime()
  const { id, email, name } = person
  return {
    ...{ id, email, name, session: { id: session.id, expiresAtMs } },
    organisations: all.map(({ member, organisation }) => ({
      ...{ id: organisation.id, name: organisation.name, role: roleOf(member) },
    })),
    principal: chosen
      ? {
          ...{ kind: 'person', id, name: email, expiresAtMs },
          ...{ role: roleOf(chosen.member), scopes: scopesOf(chosen.member) },
          organisation: {
            ...{ id: chosen.organisation.id, name: chosen.organisation.name },
            quotas: chosen.organisation.quotas,
          },
        }
      : null,
  }
}

/** @returns why it is none any more; null: it is one */
function whyOver({ expiresAt, lastUsedAtMs, createdAt }: SessionRow, nowMs: number) {
  const at = (ms: number) => new Date(ms).toISOString()
  if (expiresAt.getTime() <= nowMs) return `It expired at ${at(expiresAt.getTime())}.`
  const usedAtMs = lastUsedAtMs ?? createdAt.getTime()
  const idle = nowMs - usedAtMs >= LIMITS.sessionIdleMs
  return idle ? `It was used last at ${at(usedAtMs)}, which is too long ago.` : null
}

/** Said only to who has its token. */
function checkValid(session: SessionRow, nowMs: number): void {
  const why = whyOver(session, nowMs)
  if (why === null) return
  throw new HoldfastError({
    ...{ code: 'UNAUTHENTICATED', message: 'this session is over', why },
    remedy: 'Log in again: holdfast login',
  })
}

const unknownSession = () =>
  new HoldfastError({
    code: 'UNAUTHENTICATED',
    message: 'this session is not valid',
    remedy: 'Log in again: holdfast login',
  })
