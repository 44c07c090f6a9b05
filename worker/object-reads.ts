import { and, asc, desc, eq, gt, gte, inArray, lte, or } from 'drizzle-orm'
import type { AuditPage, AuditQuery } from '../schema/api/audit.ts'
import type { ClusterView, EventView, EvidenceView, LogView } from '../schema/api/bodies.ts'
import type { OperationSummary, OperationView } from '../schema/api/operations.ts'
import type { ReplayView } from '../schema/api/replay.ts'
import type { SimulateAsk, Simulation } from '../schema/api/simulate.ts'
import type { TimelineView } from '../schema/api/timeline.ts'
import type { ClusterUsage } from '../schema/api/usage.ts'
import type { WhyView } from '../schema/api/why.ts'
import type { Refusal } from '../schema/errors.ts'
import { fromDocument } from '../schema/hive.ts'
import type { Family } from '../schema/open-metrics.ts'
import { journal, log, updates } from '../schema/tables/durable.ts'
import type { Update } from '../schema/update.ts'
import { AuditStore } from './audit-store.ts'
import {
  type BackupHead,
  type BackupLines,
  type BackupRead,
  backupHead,
  backupLines,
} from './backup-reads.ts'
import { clusterMetrics } from './core/cluster-metrics.ts'
import { hiveKey, hiveTree } from './core/database-manager.ts'
import type { ClusterState } from './core/decision.ts'
import { managersOf, withManagers } from './core/managers.ts'
import { type CatalogueEntry, typeViews } from './core/type-views.ts'
import { type SessionInfo, viewCluster } from './core/view.ts'
import { whatIf } from './core/what-if.ts'
import type { HiveStore } from './hive-store.ts'
import { readEvidence } from './incident-store.ts'
import { type Kind, type Named, namedIn, type Shown, thingIn } from './named-things.ts'
import { listOperations, type OperationsAsk, readOperation } from './operation-reads.ts'
import { stateAt } from './past.ts'
import { type ReplayAsk, replayJournal } from './replay-reads.ts'
import type { Sockets } from './sockets.ts'
import { readTimelines, type TimelineAsk } from './timeline-reads.ts'
import { eventView, readWhy, type WhyAsk } from './why-reads.ts'

export interface Waiter {
  /** Wait for updates behind this number, changes of what is observed, or log lines behind it. */
  seq?: number
  observed?: number | undefined
  logId?: number
}

export interface LogFilter {
  component?: string | undefined
  resourceId?: string | undefined
  /** Lines about the group itself, or about a resource that is in it now. */
  groupId?: string | undefined
  /** Name of the node that wrote it; `control` for the control plane. */
  node?: string | undefined
  correlationId?: string | undefined
  /** Instants, both included. */
  sinceMs?: number | undefined
  untilMs?: number | undefined
}

export type Read =
  | { what: 'cluster' }
  | BackupRead
  | { what: 'named'; kind: Kind; references: readonly string[] }
  | { what: 'thing'; kind: Kind; reference: string }
  /** `each`: also of single nodes, groups and resources. */
  | { what: 'metrics'; each: boolean }
  | { what: 'hive'; path?: string | undefined; version?: number | undefined }
  | { what: 'events'; after: number; limit: number }
  | ({ what: 'log'; after: number | null; limit: number } & LogFilter)
  | ({ what: 'why' } & WhyAsk)
  | { what: 'nodeByKey'; publicKey: string }
  | { what: 'usage' }
  | { what: 'evidence'; resourceId: string }
  | { what: 'types' }
  | { what: 'simulate'; ask: SimulateAsk }
  | ({ what: 'timelines' } & TimelineAsk)
  | { what: 'audit'; query: AuditQuery }
  | ({ what: 'operations' } & OperationsAsk)
  | { what: 'operation'; id: string }
  | ({ what: 'replay' } & ReplayAsk)

