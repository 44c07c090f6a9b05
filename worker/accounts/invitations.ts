/** Tokens that make somebody a person, a member or both: from a mail, a colleague, or the owner link. */
import { and, eq, gt, isNotNull, isNull, lte, sql } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import { invitations, logins, members, persons } from '../../schema/tables/accounts.ts'
import { organisations } from '../../schema/tables/tenants.ts'
import type { Statement } from '../account-writes.ts'
import { textOf } from '../d1-errors.ts'
import { newInvitationToken, sameHash, sha256 } from '../secrets.ts'

export type InvitationRow = typeof invitations.$inferSelect

/** The organisation that the owner link is for, as `npm start` calls it. */
const OWNED = 'default'

/** What a token is good for, once it is known to be good. */
export interface Offer {
  /** Null: any address. */
  readonly email: string | null
  readonly organisation: { readonly id: string; readonly name: string } | null
  readonly role: string | null
  readonly grants: string
  readonly invitedBy: string
  /** Takes the token: fails if somebody else has. */
  use(email: string): Statement[]
}

export class Invitations {
  readonly #db: DrizzleD1Database

  constructor(d1: D1Database) {
    this.#db = drizzle(d1)
  }

  /** @returns the token, shown this once, its row, and what makes it good, and those before it no longer */
  async make(
    parts: Pick<InvitationRow, 'organisationId' | 'email' | 'role' | 'grants' | 'createdBy'> & {
      ttlMs: number
    },
  ) {
    const { ttlMs, ...rest } = parts
    const token = newInvitationToken()
    const createdAtMs = Date.now()
    const row = {
      ...{ id: crypto.randomUUID(), hash: await sha256(token), ...rest, createdAtMs },
      ...{ expiresAtMs: createdAtMs + ttlMs, usedAtMs: null, revokedAtMs: null },
    }
    const { organisationId, email } = row
    const ofSame = organisationId
      ? eq(invitations.organisationId, organisationId)
      : isNull(invitations.organisationId)
    const before = and(isOpen, ofSame, eq(invitations.email, email))
    const work: Statement[] = [
      this.#db.update(invitations).set({ revokedAtMs: createdAtMs }).where(before),
      this.#db.insert(invitations).values(row),
      // What can no longer be used is in the audit log.
      this.#db
        .delete(invitations)
        .where(lte(invitations.expiresAtMs, createdAtMs - LIMITS.invitationTtlMaxMs)),
    ]
    return { token, row, work }
  }

  async run(work: readonly Statement[]): Promise<void> {
    const [first, ...more] = work
    if (first) await this.#db.batch([first, ...more])
  }

  /** Those that somebody could still accept, oldest first. */
  async open(organisationId: string): Promise<InvitationRow[]> {
    return this.#db
      .select()
      .from(invitations)
      .where(
        and(
          eq(invitations.organisationId, organisationId),
          isOpen,
          gt(invitations.expiresAtMs, Date.now()),
        ),
      )
      .orderBy(invitations.createdAtMs)
      .all()
  }

  /** Whether somebody has invited this address, wherever. */
  async hasOpen(email: string): Promise<boolean> {
    const row = await this.#db
      .select({ id: invitations.id })
      .from(invitations)
      .where(
        and(
          ...[eq(invitations.email, email), isNotNull(invitations.organisationId), isOpen],
          gt(invitations.expiresAtMs, Date.now()),
        ),
      )
      .get()
    return row !== undefined
  }

  revocation({ id }: InvitationRow, revokedAtMs: number): Statement {
    return this.#db
      .update(invitations)
      .set({ revokedAtMs })
      .where(and(eq(invitations.id, id), isOpen))
  }

  /**
   * What a token is good for. All that are good for nothing are answered alike.
   *
   * @param ownerToken the one that whoever runs the control plane has set, if any
   * @throws {HoldfastError} TOKEN_INVALID
   */
  async offer(token: string, ownerToken: string | undefined): Promise<Offer> {
    const hash = await sha256(token)
    // Looked at in any case: which kind it is takes no other time.
    const [owner, found] = await Promise.all([
      ownerToken ? sha256(ownerToken) : null,
      this.#db
        .select({ row: invitations, organisation: organisations })
        .from(invitations)
        .leftJoin(organisations, eq(invitations.organisationId, organisations.id))
        .where(and(eq(invitations.hash, hash), isOpen, gt(invitations.expiresAtMs, Date.now())))
        .get(),
    ])
    if (owner !== null && sameHash(hash, owner) && ownerTokenUntilMs(token) > Date.now())
      return this.#ownerOffer(hash)
    if (!found) throw tokenInvalid()
    const { row, organisation } = found
    return {
      ...{ email: row.email, role: row.role, grants: row.grants, invitedBy: row.createdBy },
      organisation: organisation && { id: organisation.id, name: organisation.name },
      use: () => {
        const nowMs = Date.now()
        const stillOpen = sql`used_at_ms is null and revoked_at_ms is null and expires_at_ms > ${nowMs}`
        // A hash is never null: where somebody was faster, nothing of the batch is carried out.
        const hash = sql`case when ${stillOpen} then ${invitations.hash} else null end`
        return [
          this.#db
            .update(invitations)
            .set({ hash, usedAtMs: nowMs })
            .where(eq(invitations.id, row.id)),
        ]
      },
    }
  }

