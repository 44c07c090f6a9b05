import { and, eq, gt, sql } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import { apiKeys, clusters, joinTokens } from '../schema/tables/tenants.ts'

/** What spans clusters, in D1. Never on the path of a session. */
export class Tenants {
  readonly #db: DrizzleD1Database

  constructor(d1: D1Database) {
    this.#db = drizzle(d1)
  }

  /** The name of the API key, or null. Looked up by hash: nothing secret is compared. */
  async keyName(key: string): Promise<string | null> {
    const found = await this.#db
      .select({ name: apiKeys.name })
      .from(apiKeys)
      .where(eq(apiKeys.hash, await sha256(key)))
      .get()
    return found?.name ?? null
  }

  async clusters() {
    return this.#db.select().from(clusters).orderBy(clusters.name).all()
  }

  /** By GUID or name. */
  async cluster(reference: string) {
    return this.#db
      .select()
      .from(clusters)
      .where(sql`${clusters.id} = ${reference} or ${clusters.name} = ${reference}`)
      .get()
  }

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
    const token = `hfj_${randomText()}`
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

export async function sha256(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return [...new Uint8Array(bytes)].map((b) => b.toString(16).padStart(2, '0')).join('')
}

function randomText(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
}
