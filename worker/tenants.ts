import { and, eq, gt, sql } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import { LIMITS } from '../schema/limits.ts'
import { clusters, doomedObjects, joinTokens, organisations } from '../schema/tables/tenants.ts'
import type { Statement } from './account-writes.ts'
import { textOf } from './d1-errors.ts'
import { newToken, sha256 } from './secrets.ts'

/** Clusters and join tokens in D1. Never on the path of a session. */
export class Tenants {
  readonly #db: DrizzleD1Database

  constructor(d1: D1Database) {
    this.#db = drizzle(d1)
  }

  async clusters(organisationId: string) {
    return this.#db
      .select()
      .from(clusters)
      .where(eq(clusters.organisationId, organisationId))
      .orderBy(clusters.name)
      .all()
  }

  /** Of whichever organisation: for who has a join token of it. */
  async clusterOfToken(id: string) {
    return this.#db
      .select({ cluster: clusters, quotas: organisations.quotas })
      .from(clusters)
      .innerJoin(organisations, eq(organisations.id, clusters.organisationId))
      .where(eq(clusters.id, id))
      .get()
  }

  /** Before anything is in the object: if its cluster is never listed, it is deleted. */
  async reserve(objectId: string): Promise<void> {
    const dueMs = Date.now() + LIMITS.objectUnlistedMs
    await this.#db.insert(doomedObjects).values({ objectId, dueMs })
  }

  /**
   * @param commit carries it out, with what else belongs to it
   * @returns whether its name was free in its organisation
   */
  async addCluster(
    row: typeof clusters.$inferInsert,
    commit: (work: Statement[]) => Promise<void>,
  ): Promise<boolean> {
    try {
      const kept = eq(doomedObjects.objectId, row.objectId)
      await commit([
        this.#db.insert(clusters).values(row),
        this.#db.delete(doomedObjects).where(kept),
      ])
      return true
    } catch (error) {
      if (/UNIQUE constraint failed: clusters\./.test(textOf(error))) return false
      throw error
    }
  }

  /** A token, its row with its hash, and the statement that makes it valid. */
  async newToken(clusterId: string, uses: number, ttlMs: number) {
    const token = newToken()
    const createdAtMs = Date.now()
    const expiresAtMs = createdAtMs + ttlMs
    const row = {
      ...{ id: crypto.randomUUID(), clusterId, hash: await sha256(token) },
      ...{ usesLeft: uses, expiresAtMs, createdAtMs },
    }
    const answer = { id: row.id, token, uses, expiresAtMs }
    return { answer, row, insert: this.#db.insert(joinTokens).values(row) }
  }

  async token(token: string) {
    const hash = await sha256(token)
    return this.#db.select().from(joinTokens).where(eq(joinTokens.hash, hash)).get()
  }

  /** Takes one use, if there is one left and it has not expired: one statement, no race. */
  async useToken(id: string): Promise<boolean> {
    const done = await this.#db
      .update(joinTokens)
      .set({ usesLeft: sql`${joinTokens.usesLeft} - 1` })
      .where(
        and(
          eq(joinTokens.id, id),
          gt(joinTokens.usesLeft, 0),
          gt(joinTokens.expiresAtMs, Date.now()),
        ),
      )
      .returning()
    return done.length === 1
  }

  async giveBackToken(id: string): Promise<void> {
    await this.#db
      .update(joinTokens)
      .set({ usesLeft: sql`${joinTokens.usesLeft} + 1` })
      .where(eq(joinTokens.id, id))
  }
}
