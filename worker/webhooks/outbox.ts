/** Messages and their deliveries in a cluster's object. Synchronous throughout: no `await` can slip in. */
import { and, asc, desc, eq, gt, gte, inArray, lt, lte, ne, sql } from 'drizzle-orm'
import type { DrizzleSqliteDODatabase } from 'drizzle-orm/durable-sqlite'
import type { DeliveryView } from '../../schema/api/webhooks.ts'
import { LIMITS } from '../../schema/limits.ts'
import {
  webhookAttempts as attempts,
  webhookDeliveries as deliveries,
  webhookMessages as messages,
} from '../../schema/tables/durable.ts'
import { aside } from '../aside.ts'
import type { ClusterState } from '../core/decision.ts'
import type { Endpoint } from './endpoints.ts'
import type { Opened, Told } from './events.ts'
import { outboxStatements } from './outbox-statements.ts'
import type { Outcome } from './send.ts'
import { Troubles } from './troubles.ts'

export type Message = typeof messages.$inferSelect
export type Delivery = typeof deliveries.$inferSelect

const TRIM_EVERY = 500
const SPREAD_AT_ONCE = 500

export class Outbox {
  readonly #db: DrizzleSqliteDODatabase
  readonly #storage: DurableObjectStorage
  readonly #sql: ReturnType<typeof outboxStatements>
  readonly troubles: Troubles
  #open: Map<string, Opened> | null = null
  #newest: number | null = null
  #spread: number | null = null

  /** @param factor by which everything is done sooner: for tests */
  constructor(db: DrizzleSqliteDODatabase, storage: DurableObjectStorage, factor: number) {
    this.troubles = new Troubles(db, factor)
    this.#db = db
    this.#storage = storage
    this.#sql = outboxStatements(db)
  }

  /** Within the transaction of what it tells of. */
  add(said: readonly Told[], opened: readonly Opened[], nowMs: number): void {
    const told = [...said, ...(aside('webhooks', () => this.troubles.begun(said, nowMs)) ?? [])]
    for (const { type, group, data } of told) {
      const row = { id: `msg_${crypto.randomUUID()}`, atMs: nowMs, type, groupName: group }
      this.#sql.add.run({ ...row, data: JSON.stringify(data) })
    }
    for (const { planned, ...rest } of opened)
      this.#sql.open.run({ ...rest, planned: planned ? 1 : 0 })
  }

  /** What was to be read later has been read. */
  complete(n: number, data: unknown): void {
    this.#sql.complete.run({ n, data: JSON.stringify(data) })
  }

  /** Memory may be behind what is committed: it is read anew. */
  changed(): void {
    this.#open = null
    this.#newest = null
    this.troubles.changed()
  }

  /** What follows from no decision: in a transaction of its own. */
  tell(told: readonly Told[], nowMs: number): void {
    this.#storage.transactionSync(() => this.add(told, [], nowMs))
    this.changed()
  }

  /** Tells of trouble that is over by now: a while has passed in which nothing has come. */
  tellRecovered(state: ClusterState, nowMs: number): void {
    const dueMs = this.troubles.dueMs()
    if (dueMs === null || dueMs > nowMs) return
    this.#storage.transactionSync(() => this.add(this.troubles.over(state, nowMs), [], nowMs))
    this.changed()
  }

  get open(): ReadonlyMap<string, Opened> {
    if (!this.#open) {
      const rows = this.#sql.allOpen.all()
      this.#open = new Map(rows.map((r) => [r.groupId, { ...r, planned: r.planned === 1 }]))
    }
    return this.#open
  }

