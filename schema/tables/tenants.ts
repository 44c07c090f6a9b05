/** Tables of D1: what spans clusters. Secrets are stored as SHA-256 only. */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** Who has clusters and keys. What belongs to one does not exist for another. */
export const organisations = sqliteTable('organisations', {
  id: text('id').primaryKey(),
  name: text('name').notNull().unique(),
  createdAtMs: integer('created_at_ms').notNull(),
  /** JSON of quotas that are other ones than everybody's; null: it has those of everybody. */
  quotas: text('quotas'),
})

const organisationId = () =>
  text('organisation_id')
    .notNull()
    .references(() => organisations.id)

export const clusters = sqliteTable(
  'clusters',
  {
    id: text('id').primaryKey(),
    organisationId: organisationId(),
    name: text('name').notNull(),
    profile: text('profile').notNull(),
    /** Id of its Durable Object. */
    objectId: text('object_id').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
  },
  (t) => [uniqueIndex('clusters_name').on(t.organisationId, t.name)],
)

/** What a key is and may do. Its secrets change; it stays who it is in logs and histories. */
export const apiKeys = sqliteTable(
  'api_keys',
  {
    id: text('id').primaryKey(),
    organisationId: organisationId(),
    name: text('name').notNull(),
    /** JSON: `[{"role": …, "cluster": GUID or null for the organisation}]`. */
    scopes: text('scopes').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    createdBy: text('created_by').notNull(),
    expiresAtMs: integer('expires_at_ms'),
    revokedAtMs: integer('revoked_at_ms'),
    lastUsedAtMs: integer('last_used_at_ms'),
  },
  // A name is free again once its key is revoked.
  (t) => [
    uniqueIndex('api_keys_name').on(t.organisationId, t.name).where(sql`revoked_at_ms is null`),
  ],
)

/** The newest secret of a key, and the one before it while the two overlap. */
export const apiKeySecrets = sqliteTable(
  'api_key_secrets',
  {
    /** How the secret begins: enough to find and recognise it, and no part of what has to be secret. */
    prefix: text('prefix').primaryKey(),
    keyId: text('key_id')
      .notNull()
      .references(() => apiKeys.id),
    /** SHA-256 of the whole, hex. */
    hash: text('hash').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms'),
  },
  (t) => [index('api_key_secrets_key').on(t.keyId)],
)

/** A token belongs to the organisation of its cluster. */
export const joinTokens = sqliteTable('join_tokens', {
  id: text('id').primaryKey(),
  clusterId: text('cluster_id')
    .notNull()
    .references(() => clusters.id),
  hash: text('hash').notNull().unique(),
  usesLeft: integer('uses_left').notNull(),
  expiresAtMs: integer('expires_at_ms').notNull(),
  createdAtMs: integer('created_at_ms').notNull(),
})

/** The audit log of an organisation; see the table of the same name of a cluster's object. */
export const audit = sqliteTable(
  'audit',
  {
    organisationId: organisationId(),
    n: integer('n').notNull(),
    atMs: integer('at_ms').notNull(),
    route: text('route').notNull(),
    byId: text('by_id').notNull(),
    byName: text('by_name').notNull(),
    refused: integer('refused').notNull(),
    hash: text('hash').notNull(),
    body: text('body').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organisationId, t.n] }),
    index('audit_refused').on(t.byId, t.atMs).where(sql`refused = 1`),
  ],
)

/** The last entry that was removed from the audit log of an organisation. */
export const auditBases = sqliteTable('audit_bases', {
  organisationId: organisationId().primaryKey(),
  n: integer('n').notNull(),
  hash: text('hash').notNull(),
})

/** Answers of writes that came with an Idempotency-Key, sealed with the API key that they were given to. */
export const answers = sqliteTable(
  'answers',
  {
    keyId: text('key_id').notNull(),
    name: text('name').notNull(),
    fingerprint: text('fingerprint').notNull(),
    request: text('request').notNull(),
    atMs: integer('at_ms').notNull(),
    status: integer('status').notNull(),
    /** AES-GCM, base64: what it needs to be read is no part of the database. */
    sealed: text('sealed').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.keyId, t.name] }),
    index('answers_of_key').on(t.keyId, t.atMs),
    index('answers_at').on(t.atMs),
  ],
)

/** Where an organisation is told what happens in its clusters. */
export const webhookEndpoints = sqliteTable(
  'webhook_endpoints',
  {
    id: text('id').primaryKey(),
    organisationId: organisationId(),
    name: text('name').notNull(),
    /** `webhook`, or for whom it is made ready. */
    kind: text('kind').notNull().default('webhook'),
    /** Where it is sent to; of kinds whose address is the secret, what of it may be shown. */
    url: text('url').notNull(),
    /** Signs what is sent, or lets it in there, so it is kept as it is; shown once, or never. */
    secret: text('secret').notNull(),
    /** The one before signs as well, until then. */
    oldSecret: text('old_secret'),
    oldUntilMs: integer('old_until_ms'),
    /** JSON of GUIDs, of event types and of names of groups; null: all. */
    clusters: text('clusters'),
    types: text('types'),
    groups: text('groups'),
    createdAtMs: integer('created_at_ms').notNull(),
    /** Of a heartbeat: how often it is pinged. */
    intervalMs: integer('interval_ms'),
    /** Since when nothing has got through. */
    failingSinceMs: integer('failing_since_ms'),
    /** When it was told that it will be switched off if this goes on. */
    warnedAtMs: integer('warned_at_ms'),
    disabledAtMs: integer('disabled_at_ms'),
    disabledWhy: text('disabled_why'),
  },
  (t) => [uniqueIndex('webhook_endpoints_name').on(t.organisationId, t.name)],
)

/** What a cluster shows to anybody who has the link. */
export const statusPages = sqliteTable('status_pages', {
  clusterId: text('cluster_id')
    .primaryKey()
    .references(() => clusters.id, { onDelete: 'cascade' }),
  /** In the link; nobody guesses it, and a new one ends the old. */
  publicId: text('public_id').notNull().unique(),
  /** JSON of GUIDs of groups that are named; null: all of them. */
  groups: text('groups'),
  createdAtMs: integer('created_at_ms').notNull(),
})

/**
 * Objects whose storage is to be deleted from then on, by whoever comes first: they belong to no cluster that
 * is listed. Nothing here says whose they were.
 */
export const doomedObjects = sqliteTable('doomed_objects', {
  objectId: text('object_id').primaryKey(),
  dueMs: integer('due_ms').notNull(),
})

/** What an organisation has used, day by day (UTC): a row of each cluster, and one without for calls that name none. */
export const usageDays = sqliteTable(
  'usage_days',
  {
    organisationId: organisationId(),
    /** `2026-11-30` */
    day: text('day').notNull(),
    /** GUID; '' for what belongs to no cluster. */
    clusterId: text('cluster_id').notNull(),
    nodes: integer('nodes').notNull().default(0),
    groups: integer('groups').notNull().default(0),
    /** Milliseconds that its nodes were up, added up. */
    nodeMs: integer('node_ms').notNull().default(0),
    apiCalls: integer('api_calls').notNull().default(0),
    webhooks: integer('webhooks').notNull().default(0),
    failovers: integer('failovers').notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.organisationId, t.day, t.clusterId] })],
)
