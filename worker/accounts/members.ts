/** Who belongs to an organisation, in D1. */
import { and, asc, count, eq, sql } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import { HoldfastError } from '../../schema/errors.ts'
import { members, persons, sessions } from '../../schema/tables/accounts.ts'
import type { Statement } from '../account-writes.ts'
import { heldNoLonger, onlyWhile } from './condition.ts'

interface Standing {
  readonly role: string | null
  readonly grants: string
}

export class Members {
  readonly #db: DrizzleD1Database
  readonly #organisationId: string

  constructor(d1: D1Database, organisationId: string) {
    this.#db = drizzle(d1)
    this.#organisationId = organisationId
  }

  async list() {
    return this.#db
      .select({ member: members, person: persons })
      .from(members)
      .innerJoin(persons, eq(members.personId, persons.id))
      .where(eq(members.organisationId, this.#organisationId))
      .orderBy(asc(persons.email))
      .all()
  }

  async count(): Promise<number> {
    const row = await this.#db
      .select({ seen: count() })
      .from(members)
      .where(eq(members.organisationId, this.#organisationId))
      .get()
    return row?.seen ?? 0
  }

  /** By address or GUID. */
  async find(reference: string) {
    const all = await this.list()
    const address = reference.toLowerCase()
    return all.find(({ person }) => person.id === reference || person.email === address) ?? null
  }

  change(personId: string, { role, grants }: Standing): Statement[] {
    return [
      this.#db.update(members).set({ role, grants }).where(this.#one(personId)),
      this.#keepsAnOwner(),
    ]
  }

  /** Their sessions go on, elsewhere. */
  removal(personId: string): Statement[] {
    const worksHere = and(
      eq(sessions.userId, personId),
      eq(sessions.organisationId, this.#organisationId),
    )
    return [
      this.#db.delete(members).where(this.#one(personId)),
      this.#db.update(sessions).set({ organisationId: null }).where(worksHere),
      this.#keepsAnOwner(),
    ]
  }

  #one(personId: string) {
    return and(eq(members.organisationId, this.#organisationId), eq(members.personId, personId))
  }

  /** Two owners that remove each other at the same time are one behind the other here. */
  #keepsAnOwner(): Statement {
    const id = this.#organisationId
    const owners = sql`(select count(*) from members where organisation_id = ${id} and role = 'owner')`
    return onlyWhile(this.#db, id, sql`${owners} > 0`)
  }
}

/** What D1 says where the last owner would have gone. */
export function ownerRefusal(error: unknown): unknown {
  if (!heldNoLonger(error)) return error
  return new HoldfastError(
    {
      code: 'LAST_OWNER',
      message: 'this is the only owner of the organisation',
      remedy: 'Make somebody else an owner first: holdfast member role ADDRESS --role owner',
    },
    { cause: error },
  )
}
