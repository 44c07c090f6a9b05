import { and, asc, between, count, desc, eq, gt, gte, or, sql } from 'drizzle-orm'
import type { DrizzleSqliteDODatabase } from 'drizzle-orm/durable-sqlite'
import {
  type AuditPage,
  type AuditQuery,
  auditLine,
  CHAIN_START,
  type ChainPlace,
} from '../schema/api/audit.ts'
import { LIMITS } from '../schema/limits.ts'
import { audit, auditBase } from '../schema/tables/durable.ts'
import { auditLines, type Told } from './audit.ts'
import type { Write } from './write.ts'

const HOUR_MS = 3_600_000
/** Each entry makes room for itself; more than one goes only where a long one came. */
const REMOVED_AT_ONCE = 100
const PAGE = 200

/** The audit log of one cluster, in its object's SQLite, in the transaction of whoever calls. */
export class AuditStore {
  readonly #db: DrizzleSqliteDODatabase

  constructor(db: DrizzleSqliteDODatabase) {
    this.#db = db
  }

  /** @param chain GUID of the cluster */
  append(chain: string, write: Write, told: Told): void {
    const nowMs = Date.now()
    const newest = this.#newest()
    let total = newest?.total ?? 0
    for (const line of auditLines(chain, newest ?? this.#base(), nowMs, write, told)) {
      const body = JSON.stringify(line)
      total += body.length
      const { n, hash, route, who, refused } = line
      const by = { byId: who.id, byName: who.name, refused: refused === null ? 0 : 1 }
      this.#db
        .insert(audit)
        .values({ n, atMs: nowMs, route, ...by, hash, body, total })
        .run()
      this.#makeRoom(n, total)
    }
  }

  /**
   * Of one caller so many in an hour: who may do nothing here must not be able to push out what others
   * have done.
   *
   * @returns how many more of its refusals are entered
   */
  refusalsLeft(byId: string): number {
    const nowMs = Date.now()
    // What is dated later was written before the clock was put back.
    const hour = between(audit.atMs, nowMs - HOUR_MS + 1, nowMs)
    const lately = and(sql`refused = 1`, eq(audit.byId, byId), hour)
    const row = this.#db.select({ seen: count() }).from(audit).where(lately).get()
    return Math.max(0, LIMITS.auditRefusalsPerHour - (row?.seen ?? 0))
  }

  read(chain: string, { after, limit = PAGE, sinceMs, by, route }: AuditQuery): AuditPage {
    const where = and(
      after === undefined ? undefined : gt(audit.n, after),
      sinceMs === undefined ? undefined : gte(audit.atMs, sinceMs),
      by === undefined ? undefined : or(eq(audit.byId, by), eq(audit.byName, by)),
      route === undefined ? undefined : eq(audit.route, route),
    )
    const order = after === undefined ? desc(audit.n) : asc(audit.n)
    const fields = { n: audit.n, length: sql<number>`length(${audit.body})` }
    const found = this.#db.select(fields).from(audit).where(where).orderBy(order).limit(limit).all()
    const rows = this.#db
      .select({ n: audit.n, body: audit.body })
      .from(audit)
      .where(and(where, this.#onePage(found)))
      .orderBy(order)
      .all()
    const isAll = rows.length === found.length && found.length < limit
    const head = this.#newest() ?? this.#base()
    return pageOf(chain, rows, { after, isAll }, this.#base(), { n: head.n, hash: head.hash })
  }

  /** Of what was found as much as one answer holds: one entry in any case. */
  #onePage(found: readonly { n: number; length: number }[]) {
    const first = found[0]?.n ?? 0
    let [last, length] = [first, 0]
    for (const one of found) {
      length += one.length
      if (length > LIMITS.auditPageLengthMax) break
      last = one.n
    }
    return between(audit.n, Math.min(first, last), Math.max(first, last))
  }

  #newest() {
    const fields = { n: audit.n, hash: audit.hash, total: audit.total }
    return this.#db.select(fields).from(audit).orderBy(desc(audit.n)).limit(1).get()
  }

  #base(): ChainPlace {
    const fields = { n: auditBase.n, hash: auditBase.hash }
    return this.#db.select(fields).from(auditBase).get() ?? CHAIN_START
  }

  #makeRoom(newest: number, total: number): void {
    for (let removed = 0; removed < REMOVED_AT_ONCE; removed++) {
      const fields = { n: audit.n, hash: audit.hash, total: audit.total }
      const oldest = this.#db.select(fields).from(audit).orderBy(asc(audit.n)).limit(1).get()
      if (!oldest || oldest.n === newest) return
      const tooMany = oldest.n <= newest - LIMITS.auditKept
      if (!tooMany && oldest.total > total - LIMITS.auditLengthMax) return
      const { n, hash } = oldest
      this.#db.delete(audit).where(eq(audit.n, n)).run()
      this.#db
        .insert(auditBase)
        .values({ id: 1, n, hash })
        .onConflictDoUpdate({ target: auditBase.id, set: { n, hash } })
        .run()
    }
  }
}

/**
 * @param rows oldest first where `after` is given, else newest first
 * @param asked.isAll nothing was found beyond them
 */
export function pageOf(
  chain: string,
  rows: readonly { n: number; body: string }[],
  { after, isAll }: { after: number | undefined; isAll: boolean },
  base: ChainPlace,
  head: ChainPlace,
): AuditPage {
  const ordered = after === undefined ? rows.toReversed() : rows
  const entries = ordered.map((row) => auditLine.parse(JSON.parse(row.body)))
  const next = after !== undefined && !isAll ? (rows.at(-1)?.n ?? null) : null
  return { chain, entries, next, base, head }
}