interface ReadAnswers {
  backup: BackupHead | null
  backupLines: BackupLines
  cluster: ClusterView
  named: (Named | null)[]
  thing: Shown[Kind] | null
  metrics: Family[]
  hive: { seq: number; hash: string; value: unknown } | null
  events: { events: EventView[]; next: number; observed: number }
  log: { entries: LogView[]; next: number }
  nodeByKey: { id: string; name: string } | null
  usage: ClusterUsage
  why: WhyView | null
  evidence: EvidenceView
  types: CatalogueEntry[]
  simulate: Simulation | { refused: Refusal }
  timelines: TimelineView[]
  audit: AuditPage
  operations: OperationSummary[]
  operation: OperationView | null
  replay: Promise<ReplayView | { refused: Refusal }>
}
export type AnswerTo<R extends Read> = ReadAnswers[R['what']]

/** What the shell knows of sessions beyond the sockets. */
export interface Hears {
  /** For each node the names of those that hear it (S-17). */
  heardBy(): ReadonlyMap<string, string[]>
  /** Without a session: how long ago the last answer was, or null when it is not known. */
  silentForMs(nodeId: string): number | null
}

/** Everything that only looks: answers of the object that change nothing. */
export class ObjectReads {
  readonly #store: HiveStore
  readonly #sockets: Sockets
  readonly #hears: Hears
  readonly #state: () => ClusterState & { hash: string }
  readonly #awakeSinceMs = Date.now()
  #waiters: (() => boolean)[] = []

  constructor(
    store: HiveStore,
    sockets: Sockets,
    hears: Hears,
    state: () => ClusterState & { hash: string },
  ) {
    this.#store = store
    this.#sockets = sockets
    this.#hears = hears
    this.#state = state
  }

  read<R extends Read>(r: R): AnswerTo<R> {
    return this.#answer(r) as AnswerTo<R>
  }

