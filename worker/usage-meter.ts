/**
 * What a cluster has used, by day, for its organisation: summed up here when something changes, and told to D1
 * once an hour while the object is awake anyway. A day's row is told whole, so that telling it again is the same;
 * nothing is woken for it, and nothing waits for it.
 */
import { and, count, desc, eq, gte, like, lt, sql } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import type { DrizzleSqliteDODatabase } from 'drizzle-orm/durable-sqlite'
import { dayOf, startOfDay } from '../schema/days.ts'
import type { Hive } from '../schema/hive.ts'
import { LIMITS } from '../schema/limits.ts'
import { meta, sessions, webhookAttempts } from '../schema/tables/durable.ts'
import { clusters, usageDays } from '../schema/tables/tenants.ts'
import { aside } from './aside.ts'

/** Among the marks of the object; a day's are `usage/2026-11-30/nodeMs` and the like. */
const MARK = 'usage/'
const DAY_MS = 86_400_000
const AGAIN_MS = 5_000
const COUNTED = ['nodeMs', 'webhooks', 'failovers'] as const
type Counted = (typeof COUNTED)[number]

export class UsageMeter {
  readonly #db: DrizzleSqliteDODatabase
  readonly #isOn: boolean
  #toldAtMs: number | null = null
  /** Of the clock: before that there is nothing to be looked at. */
  #dueAtMs = 0
  #telling = false

  /** @param isOn false: nobody wants to know, and nothing is written */
  constructor(db: DrizzleSqliteDODatabase, isOn: boolean) {
    this.#db = db
    this.#isOn = isOn
  }

