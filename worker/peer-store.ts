/** What of the peers outlives an instance: where nodes listen, and the secrets of their keys. */
import { randomBytes } from 'node:crypto'
import { and, asc, eq, lt, ne, sql } from 'drizzle-orm'
import type { DrizzleSqliteDODatabase } from 'drizzle-orm/durable-sqlite'
import { LIMITS } from '../schema/limits.ts'
import type { PeerAddress } from '../schema/session.ts'
import { peerSecrets, sessions } from '../schema/tables/durable.ts'
import { lazily } from './lazily.ts'

export interface PeerRow extends PeerAddress {
  readonly nodeId: string
  readonly session: number
}

/** Asked with every event that may change who is up: built once, as in hive-statements.ts. */
const statements = (db: DrizzleSqliteDODatabase) =>
  lazily({
    rows: () =>
      db
        .select({
          nodeId: sessions.nodeId,
          session: sessions.peerSession,
          address: sessions.peerAddress,
          port: sessions.peerPort,
        })
        .from(sessions)
        .where(and(eq(sessions.up, 1), ne(sessions.peerAddress, '')))
        .prepare(),
    name: () =>
      db
        .select({ name: sessions.name })
        .from(sessions)
        .where(eq(sessions.nodeId, sql.placeholder('nodeId')))
        .prepare(),
    secrets: () => db.select().from(peerSecrets).orderBy(asc(peerSecrets.id)).prepare(),
  })

export class PeerStore {
  readonly #db: DrizzleSqliteDODatabase
  readonly #do: ReturnType<typeof statements>

  constructor(db: DrizzleSqliteDODatabase) {
    this.#db = db
    this.#do = statements(db)
  }

  /** Nodes that are Up and listen. One whose session has just ended is still heard by its peers. */
  rows(): PeerRow[] {
    return this.#do.rows.all()
  }

  nameOf(nodeId: string): string {
    return this.#do.name.get({ nodeId })?.name || nodeId
  }

  listens(nodeId: string, session: number, at: PeerAddress | null): void {
    const { address = '', port = 0 } = at ?? {}
    this.#db
      .update(sessions)
      .set({ peerAddress: address, peerPort: port, peerSession: session })
      .where(eq(sessions.nodeId, nodeId))
      .run()
  }

  /** The newest secret and the one before it, oldest first; a new one is made when it is time. */
  secrets(nowMs: number): { id: number; secret: string }[] {
    const known = this.#do.secrets.all()
    const newest = known.at(-1)
    const age = newest ? nowMs - newest.madeAtMs : Number.POSITIVE_INFINITY
    // A clock that stepped back must not keep a key for ever.
    if (age >= 0 && age < LIMITS.peerKeyMs) return known.slice(-2)
    const id = (newest?.id ?? 0) + 1
    const secret = randomBytes(32).toString('base64url')
    this.#db.insert(peerSecrets).values({ id, secret, madeAtMs: nowMs }).run()
    this.#db
      .delete(peerSecrets)
      .where(lt(peerSecrets.id, id - 1))
      .run()
    return [...known.slice(-1), { id, secret }]
  }
}
