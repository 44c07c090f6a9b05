import { and, asc, desc, eq, gt } from 'drizzle-orm'
import type { ClusterView, EventView, LogView } from '../schema/api/bodies.ts'
import { fromDocument } from '../schema/hive.ts'
import { log, updates } from '../schema/tables/durable.ts'
import type { Update } from '../schema/update.ts'
import { hiveKey, hiveTree } from './core/database-manager.ts'
import type { ClusterState } from './core/decision.ts'
import { explain } from './core/explain.ts'
import { viewCluster } from './core/view.ts'
import type { HiveStore } from './hive-store.ts'
import type { Sockets } from './sockets.ts'

export interface Waiter {
  /** Wait for updates behind this number, or for log lines behind it. */
  seq?: number
  logId?: number
}

export type Read =
  | { what: 'cluster' }
  | { what: 'hive'; path?: string | undefined; version?: number | undefined }
  | { what: 'events'; after: number; limit: number }
  | {
      what: 'log'
      after: number | null
      limit: number
      component?: string | undefined
      resourceId?: string | undefined
      correlationId?: string | undefined
    }
  | { what: 'nodeByKey'; publicKey: string }

interface ReadAnswers {
  cluster: ClusterView
  hive: { seq: number; hash: string; value: unknown } | null
  events: { events: EventView[]; next: number }
  log: { entries: LogView[]; next: number }
  nodeByKey: { id: string; name: string } | null
}
export type AnswerTo<R extends Read> = ReadAnswers[R['what']]

/** Everything that only looks: answers of the object that change nothing. */
export class ObjectReads {
  readonly #store: HiveStore
  readonly #sockets: Sockets
  readonly #state: () => ClusterState & { hash: string }
  #waiters: (() => boolean)[] = []

  constructor(store: HiveStore, sockets: Sockets, state: () => ClusterState & { hash: string }) {
    this.#store = store
    this.#sockets = sockets
    this.#state = state
  }

  read<R extends Read>(r: R): AnswerTo<R> {
    return this.#answer(r) as AnswerTo<R>
  }

  #answer(r: Read): ReadAnswers[Read['what']] {
    switch (r.what) {
      case 'cluster':
        return this.#cluster()
      case 'hive':
        return this.#hive(r.path ?? '', r.version)
      case 'events':
        return this.#events(r.after, r.limit)
      case 'log':
        return this.#log(r)
      case 'nodeByKey': {
        const found = [...this.#state().hive.nodes.values()].find(
          (n) => n.publicKey === r.publicKey,
        )
        return found ? { id: found.id, name: found.name } : null
      }
    }
  }

  async wait(after: Waiter, ms: number): Promise<void> {
    if (this.#came(after)) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#waiters.push(() => {
        if (!this.#came(after)) return false
        clearTimeout(timer)
        resolve()
        return true
      })
    })
  }

  wakeWaiters(): void {
    this.#waiters = this.#waiters.filter((woken) => !woken())
  }

  #came(after: Waiter): boolean {
    if (after.seq !== undefined && this.#state().hive.seq > after.seq) return true
    return after.logId !== undefined && this.#lastLogId() > after.logId
  }

  #lastLogId(): number {
    const { db } = this.#store
    return db.select({ id: log.id }).from(log).orderBy(desc(log.id)).limit(1).get()?.id ?? 0
  }

  #cluster(): ClusterView {
    const nowMs = Date.now()
    const sessions = new Map<string, { lastAnswerAgoMs: number | null }>()
    for (const { ws, attachment } of this.#sockets.allWelcomed()) {
      const { lastAnswerMs } = this.#sockets.open(ws, attachment)
      const ago = lastAnswerMs === null ? null : Math.max(0, nowMs - lastAnswerMs)
      sessions.set(attachment.nodeId, { lastAnswerAgoMs: ago })
    }
    const state = this.#state()
    return viewCluster(state, sessions, state.hash, nowMs)
  }

  #hive(path: string, version: number | undefined) {
    const state = this.#state()
    if (version === undefined) {
      const value = path === '' ? hiveTree(state.hive) : hiveKey(state.hive, path)
      return value === undefined ? null : { seq: state.hive.seq, hash: state.hash, value }
    }
    const kept = this.#store.snapshot(version)
    if (!kept) return null
    const value = hiveKey(fromDocument(kept.document), path)
    return value === undefined ? null : { seq: kept.document.seq, hash: kept.hash, value }
  }

  #events(after: number, limit: number): ReadAnswers['events'] {
    const { hive } = this.#state()
    const rows = this.#store.db
      .select()
      .from(updates)
      .where(gt(updates.seq, after))
      .orderBy(asc(updates.seq))
      .limit(limit)
      .all()
    const events = rows.map((row) => {
      const u = JSON.parse(row.body) as Update
      const { seq, atMs, because, correlationId } = u
      return { seq, atMs, ...explain(u, hive), because, correlationId }
    })
    return { events, next: rows.at(-1)?.seq ?? after }
  }

  #log(r: Extract<Read, { what: 'log' }>): ReadAnswers['log'] {
    const { hive } = this.#state()
    const where = and(
      r.after === null ? undefined : gt(log.id, r.after),
      r.component ? eq(log.component, r.component) : undefined,
      r.resourceId ? eq(log.resourceId, r.resourceId) : undefined,
      r.correlationId ? eq(log.correlationId, r.correlationId) : undefined,
    )
    const query = this.#store.db.select().from(log).where(where).limit(r.limit)
    const rows =
      r.after === null
        ? query.orderBy(desc(log.id)).all().reverse()
        : query.orderBy(asc(log.id)).all()
    return {
      entries: rows.map((row) => ({
        id: row.id,
        atMs: row.atMs,
        node: row.node,
        component: row.component,
        group: row.groupId ? (hive.groups.get(row.groupId)?.name ?? row.groupId) : null,
        resource: row.resourceId ? (hive.resources.get(row.resourceId)?.name ?? null) : null,
        resourceId: row.resourceId,
        correlationId: row.correlationId,
        message: row.message,
      })),
      next: rows.at(-1)?.id ?? r.after ?? 0,
    }
  }
}