  #answer(r: Read): ReadAnswers[Read['what']] {
    switch (r.what) {
      case 'cluster':
        return this.#cluster()
      case 'backup':
        return backupHead(this.#store, this.#state())
      case 'backupLines':
        return backupLines(this.#store, r)
      case 'named':
        return namedIn(this.#state(), r.kind, r.references)
      case 'thing':
        return thingIn(this.#state(), () => this.#sessions(), { ...r, nowMs: Date.now() })
      case 'metrics':
        return this.#metrics(r.each)
      case 'hive':
        return this.#hive(r.path ?? '', r.version)
      case 'events':
        return this.#events(r.after, r.limit)
      case 'log':
        return this.#log(r)
      case 'why':
        return this.#why(r)
      case 'evidence':
        return this.#evidence(r.resourceId)
      case 'types':
        return typeViews(this.#state())
      case 'simulate':
        return whatIf(this.#state(), r.ask, Date.now())
      case 'audit':
        return new AuditStore(this.#store.db).read(this.#state().hive.cluster?.id ?? '', r.query)
      case 'timelines':
        return readTimelines(this.#store, this.#state(), r)
      case 'operations':
        return listOperations(this.#store, this.#state(), r)
      case 'operation':
        return readOperation(this.#store, this.#state(), r.id)
      case 'replay':
        return replayJournal(this.#store, r)
      case 'usage': {
        const { nodes, groups, resources } = this.#state().hive
        const counts = { nodes: nodes.size, groups: groups.size, resources: resources.size }
        return { ...counts, storedBytes: this.#store.storedBytes }
      }
      case 'nodeByKey': {
        const found = [...this.#state().hive.nodes.values()].find(
          (n) => n.publicKey === r.publicKey,
        )
        return found ? { id: found.id, name: found.name } : null
      }
    }
  }

  /** Sessions of then are not kept: who was connected is of now, and shown for now alone. */
  #why(ask: WhyAsk): WhyView | null {
    const state = ask.atMs === undefined ? this.#state() : stateAt(this.#store, ask.atMs)
    if (!state) return null
    const sessions = ask.atMs === undefined ? this.#sessions() : new Map<string, SessionInfo>()
    return readWhy(this.#store, state, sessions, ask)
  }

  #evidence(resourceId: string): EvidenceView {
    const { nodes } = this.#state().hive
    const incidents = readEvidence(this.#store.db, resourceId)
    return {
      incidents: incidents.map(({ nodeId, ...one }) => ({
        ...{ node: nodes.get(nodeId)?.name ?? nodeId, ...one },
      })),
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

  /** How far the cluster is: last update, and last change of anything. Needs no hive. */
  progress(): { seq: number; observed: number } {
    const { db } = this.#store
    const newest = db.select({ seq: updates.seq }).from(updates).orderBy(desc(updates.seq)).limit(1)
    return { seq: newest.get()?.seq ?? 0, observed: this.#lastChange() }
  }

  #lastChange(): number {
    const { db } = this.#store
    const newest = db.select({ id: journal.id }).from(journal).orderBy(desc(journal.id)).limit(1)
    return newest.get()?.id ?? 0
  }

  wakeWaiters(): void {
    this.#waiters = this.#waiters.filter((woken) => !woken())
  }

  #came(after: Waiter): boolean {
    if (after.seq !== undefined && this.#state().hive.seq > after.seq) return true
    if (after.observed !== undefined && this.#lastChange() > after.observed) return true
    return after.logId !== undefined && this.#lastLogId() > after.logId
  }

  #lastLogId(): number {
    const { db } = this.#store
    return db.select({ id: log.id }).from(log).orderBy(desc(log.id)).limit(1).get()?.id ?? 0
  }

  #cluster(): ClusterView {
    const state = this.#state()
    const nowMs = Date.now()
    const sessions = this.#sessions()
    const view = viewCluster(state, sessions, state.hash, nowMs)
    const managers = managersOf(state, {
      ...{ sessions, nowMs, hash: state.hash, stored: this.#store.last() },
      behind: new Map(
        this.#sockets
          .allWelcomed()
          .map(({ attachment }) => [attachment.nodeId, state.hive.seq - attachment.sentSeq]),
      ),
    })
    return withManagers(view, managers)
  }

  #metrics(each: boolean): Family[] {
    const { seq } = this.#state().hive
    const sessions = this.#sockets.allWelcomed().map(({ attachment }) => {
      const { nodeId, sentSeq, version = '' } = attachment
      return [nodeId, { behind: seq - sentSeq, version }] as const
    })
    const facts = {
      ...{ counted: this.#store.counters.all(), sessions: new Map(sessions) },
      ...{ ...this.#store.size(), awakeSinceMs: this.#awakeSinceMs },
    }
    return clusterMetrics(this.#cluster(), facts, each)
  }

  /** How each node stands now. */
  #sessions(): Map<string, SessionInfo> {
    const nowMs = Date.now()
    const sessions = new Map<string, SessionInfo>()
    const heard = this.#hears.heardBy()
    for (const nodeId of this.#state().hive.nodes.keys())
      sessions.set(nodeId, {
        connected: false,
        lastAnswerAgoMs: this.#hears.silentForMs(nodeId),
        heardBy: heard.get(nodeId) ?? [],
        clock: null,
      })
    for (const { ws, attachment } of this.#sockets.allWelcomed()) {
      const { lastAnswerMs } = this.#sockets.open(ws, attachment)
      const lastAnswerAgoMs = lastAnswerMs === null ? null : Math.max(0, nowMs - lastAnswerMs)
      const heardBy = heard.get(attachment.nodeId) ?? []
      const { clock = null } = attachment
      sessions.set(attachment.nodeId, { connected: true, lastAnswerAgoMs, heardBy, clock })
    }
    return sessions
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
    const rows = this.#store.db
      .select()
      .from(updates)
      .where(gt(updates.seq, after))
      .orderBy(asc(updates.seq))
      .limit(limit)
      .all()
    const state = this.#state()
    const events = rows.map((row) => eventView(JSON.parse(row.body) as Update, state))
    return { events, next: rows.at(-1)?.seq ?? after, observed: this.#lastChange() }
  }

  #ofMembers(groupId: string) {
    const members = [...this.#state().hive.resources.values()].filter((x) => x.groupId === groupId)
    const ids = members.map((x) => x.id)
    return ids.length > 0 ? inArray(log.resourceId, ids) : undefined
  }

  #log(r: Extract<Read, { what: 'log' }>): ReadAnswers['log'] {
    const { hive } = this.#state()
    const where = and(
      r.after === null ? undefined : gt(log.id, r.after),
      r.component ? eq(log.component, r.component) : undefined,
      r.groupId ? or(eq(log.groupId, r.groupId), this.#ofMembers(r.groupId)) : undefined,
      r.node ? eq(log.node, r.node) : undefined,
      r.sinceMs === undefined ? undefined : gte(log.atMs, r.sinceMs),
      r.untilMs === undefined ? undefined : lte(log.atMs, r.untilMs),
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
