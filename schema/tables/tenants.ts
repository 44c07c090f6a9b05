/** Tables of D1: what spans clusters. Secrets are stored as SHA-256 only. */
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

export const clusters = sqliteTable('clusters', {
  id: text('id').primaryKey(),
  name: text('name').notNull().unique(),
  profile: text('profile').notNull(),
  /** Id of its Durable Object. */
  objectId: text('object_id').notNull(),
  createdAtMs: integer('created_at_ms').notNull(),
})

export const apiKeys = sqliteTable('api_keys', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  /** SHA-256 of the whole key, hex. */
  hash: text('hash').notNull().unique(),
  createdAtMs: integer('created_at_ms').notNull(),
})

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
