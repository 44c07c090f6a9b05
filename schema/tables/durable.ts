/** Tables of one cluster's Durable Object. Migrations are append-only (worker/hive-migrations). */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/**
 * Counters and marks of the object: `session` (last number given out), `snapshotSeq`, and `profile`
 * (its place among the profiles), so that confirms and closes need no hive.
 */
export const meta = sqliteTable('meta', {
  key: text('key').primaryKey(),
  value: integer('value').notNull(),
})

/** What is known of each node's sessions: never times, they mean nothing to another instance. */
export const sessions = sqliteTable('sessions', {
  nodeId: text('node_id').primaryKey(),
  /** Highest `attempt` seen in a signed request to open a socket. */
  attempt: integer('attempt').notNull(),
  /** Last report applied: run of the agent and number in that run (S-16). */
  run: text('run').notNull().default(''),
  reportN: integer('report_n').notNull().default(0),
  name: text('name').notNull().default(''),
  /** 1 while the hive has the node Up or leaving: then the D rules apply to it. */
  up: integer('up').notNull().default(0),
  /** 1 while its guard may go on after its lease: then D3 is closed to it. */
  underFence: integer('under_fence').notNull().default(0),
  /** 1 while the hive has a fence agent for it. */
  fence: integer('fence').notNull().default(0),
  /** Where it listens for its peers, and the session that said so; '' when it does not (S-17). */
  peerAddress: text('peer_address').notNull().default(''),
  peerPort: integer('peer_port').notNull().default(0),
  peerSession: integer('peer_session').notNull().default(0),
})

/** Secrets that the keys of peers are made from: the newest, and the one before it (S-17). */
export const peerSecrets = sqliteTable('peer_secrets', {
  id: integer('id').primaryKey(),
  secret: text('secret').notNull(),
  madeAtMs: integer('made_at_ms').notNull(),
})

/** Rule L6: the write behind which confirms are answered. */
export const confirms = sqliteTable('confirms', {
  id: integer('id').primaryKey(),
  atMs: integer('at_ms').notNull(),
  count: integer('count').notNull(),
})

/** The stream of global updates; `hash` is that of the chain up to and including this one. */
export const updates = sqliteTable('updates', {
  seq: integer('seq').primaryKey(),
  atMs: integer('at_ms').notNull(),
  hash: text('hash').notNull(),
  body: text('body').notNull(),
})

/** The events behind the updates: folding them through `step` gives the same hive. */
export const journal = sqliteTable('journal', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  atMs: integer('at_ms').notNull(),
  firstSeq: integer('first_seq').notNull(),
  event: text('event').notNull(),
})

/** Snapshots of the hive in parts, since a row holds 2 MB. The first one is kept for ever (S-66). */
export const snapshots = sqliteTable(
  'snapshots',
  {
    seq: integer('seq').notNull(),
    part: integer('part').notNull(),
    parts: integer('parts').notNull(),
    hash: text('hash').notNull(),
    body: text('body').notNull(),
  },
  (t) => [primaryKey({ columns: [t.seq, t.part] })],
)

/** Resources whose module took a monitor along, with its last calls: the latest few of each (S-32). */
export const incidents = sqliteTable(
  'incidents',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    resourceId: text('resource_id').notNull(),
    nodeId: text('node_id').notNull(),
    body: text('body').notNull(),
  },
  (t) => [index('incidents_resource').on(t.resourceId)],
)

const underWay = () => ({
  table: text('table').notNull(),
  id: text('id').notNull(),
  body: text('body').notNull(),
})

/** What is observed or under way; not part of the hive (S-65). */
export const observed = sqliteTable('observed', underWay(), (t) => [
  primaryKey({ columns: [t.table, t.id] }),
])

/** What is under way, for tables that came later: a Worker of before would not load a row that it does not know. */
export const plans = sqliteTable('plans', underWay(), (t) => [
  primaryKey({ columns: [t.table, t.id] }),
])

/** The cluster log (S-97). */
export const log = sqliteTable(
  'log',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    atMs: integer('at_ms').notNull(),
    node: text('node').notNull(),
    component: text('component').notNull(),
    groupId: text('group_id'),
    resourceId: text('resource_id'),
    correlationId: text('correlation_id'),
    message: text('message').notNull(),
  },
  (t) => [index('log_resource').on(t.resourceId)],
)

