import { and, eq, gt, sql } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import { clusters, joinTokens } from '../schema/tables/tenants.ts'
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
    return this.#db.select().from(clusters).where(eq(clusters.id, id)).get()
  }

  /** @returns whether its name was free in its organisation */
  async addCluster(row: typeof clusters.$inferInsert): Promise<boolean> {
    const done = await this.#db.insert(clusters).values(row).onConflictDoNothing().returning()
    return done.length === 1
  }

  async removeCluster(id: string): Promise<void> {
    await this.#db.delete(clusters).where(eq(clusters.id, id))
  }

  /** @returns the token, shown once and stored hashed */
  async addToken(clusterId: string, uses: number, ttlMs: number) {
    const id = crypto.randomUUID()
    const token = newToken()
    const nowMs = Date.now()
    await this.#db.insert(joinTokens).values({
      id,
      clusterId,
      hash: await sha256(token),
      usesLeft: uses,
      expiresAtMs: nowMs + ttlMs,
      createdAtMs: nowMs,
    })
    return { id, token, uses, expiresAtMs: nowMs + ttlMs }
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
