/**
 * Dead man's switches: addresses that are pinged for as long as this cluster's control plane is well, so that somebody
 * else notices when it is not. Well is an object that is awake when it has to be, whose storage has made the
 * next ping durable, that is not behind with what it has to decide, and that reaches the database of endpoints.
 */
import { and, eq, gte, lt, sql } from 'drizzle-orm'
import { LIMITS } from '../../schema/limits.ts'
import { meta } from '../../schema/tables/durable.ts'
import type { ClusterState } from '../core/decision.ts'
import { coreDeadline } from '../core-deadline.ts'
import type { HiveStore } from '../hive-store.ts'
import type { Endpoint, Endpoints } from './endpoints.ts'
import type { Judge } from './judge.ts'
import { ping } from './send.ts'

export interface HeartbeatsAround {
  readonly ctx: DurableObjectState
  readonly store: HiveStore
  readonly env: Env
  readonly endpoints: Endpoints
  readonly judge: Judge
  /** For tests: everything comes this much sooner. */
  readonly factor: number
  state(): ClusterState
  /** When the next one is due has changed. */
  arm(): void
}

/** Keys in `meta`: of each heartbeat, when it is pinged next. */
const [PREFIX, BEHIND] = ['heartbeat/', 'heartbeat0']

export class Heartbeats {
  readonly #around: HeartbeatsAround
  /** By endpoint, when it is due; null: not read yet. */
  #next: Map<string, number> | null = null
  #running = false

  constructor(around: HeartbeatsAround) {
    this.#around = around
  }

  get #due(): Map<string, number> {
    if (!this.#next) {
      const ours = and(gte(meta.key, PREFIX), lt(meta.key, BEHIND))
      const rows = this.#around.store.db.select().from(meta).where(ours).all()
      this.#next = new Map(rows.map(({ key, value }) => [key.slice(PREFIX.length), value]))
    }
    return this.#next
  }

  get #minMs(): number {
    return LIMITS.heartbeatMinMs * this.#around.factor
  }

  #intervalOf({ intervalMs }: Endpoint): number {
    return (intervalMs ?? LIMITS.heartbeatMs) * this.#around.factor
  }

  /** When the object has to be awake; null: for no heartbeat. */
  dueMs(): number | null {
    const all = [...this.#due.values()]
    if (all.length === 0) return null
    return this.#running ? Date.now() + this.#minMs : Math.min(...all)
  }

  /** The object is awake: what is about to be due is pinged along, and needs no wake of its own. */
  wake(): void {
    if (this.#running) return
    const dueMs = this.dueMs()
    if (dueMs !== null && dueMs <= Date.now() + this.#minMs / 4) void this.#run()
  }

  /** Endpoints were made, changed or deleted. Throws nothing: they are read again with the next event. */
  async changed(): Promise<void> {
    const { endpoints, ctx } = this.#around
    try {
      this.see(await endpoints.heartbeatsOf(ctx.id.toString()))
    } catch {
      return
    }
    void this.#run()
  }

  /** All that there are: what is known of others is forgotten, and new ones are due now. */
  see(heartbeats: readonly Endpoint[]): void {
    for (const id of [...this.#due.keys()])
      if (!heartbeats.some((one) => one.id === id)) this.#forget(id)
    for (const { id } of heartbeats) if (!this.#due.has(id)) this.#set(id, Date.now())
  }

  async #run(): Promise<void> {
    if (this.#running || this.#due.size === 0) return
    this.#running = true
    try {
      await this.#round()
    } catch {
      // Not well, which is told by pinging nobody; looked at again before long.
      const nowMs = Date.now()
      for (const [id, atMs] of this.#due) if (atMs <= nowMs) this.#set(id, nowMs + this.#minMs)
    } finally {
      this.#running = false
      this.#around.arm()
    }
  }

  /** @throws {Error} the control plane of this cluster is not well */
  async #round(): Promise<void> {
    const { endpoints, ctx } = this.#around
    const nowMs = Date.now()
    if (this.#isBehind(nowMs)) throw new Error('what was to be decided is overdue')
    const heartbeats = await endpoints.heartbeatsOf(ctx.id.toString())
    this.see(heartbeats)
    const due = heartbeats.filter(
      (one) => (this.#due.get(one.id) ?? 0) <= nowMs + this.#intervalOf(one) / 4,
    )
    for (const one of due) this.#set(one.id, nowMs + this.#intervalOf(one))
    await ctx.storage.sync()
    await Promise.all(due.map((one) => this.#ping(one)))
  }

  /** The hive need not be loaded where nothing is under way. */
  #isBehind(nowMs: number): boolean {
    const { store, state } = this.#around
    const deadline = coreDeadline(store, null, state)
    return deadline !== null && deadline < nowMs - LIMITS.heartbeatBehindMs
  }

  async #ping(endpoint: Endpoint): Promise<void> {
    const { env, judge } = this.#around
    const outcome = await ping(endpoint, env)
    // Again before long: whoever waits for it may not wait for much longer than its interval.
    if (!outcome.delivered && this.#due.has(endpoint.id))
      this.#set(endpoint.id, Date.now() + this.#minMs)
    await judge.look(endpoint, outcome).catch(() => {})
  }

  #set(id: string, atMs: number): void {
    const [key, value] = [`${PREFIX}${id}`, Math.round(atMs)]
    this.#around.store.db
      .insert(meta)
      .values({ key, value })
      .onConflictDoUpdate({ target: meta.key, set: { value: sql`excluded.value` } })
      .run()
    this.#due.set(id, value)
  }

  #forget(id: string): void {
    const key = `${PREFIX}${id}`
    this.#around.store.db.delete(meta).where(eq(meta.key, key)).run()
    this.#due.delete(id)
  }
}