/** Answers of writes that came with an Idempotency-Key, oldest first by `id`. */
export const answers = sqliteTable(
  'answers',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    /** GUID of the API key, and what it called this write. */
    keyId: text('key_id').notNull(),
    name: text('name').notNull(),
    /** SHA-256 of what was asked for. */
    fingerprint: text('fingerprint').notNull(),
    /** Id of the request that is or was carried out. */
    request: text('request').notNull(),
    atMs: integer('at_ms').notNull(),
    /** HTTP status; 0 while nobody knows what has come of it. */
    status: integer('status').notNull(),
    body: text('body').notNull(),
    /** Characters of all bodies up to and with this one, so that the sum needs no reading of all. */
    total: integer('total').notNull(),
  },
  (t) => [uniqueIndex('answers_name').on(t.keyId, t.name)],
)

/** The audit log: each entry whole in `body`, with the hash of the one before it. */
export const audit = sqliteTable(
  'audit',
  {
    n: integer('n').primaryKey(),
    atMs: integer('at_ms').notNull(),
    route: text('route').notNull(),
    byId: text('by_id').notNull(),
    byName: text('by_name').notNull(),
    refused: integer('refused').notNull(),
    hash: text('hash').notNull(),
    body: text('body').notNull(),
    /** Characters of all bodies up to and with this one. */
    total: integer('total').notNull(),
  },
  (t) => [index('audit_refused').on(t.byId, t.atMs).where(sql`refused = 1`)],
)

/** The last entry that was removed from the audit log: one row, none before that. */
export const auditBase = sqliteTable('audit_base', {
  id: integer('id').primaryKey(),
  n: integer('n').notNull(),
  hash: text('hash').notNull(),
})

/** What webhooks are to tell, in the order of the commits: `n` is the cluster's sequence number. */
export const webhookMessages = sqliteTable('webhook_messages', {
  n: integer('n').primaryKey({ autoIncrement: true }),
  id: text('id').notNull().unique(),
  atMs: integer('at_ms').notNull(),
  type: text('type').notNull(),
  /** Name of the group that it is about. */
  groupName: text('group_name'),
  /** JSON of its `data`. */
  data: text('data').notNull(),
})

/** Groups that have left their owner, and are not told yet to be online again. */
export const webhookOpen = sqliteTable('webhook_open', {
  groupId: text('group_id').primaryKey(),
  cause: text('cause').notNull(),
  planned: integer('planned').notNull(),
  from: text('from_node'),
})

/** Groups with which something is wrong, or was a short while ago. */
export const webhookTroubles = sqliteTable('webhook_troubles', {
  groupId: text('group_id').primaryKey(),
  name: text('name').notNull(),
  /** Since when; null: it is over, and kept to see whether it comes back. */
  sinceMs: integer('since_ms'),
  /** Since when it has been well again, in which case it is over a while later. */
  wellSinceMs: integer('well_since_ms'),
  /** JSON of when trouble began, lately. */
  begun: text('begun').notNull(),
  flapping: integer('flapping').notNull().default(0),
})

/** One message for one endpoint. */
export const webhookDeliveries = sqliteTable(
  'webhook_deliveries',
  {
    endpointId: text('endpoint_id').notNull(),
    n: integer('n').notNull(),
    attempts: integer('attempts').notNull().default(0),
    /** `pending`, `delivered`, or `gaveUp` once all attempts have failed or the endpoint is off. */
    state: text('state').notNull().default('pending'),
    /** When it is tried the next time; 0 before the first time. */
    nextAtMs: integer('next_at_ms').notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.endpointId, t.n] }),
    index('webhook_deliveries_due').on(t.nextAtMs).where(sql`state = 'pending'`),
    index('webhook_deliveries_first')
      .on(t.endpointId, t.n)
      .where(sql`state = 'pending' and next_at_ms = 0`),
  ],
)

/** What became of each attempt, newest last. */
export const webhookAttempts = sqliteTable(
  'webhook_attempts',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    endpointId: text('endpoint_id').notNull(),
    n: integer('n').notNull(),
    atMs: integer('at_ms').notNull(),
    /** HTTP status; null: no answer came. */
    status: integer('status'),
    detail: text('detail').notNull(),
    /** From the request to its answer. */
    ms: integer('ms').notNull(),
  },
  (t) => [index('webhook_attempts_endpoint').on(t.endpointId, t.n)],
)