  /** Within the transaction of what changes it: so many more nodes are up from now on. */
  nodesUp(by: number, nowMs: number): void {
    if (!this.#isOn) return
    const up = this.#settle(nowMs)
    this.#set('up', Math.max(0, up + by))
  }

  failedOver(by: number, nowMs: number): void {
    if (!this.#isOn) return
    this.#add(nowMs, 'failovers', by)
  }

  /**
   * Tells it when it is time. Whatever goes wrong with it stops nothing else, and is told the next time.
   *
   * @param hive read only then
   */
  look(ctx: DurableObjectState, d1: D1Database, hive: () => Hive, nowMs = Date.now()): void {
    // With every event: so no more than a comparison, most of the time.
    if (!this.#isOn || this.#telling || nowMs < this.#dueAtMs) return
    const told = aside('usage', () => {
      this.#toldAtMs ??= this.#get('toldAt') ?? 0
      const midnightMs = startOfDay(this.#toldAtMs) + DAY_MS
      this.#dueAtMs = Math.min(this.#toldAtMs + LIMITS.usageToldEveryMs, midnightMs)
      if (nowMs < this.#dueAtMs) return null
      this.#telling = true
      return this.#tell(d1, hive(), nowMs)
    })
    if (!told) return
    const ended = () => {
      this.#telling = false
    }
    ctx.waitUntil(told.then(ended, ended))
  }

  /** What was used until now. */
  async tellNow(d1: D1Database, hive: Hive): Promise<void> {
    if (this.#isOn) await this.#tell(d1, hive, Date.now())
  }

  async #tell(d1: D1Database, { cluster, nodes, groups }: Hive, nowMs: number): Promise<void> {
    // Not with each event while D1 is away, or while a cluster that was formed just now is in no list.
    this.#dueAtMs = nowMs + AGAIN_MS
    if (!cluster) return
    this.#settle(nowMs)
    this.#countAttempts(nowMs)
    const db = drizzle(d1)
    const today = dayOf(nowMs)
    const days = this.#days()
    if (!days.has(today)) days.set(today, { nodeMs: 0, webhooks: 0, failovers: 0 })
    const told = [...days].map(([day, used]) =>
      row(db, cluster.id, day, { nodes: nodes.size, groups: groups.size, ...used }),
    )
    const ours = db
      .select({ id: clusters.organisationId })
      .from(clusters)
      .where(eq(clusters.id, cluster.id))
    const oldest = dayOf(nowMs - LIMITS.usageDaysKept * DAY_MS)
    const old = db
      .delete(usageDays)
      .where(and(sql`${usageDays.organisationId} = (${ours})`, lt(usageDays.day, oldest)))
    const [, ...done] = await db.batch([old, ...told])
    if (!done.some((one) => one.meta.changes > 0)) return
    this.#toldAtMs = nowMs
    this.#dueAtMs = 0
    this.#set('toldAt', nowMs)
    // What is over is not told again.
    this.#db
      .delete(meta)
      .where(and(like(meta.key, `${MARK}____-__-__/%`), lt(meta.key, `${MARK}${today}`)))
      .run()
  }

  /** What nodes were up for since the last time, day by day. @returns how many are up */
  #settle(nowMs: number): number {
    const known = this.#get('up')
    const since = this.#get('since') ?? nowMs
    const up =
      known ??
      this.#db.select({ n: count() }).from(sessions).where(eq(sessions.up, 1)).get()?.n ??
      0
    for (let from = since; up > 0 && from < nowMs; ) {
      const to = Math.min(nowMs, startOfDay(from) + DAY_MS)
      this.#add(from, 'nodeMs', up * (to - from))
      from = to
    }
    this.#set('since', Math.max(since, nowMs))
    if (known === null) this.#set('up', up)
    return up
  }

  /** Attempts are numbered, and counted by their numbers: none is written for this. */
  #countAttempts(nowMs: number): void {
    const newest = this.#attemptBefore(Number.MAX_SAFE_INTEGER)
    const counted = this.#get('attempts') ?? newest
    const atMidnight = Math.max(counted, this.#attemptBefore(startOfDay(nowMs)))
    this.#add(nowMs - DAY_MS, 'webhooks', atMidnight - counted)
    this.#add(nowMs, 'webhooks', newest - atMidnight)
    this.#set('attempts', newest)
  }

  #attemptBefore(atMs: number): number {
    const { id } = webhookAttempts
    const found = this.#db
      .select({ id })
      .from(webhookAttempts)
      .where(lt(webhookAttempts.atMs, atMs))
    return found.orderBy(desc(id)).limit(1).get()?.id ?? 0
  }

  #days(): Map<string, Record<Counted, number>> {
    const days = new Map<string, Record<Counted, number>>()
    const mine = and(gte(meta.key, MARK), like(meta.key, `${MARK}____-__-__/%`))
    for (const { key, value } of this.#db.select().from(meta).where(mine).all()) {
      const [, day = '', what] = key.split('/')
      const used = days.get(day) ?? { nodeMs: 0, webhooks: 0, failovers: 0 }
      days.set(day, { ...used, [what as Counted]: value })
    }
    return days
  }

  #get(name: string): number | null {
    const key = `${MARK}${name}`
    return this.#db.select().from(meta).where(eq(meta.key, key)).get()?.value ?? null
  }

  #set(name: string, value: number): void {
    const row = { key: `${MARK}${name}`, value }
    this.#db.insert(meta).values(row).onConflictDoUpdate({ target: meta.key, set: { value } }).run()
  }

  #add(atMs: number, what: Counted, by: number): void {
    if (by <= 0) return
    const row = { key: `${MARK}${dayOf(atMs)}/${what}`, value: by }
    const set = { value: sql`${meta.value} + ${by}` }
    this.#db.insert(meta).values(row).onConflictDoUpdate({ target: meta.key, set }).run()
  }
}

/** Of a cluster that is no longer listed there is none. What others count of that day stays. */
function row(
  db: DrizzleD1Database,
  clusterId: string,
  day: string,
  used: Record<Counted | 'nodes' | 'groups', number>,
) {
  const { nodes, groups, nodeMs, webhooks, failovers } = used
  const value = (n: number, name: string) => sql<number>`${n}`.as(name)
  return db
    .insert(usageDays)
    .select(
      db
        .select({
          organisationId: clusters.organisationId,
          day: sql<string>`${day}`.as('day'),
          clusterId: sql<string>`${clusters.id}`.as('cluster_id'),
          nodes: value(nodes, 'nodes'),
          groups: value(groups, 'groups'),
          nodeMs: value(nodeMs, 'node_ms'),
          apiCalls: value(0, 'api_calls'),
          webhooks: value(webhooks, 'webhooks'),
          failovers: value(failovers, 'failovers'),
        })
        .from(clusters)
        .where(eq(clusters.id, clusterId)),
    )
    .onConflictDoUpdate({
      target: [usageDays.organisationId, usageDays.day, usageDays.clusterId],
      set: { nodes, groups, nodeMs, webhooks, failovers },
    })
}
