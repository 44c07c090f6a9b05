/**
 * Tables of D1 about people: who they are, how they prove it, and where they belong. The first six are those of
 * better-auth, whose fields are called as it calls them. What proves something is stored as a hash.
 */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { organisations } from './tenants.ts'

const instant = (column: string) => integer(column, { mode: 'timestamp_ms' })

/** `email` in small letters: there is nobody whose address was not proved to be theirs. */
export const persons = sqliteTable('persons', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  email: text('email').notNull().unique(),
  emailVerified: integer('email_verified', { mode: 'boolean' }).notNull(),
  image: text('image'),
  createdAt: instant('created_at_ms').notNull(),
  updatedAt: instant('updated_at_ms').notNull(),
})

const personId = () =>
  text('person_id')
    .notNull()
    .references(() => persons.id, { onDelete: 'cascade' })

/** How somebody proves who they are: `provider_id` is `credential` where it is a password. */
export const logins = sqliteTable(
  'logins',
  {
    id: text('id').primaryKey(),
    accountId: text('account_id').notNull(),
    providerId: text('provider_id').notNull(),
    userId: personId(),
    accessToken: text('access_token'),
    refreshToken: text('refresh_token'),
    idToken: text('id_token'),
    accessTokenExpiresAt: instant('access_token_expires_at_ms'),
    refreshTokenExpiresAt: instant('refresh_token_expires_at_ms'),
    scope: text('scope'),
    /** Hash with salt and cost; see worker/accounts/password.ts. */
    password: text('password'),
    createdAt: instant('created_at_ms').notNull(),
    updatedAt: instant('updated_at_ms').notNull(),
  },
  (t) => [index('logins_person').on(t.userId)],
)

export const sessions = sqliteTable(
  'sessions',
  {
    id: text('id').primaryKey(),
    userId: personId(),
    /** SHA-256 of the token, hex. */
    token: text('token_hash').notNull().unique(),
    expiresAt: instant('expires_at_ms').notNull(),
    createdAt: instant('created_at_ms').notNull(),
    updatedAt: instant('updated_at_ms').notNull(),
    /** Where it was made, and with what. */
    ipAddress: text('ip_address'),
    userAgent: text('user_agent'),
    /** The one it works in, where its person has several; null: the only one. */
    organisationId: text('organisation_id').references(() => organisations.id),
    lastUsedAtMs: integer('last_used_at_ms'),
  },
  (t) => [index('sessions_person').on(t.userId)],
)

/** What somebody was sent to prove something: `identifier` is a hash. */
export const verifications = sqliteTable(
  'verifications',
  {
    id: text('id').primaryKey(),
    identifier: text('identifier').notNull(),
    value: text('value').notNull(),
    expiresAt: instant('expires_at_ms').notNull(),
    createdAt: instant('created_at_ms').notNull(),
    updatedAt: instant('updated_at_ms').notNull(),
  },
  (t) => [index('verifications_identifier').on(t.identifier)],
)

/** Codes that an app on somebody's phone makes, asked for beside the password (TOTP, RFC 6238). */
export const secondFactors = sqliteTable('second_factors', {
  personId: personId().primaryKey(),
  /** What the codes are made of, sealed: see worker/sealing.ts. */
  secret: text('secret_sealed').notNull(),
  /** When a first code has shown that the app has it; null: it is not asked for yet. */
  confirmedAtMs: integer('confirmed_at_ms'),
  /** The time step of the last code that was taken: none is good twice. */
  usedStep: integer('used_step').notNull(),
  /** JSON: SHA-256 of each code for when the phone is lost, hex; each is good once. */
  recovery: text('recovery').notNull(),
  createdAtMs: integer('created_at_ms').notNull(),
})

/** Commands that wait for somebody to let them in (RFC 8628). */
export const deviceCodes = sqliteTable('device_codes', {
  id: text('id').primaryKey(),
  /** SHA-256, hex. */
  deviceCode: text('device_code_hash').notNull().unique(),
  userCode: text('user_code').notNull().unique(),
  userId: text('person_id').references(() => persons.id, { onDelete: 'cascade' }),
  expiresAt: instant('expires_at_ms').notNull(),
  status: text('status').notNull(),
  lastPolledAt: instant('last_polled_at_ms'),
  pollingInterval: integer('polling_interval_ms'),
  clientId: text('client_id'),
  scope: text('scope'),
})

/** Who belongs to an organisation, and what they may do there. */
export const members = sqliteTable(
  'members',
  {
    organisationId: text('organisation_id')
      .notNull()
      .references(() => organisations.id),
    personId: personId(),
    /** `owner`, `admin`, `operator` or `viewer` in all of it; null: only what `grants` say. */
    role: text('role'),
    /** JSON: `[{"role": …, "cluster": GUID}]`. */
    grants: text('grants').notNull(),
    joinedAtMs: integer('joined_at_ms').notNull(),
    invitedBy: text('invited_by').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organisationId, t.personId] }),
    index('members_person').on(t.personId),
  ],
)

/** Tokens that make somebody a person, a member or both. Each is good for one use. */
export const invitations = sqliteTable(
  'invitations',
  {
    id: text('id').primaryKey(),
    /** SHA-256 of the token, hex. */
    hash: text('hash').notNull().unique(),
    /** Null: of somebody who signs up by themselves. */
    organisationId: text('organisation_id').references(() => organisations.id),
    email: text('email').notNull(),
    role: text('role'),
    grants: text('grants').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    createdBy: text('created_by').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
    usedAtMs: integer('used_at_ms'),
    revokedAtMs: integer('revoked_at_ms'),
  },
  (t) => [
    index('invitations_open')
      .on(t.organisationId, t.email)
      .where(sql`used_at_ms is null and revoked_at_ms is null`),
    index('invitations_expire').on(t.expiresAtMs),
  ],
)

/** How often something was tried lately that could be guessed: by whom, or at whose. */
export const attempts = sqliteTable(
  'attempts',
  {
    /** SHA-256 of what is counted: addresses are in no index. */
    bucket: text('bucket').primaryKey(),
    count: integer('count').notNull(),
    resetsAtMs: integer('resets_at_ms').notNull(),
  },
  (t) => [index('attempts_reset').on(t.resetsAtMs)],
)