  /** In one transaction: it is told, and no longer waited for. */
  close(groupId: string, told: Told | null, nowMs: number): void {
    this.#storage.transactionSync(() => {
      this.#sql.close.run({ groupId })
      if (told) this.add([told], [], nowMs)
    })
    this.changed()
  }

  /** Sequence number of the last message. */
  get newest(): number {
    this.#newest ??= this.#sql.newest.get()?.n ?? 0
    return this.#newest
  }

  /** Whether there are messages of which endpoints have not been asked. */
  get hasNew(): boolean {
    this.#spread ??= this.#sql.spreadTo.get()?.n ?? 0
    return this.newest > this.#spread
  }

  /** Numbers of messages behind this one, the oldest first. */
  behind(after: number, limit: number): number[] {
    const rows = this.#sql.toSpread.all({ after, upTo: this.newest, limit })
    return rows.map(({ n }) => n)
  }

  /** A delivery for each endpoint that wants it, of so many at a time. */
  spread(endpoints: readonly Endpoint[], upTo: number): void {
    this.#storage.transactionSync(() => {
      const after = this.#spread ?? 0
      const rows = this.#sql.toSpread.all({ after, upTo, limit: SPREAD_AT_ONCE })
      for (const { n, type, groupName } of rows)
        for (const { id, wants } of endpoints)
          if (wants(type, groupName))
            this.#db.insert(deliveries).values({ endpointId: id, n }).onConflictDoNothing().run()
      const value = rows.at(-1)?.n ?? upTo
      this.#sql.setSpreadTo.run({ value })
      if (rows.some(({ n }) => n % TRIM_EVERY === 0)) this.#trim(value)
      this.#spread = value
    })
  }

  #trim(newest: number): void {
    const over = newest - LIMITS.webhookMessagesKept
    this.#db.delete(messages).where(lte(messages.n, over)).run()
    this.#db.delete(deliveries).where(lte(deliveries.n, over)).run()
  }

  /** Not only with messages: what fails is tried again for days, also where nothing new comes. */
  #trimAttempts(newest: number): void {
    if (newest % TRIM_EVERY !== 0) return
    const over = newest - LIMITS.webhookAttemptsKept
    this.#db.delete(attempts).where(lte(attempts.id, over)).run()
  }

  /** The oldest that has not been tried. */
  first(endpointId: string): Delivery | null {
    return this.#sql.first.get({ endpointId }) ?? null
  }

  /** Endpoints for which something has not been tried. */
  waitedFor(): string[] {
    return this.#sql.waitedFor.all().map(({ id }) => id)
  }

  /** Those whose time to be tried again has come, the one that has waited longest first. */
  retries(nowMs: number, limit: number): Delivery[] {
    return this.#sql.retries.all({ nowMs, limit })
  }

  /** Whether something has not been tried, or is to be tried again by now. */
  isDue(nowMs: number): boolean {
    return this.#sql.due.get({ nowMs }) !== undefined
  }

  /** Is being tried again: nobody else takes it, unless whoever does so is gone by then. */
  claim({ endpointId, n }: Delivery, untilMs: number): void {
    this.#db
      .update(deliveries)
      .set({ nextAtMs: untilMs })
      .where(and(eq(deliveries.endpointId, endpointId), eq(deliveries.n, n)))
      .run()
  }

  /** When the next one is to be tried again; null: none is. */
  nextAtMs(): number | null {
    return this.#sql.next.get()?.at ?? null
  }

  message(n: number): Message | null {
    return this.#sql.message.get({ n }) ?? null
  }

  /** Whether something that is newer was told to the endpoint, or is to be, about the same group or node. */
  isOvertaken({ endpointId, n }: Pick<Delivery, 'endpointId' | 'n'>): boolean {
    const about = sql`coalesce(json_extract(${messages.data}, '$.group.id'), json_extract(${messages.data}, '$.node.id'))`
    const same = this.#db.select({ is: about }).from(messages).where(eq(messages.n, n))
    const newer = and(eq(deliveries.endpointId, endpointId), gt(deliveries.n, n))
    const found = this.#db
      .select({ n: deliveries.n })
      .from(deliveries)
      .innerJoin(messages, eq(messages.n, deliveries.n))
      .where(and(newer, ne(deliveries.state, 'gaveUp'), sql`${about} = ${same}`))
      .limit(1)
    return found.get() !== undefined
  }

  /** @param nextAtMs null: not again */
  attempted({ endpointId, n, attempts: before }: Delivery, to: Outcome, nextAtMs: number | null) {
    this.#storage.transactionSync(() => {
      const { delivered, status, detail, ms } = to
      const state = delivered ? 'delivered' : nextAtMs === null ? 'gaveUp' : 'pending'
      this.#db
        .update(deliveries)
        .set({ attempts: before + 1, state, nextAtMs: nextAtMs ?? 0 })
        .where(and(eq(deliveries.endpointId, endpointId), eq(deliveries.n, n)))
        .run()
      const row = { endpointId, n, atMs: Date.now(), status, detail, ms: Math.round(ms) }
      const { id } = this.#db.insert(attempts).values(row).returning({ id: attempts.id }).get()
      this.#trimAttempts(id)
    })
  }

  /** Nothing is tried any more for an endpoint that is off or gone: it can be recovered later. */
  giveUp(endpointId: string): void {
    this.#db
      .update(deliveries)
      .set({ state: 'gaveUp', nextAtMs: 0 })
      .where(and(eq(deliveries.endpointId, endpointId), eq(deliveries.state, 'pending')))
      .run()
  }

  /** @returns how many are to be sent again */
  replay(
    { id, wants, lastWordCounts }: Pick<Endpoint, 'id' | 'wants'> & { lastWordCounts: boolean },
    ask: { message: string } | { sinceMs: number },
  ): number {
    if ('message' in ask) {
      const found = this.#db.select().from(messages).where(eq(messages.id, ask.message)).get()
      if (!found) return 0
      this.#again(id, found.n)
      return 1
    }
    const done = this.#db
      .select({ n: deliveries.n })
      .from(deliveries)
      .where(and(eq(deliveries.endpointId, id), ne(deliveries.state, 'gaveUp')))
    const missed = this.#db
      .select()
      .from(messages)
      .where(and(gte(messages.atMs, ask.sinceMs), sql`${messages.n} not in ${done}`))
      .orderBy(asc(messages.n))
      .all()
      .filter(({ type, groupName }) => wants(type, groupName))
      .filter(({ n }) => !lastWordCounts || !this.isOvertaken({ endpointId: id, n }))
    for (const { n } of missed) this.#again(id, n)
    return missed.length
  }

  #again(endpointId: string, n: number): void {
    const set = { state: 'pending', attempts: 0, nextAtMs: 0 }
    const target = [deliveries.endpointId, deliveries.n]
    this.#db
      .insert(deliveries)
      .values({ endpointId, n, ...set })
      .onConflictDoUpdate({ target, set })
      .run()
  }

  /** Newest first. */
  list(
    endpointId: string,
    {
      before,
      limit = 50,
      state,
    }: { before?: number | undefined; limit?: number | undefined; state?: string | undefined },
  ): DeliveryView[] {
    const rows = this.#db
      .select({ delivery: deliveries, message: messages })
      .from(deliveries)
      .innerJoin(messages, eq(messages.n, deliveries.n))
      .where(
        and(
          eq(deliveries.endpointId, endpointId),
          before === undefined ? undefined : lt(deliveries.n, before),
          state === undefined ? undefined : eq(deliveries.state, state),
        ),
      )
      .orderBy(desc(deliveries.n))
      .limit(limit)
      .all()
    const log = this.#logOf(
      endpointId,
      rows.map(({ delivery }) => delivery.n),
    )
    return rows.map(({ delivery, message }) => ({
      ...{ message: message.id, sequence: message.n, type: message.type, atMs: message.atMs },
      state: delivery.state as DeliveryView['state'],
      attempts: delivery.attempts,
      nextAtMs: delivery.state !== 'pending' ? null : delivery.nextAtMs || message.atMs,
      log: log.get(message.n) ?? [],
    }))
  }

  #logOf(endpointId: string, ns: readonly number[]): Map<number, DeliveryView['log']> {
    const out = new Map<number, DeliveryView['log']>()
    // So many at a time: a statement of the platform has at most 100 bindings.
    for (let at = 0; at < ns.length; at += 90) {
      const some = ns.slice(at, at + 90)
      const rows = this.#db
        .select()
        .from(attempts)
        .where(and(eq(attempts.endpointId, endpointId), inArray(attempts.n, some)))
        .orderBy(desc(attempts.id))
        .all()
      for (const { n, atMs, status, detail, ms } of rows)
        out.set(n, [...(out.get(n) ?? []), { atMs, status, detail, ms }])
    }
    return out
  }
}