  async #ownerOffer(hash: string): Promise<Offer> {
    const known = await this.#db
      .select()
      .from(organisations)
      .where(eq(organisations.name, OWNED))
      .get()
    const nowMs = Date.now()
    const used = await this.#db
      .select({ id: invitations.id })
      .from(invitations)
      .where(and(eq(invitations.hash, hash), isNotNull(invitations.usedAtMs)))
      .get()
    if (used) throw tokenInvalid()
    const id = known?.id ?? crypto.randomUUID()
    return {
      ...{ email: null, role: 'owner', grants: '[]', invitedBy: 'owner link' },
      organisation: { id, name: OWNED },
      use: (email) => [
        this.#db
          .insert(organisations)
          .values({ id, name: OWNED, createdAtMs: nowMs })
          .onConflictDoNothing({ target: organisations.id }),
        // Its hash is there once only.
        this.#db.insert(invitations).values({
          ...{
            id: crypto.randomUUID(),
            hash,
            organisationId: id,
            email,
            role: 'owner',
            grants: '[]',
          },
          ...{ createdAtMs: nowMs, createdBy: 'owner link', usedAtMs: nowMs },
          // Kept for ever: it must not be good again.
          expiresAtMs: Number.MAX_SAFE_INTEGER,
        }),
      ],
    }
  }
}

const isOpen = and(isNull(invitations.usedAtMs), isNull(invitations.revokedAtMs))

/** @returns until when an owner token says that it is good; 0: it is none */
const ownerTokenUntilMs = (token: string): number => {
  const seconds = /^hfo_([0-9a-z]{6,8})_[A-Za-z0-9_-]{32,}$/.exec(token)?.[1]
  return seconds ? Number.parseInt(seconds, 36) * 1_000 : 0
}

/** A person with a password, whose address was proved by a token that was sent there. */
export function newPerson(
  db: DrizzleD1Database,
  parts: { id: string; email: string; name: string; password: string },
): Statement[] {
  const { id, email, name, password } = parts
  const at = new Date()
  const times = { createdAt: at, updatedAt: at }
  return [
    db.insert(persons).values({ id, email, name, emailVerified: true, ...times }),
    db.insert(logins).values({
      ...{ id: crypto.randomUUID(), accountId: id, providerId: 'credential', userId: id },
      ...{ password, ...times },
    }),
  ]
}

/** @param offer of an organisation */
export function newMember(
  db: DrizzleD1Database,
  personId: string,
  organisationId: string,
  { role, grants, invitedBy }: Pick<Offer, 'role' | 'grants' | 'invitedBy'>,
): Statement {
  const joinedAtMs = Date.now()
  return db
    .insert(members)
    .values({ organisationId, personId, role, grants, joinedAtMs, invitedBy })
}

/** What D1 says of a token that was taken meanwhile, of a second account, and of a member that is one already. */
export function joinRefusal(error: unknown): unknown {
  const text = textOf(error)
  // Two that open the owner link at once: one of them makes the organisation.
  if (/constraint failed: (?:invitations\.hash|organisations\.name)/.test(text))
    return tokenInvalid(error)
  if (/UNIQUE constraint failed: persons\.email/.test(text)) return accountExists(error)
  if (!/UNIQUE constraint failed: members\./.test(text)) return error
  return new HoldfastError(
    {
      code: 'ALREADY_MEMBER',
      message: 'you are a member of this organisation already',
      remedy: 'Nothing has to be accepted. What you may do an admin changes: holdfast member role',
    },
    { cause: error },
  )
}

export const accountExists = (cause?: unknown) =>
  new HoldfastError(
    {
      code: 'ACCOUNT_EXISTS',
      message: 'there is an account for this address already',
      remedy: 'Log in, and accept the invitation: holdfast login, holdfast member accept',
    },
    { cause },
  )

export const tokenInvalid = (cause?: unknown) =>
  new HoldfastError(
    {
      code: 'TOKEN_INVALID',
      message: 'this token is not valid',
      why: 'It is unknown, has expired, was taken back, or has been used.',
      remedy: 'Ask whoever sent it for a new one.',
    },
    { cause },
  )
