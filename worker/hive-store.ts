import { createHash } from 'node:crypto'
import { and, asc, desc, eq, gt, lt, sql } from 'drizzle-orm'
import { type DrizzleSqliteDODatabase, drizzle } from 'drizzle-orm/durable-sqlite'
import { canonicalJson } from '../schema/canonical.ts'
import type { Event } from '../schema/event.ts'
import {
  emptyHive,
  fromDocument,
  type Hive,
  type HiveDocument,
  toDocument,
} from '../schema/hive.ts'
import { LIMITS } from '../schema/limits.ts'
import {
  applyObservation,
  emptyObserved,
  type Observation,
  type Observed,
} from '../schema/observed.ts'
import * as t from '../schema/tables/durable.ts'
import { PROFILES, profileName, type Timing } from '../schema/timing.ts'
import { applyUpdate, type Update } from '../schema/update.ts'
import { snapshotDue } from './core/database-manager.ts'
import type { ClusterState, Decision, LogLine } from './core/decision.ts'
import { Counters } from './counters.ts'
import { hiveStatements } from './hive-statements.ts'
import { forgetEvidence, storeEvidence } from './incident-store.ts'
import { UsageMeter } from './usage-meter.ts'

/** Old rows are looked for once in so many new ones. */
const TRIM_EVERY = 1_000
/** Several entries may come for one update, so more of them are kept. */
const JOURNAL_ENTRIES_KEPT = 10 * LIMITS.journalRowsKept

const PLACE = 'place/'
/** A deadline of the hive: milliseconds since the Unix epoch; 0: it has not been looked for. */
const STANDING = 'standingMs'
const NEVER = -1

export const EMPTY_HASH = '0'.repeat(64)

/** A log line as it is stored: with the clock and the place it was written at. */
export interface StoredLine extends Omit<LogLine, 'after'> {
  atMs: number
  node: string
}

/** What else is written with a decision, in its transaction and not without it. */
export type Also = (decision: Decision) => void

/** The report of a node whose effect is committed, for once-only delivery (S-16). */
interface ReportMark {
  nodeId: string
  run: string
  n: number
}

/** The hive's rows in the Durable Object's SQLite. Synchronous throughout: no `await` can slip in. */
export class HiveStore {
  readonly db: DrizzleSqliteDODatabase
  readonly counters: Counters
  readonly usage: UsageMeter
  readonly #storage: DurableObjectStorage
  readonly #sql
  #timing: Timing | null = null
  /** As it is stored, once it was read. */
  #standing: number | null = null

  /** @param isMetered whether what is used is noted for the organisation */
  constructor(storage: DurableObjectStorage, isMetered: boolean) {
    this.#storage = storage
    this.db = drizzle(storage)
    this.usage = new UsageMeter(this.db, isMetered)
    this.counters = new Counters(this.db, this.usage)
    this.#sql = hiveStatements(this.db)
  }

  /** Whether there is anything: tables are made with the cluster, and gone with it. */
  get exists(): boolean {
    const named = "select 1 from sqlite_master where name = '__drizzle_migrations'"
    return this.#storage.sql.exec(named).toArray().length > 0
  }

  /** Newest snapshot, and the updates behind it folded in. */
  load(): ClusterState & { hash: string } {
    const newest = this.db
      .select({ seq: t.snapshots.seq })
      .from(t.snapshots)
      .orderBy(desc(t.snapshots.seq))
      .limit(1)
      .get()
    const start = newest ? this.snapshot(newest.seq) : null
    const hive: Hive = start ? fromDocument(start.document) : emptyHive()
    let hash = start?.hash ?? EMPTY_HASH
    const rest = this.db
      .select()
      .from(t.updates)
      .where(gt(t.updates.seq, hive.seq))
      .orderBy(asc(t.updates.seq))
      .all()
    for (const row of rest) {
      applyUpdate(hive, JSON.parse(row.body) as Update)
      hash = row.hash
    }
    return { hive, observed: this.#loadObserved(), hash }
  }

  #loadObserved(): Observed {
    const observed = emptyObserved()
    const rows = [t.observed, t.plans].flatMap((from) => this.db.select().from(from).all())
    for (const row of rows)
      applyObservation(observed, {
        table: row.table,
        id: row.id,
        value: JSON.parse(row.body),
      } as Observation)
    return observed
  }

  /**
   * One transaction: updates with their hashes, journal entry, observations, log, and what else
   * belongs to it. All or nothing (S-11).
   *
   * @returns the hash of the chain after the last update
   */
  commit(
    event: Event,
    nowMs: number,
    decision: Decision,
    hash: string,
    firstSeq: number,
    lines: readonly StoredLine[],
    also: Also | null,
  ): string {
    return this.#storage.transactionSync(() => {
      let chain = hash
      for (const u of decision.updates) {
        chain = chainHash(chain, u)
        const body = JSON.stringify(u)
        this.#sql.addUpdate.run({ seq: u.seq, atMs: u.atMs, hash: chain, body })
      }
      if (decision.updates.length > 0 || decision.observations.length > 0) {
        const row = { atMs: nowMs, firstSeq, event: JSON.stringify(event) }
        this.#trimJournal(this.#sql.addJournal.get(row)?.id ?? 0)
      }
      for (const o of decision.observations) this.#observe(o)
      this.appendLog(lines)
      also?.(decision)
      for (const evidence of decision.evidence ?? []) storeEvidence(this.db, evidence)
      for (const u of decision.updates) this.#noteForSessions(u)
      return chain
    })
  }

  #observe({ table, id, value }: Observation): void {
    const { observe, forget, plan, forgetPlan } = this.#sql
    const [keep, drop] = table === 'drain' ? [plan, forgetPlan] : [observe, forget]
    if (value === null) drop.run({ table, id })
    else keep.run({ table, id, body: JSON.stringify(value) })
  }

  /** What starts, confirms and closes need to know without loading the hive. */
  #noteForSessions(u: Update): void {
    const { change } = u
    if (change.table === 'cluster') {
      this.#timing = null
      this.#setMark('profile', profileName.options.indexOf(change.value.profile))
    }
    if (change.table === 'resource' && change.value === null) forgetEvidence(this.db, change.id)
    if (change.table !== 'node') return
    const was = this.session(change.id)?.up ?? 0
    const isUp = change.value === null || change.value.state === 'down' ? 0 : 1
    if (was !== isUp) this.usage.nodesUp(isUp - was, u.atMs)
    if (change.value === null) {
      this.db.delete(t.sessions).where(eq(t.sessions.nodeId, change.id)).run()
      this.unmarkPlace(change.id)
      return
    }
    const { name, under, fence } = change.value
    this.#sql.noteNode.run({
      ...{ nodeId: change.id, name },
      up: isUp,
      underFence: under === 'fence' ? 1 : 0,
      fence: fence ? 1 : 0,
    })
  }

  /** Of the whole database, free pages included. */
  get storedBytes(): number {
    return this.#storage.sql.databaseSize
  }

  /** The times of the cluster's profile. */
  timing(): Timing {
    this.#timing ??= PROFILES[profileName.options[this.#mark('profile')] ?? 'standard']
    return this.#timing
  }

  appendLog(lines: readonly StoredLine[]): void {
    let newest = 0
    for (const line of lines) {
      const { groupId = null, resourceId = null, correlationId = null, ...rest } = line
      newest = this.#sql.addLine.get({ ...rest, groupId, resourceId, correlationId })?.id ?? newest
    }
    // Not only with a snapshot: a cluster that changes little may still say a lot.
    if (newest % TRIM_EVERY >= lines.length) return
    this.db
      .delete(t.log)
      .where(lt(t.log.id, newest - LIMITS.logRowsKept))
      .run()
  }

  /** What only observed something leaves entries too, without any update that would bound them. */
  #trimJournal(newest: number): void {
    if (newest % TRIM_EVERY !== 0) return
    this.db
      .delete(t.journal)
      .where(lt(t.journal.id, newest - JOURNAL_ENTRIES_KEPT))
      .run()
  }

  /** Takes a snapshot when one is due, and lets go of what lies before the one before it. */
  boundJournal(hive: Hive, hash: string): void {
    if (!snapshotDue(hive.seq, this.#mark('snapshotSeq'))) return
    this.#storage.transactionSync(() => {
      this.#writeSnapshot(hive, hash)
      const keepFrom = hive.seq - LIMITS.journalRowsKept
      this.db.delete(t.updates).where(lt(t.updates.seq, keepFrom)).run()
      this.db.delete(t.journal).where(lt(t.journal.firstSeq, keepFrom)).run()
      this.db
        .delete(t.snapshots)
        .where(and(gt(t.snapshots.seq, 1), lt(t.snapshots.seq, keepFrom)))
        .run()
      const newest = this.db.select({ id: sql<number>`max(id)` }).from(t.log).get()?.id ?? 0
      this.db
        .delete(t.log)
        .where(lt(t.log.id, newest - LIMITS.logRowsKept))
        .run()
    })
  }

  #writeSnapshot(hive: Hive, hash: string): void {
    const texts = inParts(JSON.stringify(toDocument(hive)))
    texts.forEach((body, part) => {
      this.db
        .insert(t.snapshots)
        .values({ seq: hive.seq, part, parts: texts.length, hash, body })
        .onConflictDoNothing()
        .run()
    })
    this.#setMark('snapshotSeq', hive.seq)
  }

  snapshot(seq: number): { document: HiveDocument; hash: string } | null {
    const parts = this.db
      .select()
      .from(t.snapshots)
      .where(eq(t.snapshots.seq, seq))
      .orderBy(asc(t.snapshots.part))
      .all()
    const first = parts[0]
    if (!first || parts.length !== first.parts) return null
    return { document: JSON.parse(parts.map((p) => p.body).join('')), hash: first.hash }
  }

  /** Updates `from`…`to` in order; shorter than asked when the journal no longer has them. */
  updates(from: number, to: number, limit: number = LIMITS.updatesPerFrameMax) {
    return this.#sql.updates
      .all({ from, to, limit })
      .map((row) => ({ hash: row.hash, update: JSON.parse(row.body) as Update }))
  }

  /** The last update that is stored, and the hash of the chain up to it. */
  last(): { seq: number; hash: string } {
    return this.#sql.last.get() ?? { seq: 0, hash: EMPTY_HASH }
  }

  /** The hash of the chain at `seq`, or null when the journal no longer has it. */
  hashAt(seq: number): string | null {
    if (seq === 0) return EMPTY_HASH
    return this.#sql.hashAt.get({ seq })?.hash ?? null
  }

  /** What there is of it: in the file, of the journal, and of sessions ever. */
  size(): { databaseBytes: number; journalEntries: number; sessionsBegun: number } {
    const ids = { first: sql<number | null>`min(id)`, last: sql<number | null>`max(id)` }
    const { first, last } = this.db.select(ids).from(t.journal).get() ?? {}
    return {
      databaseBytes: this.storedBytes,
      journalEntries: first && last ? last - first + 1 : 0,
      sessionsBegun: this.#mark('session'),
    }
  }

  /** A new number from the durable counter (S1). */
  nextSession(): number {
    const next = this.#mark('session') + 1
    this.#setMark('session', next)
    return next
  }

  session(nodeId: string) {
    return this.#sql.session.get({ nodeId })
  }

  nodesUp(): string[] {
    return this.#sql.nodesUp.all().map((row) => row.nodeId)
  }

  /** Whether the core has to hear of lost sessions: most clusters have no fencing at all. */
  hasFencing(): boolean {
    return this.#sql.anyFencing.get() !== undefined
  }

  noteAttempt(nodeId: string, attempt: number): void {
    this.#sql.noteAttempt.run({ nodeId, attempt })
  }

  markReport({ run, n, nodeId }: ReportMark): void {
    this.#sql.markReport.run({ run, n, nodeId })
  }

  /** The write behind which confirms are answered (L3, L6). */
  writeConfirm(atMs: number, count: number): void {
    this.#sql.writeConfirm.run({ atMs, count })
  }

  /**
   * When the core must be stepped at the latest, as far as that is known without the hive.
   *
   * @returns milliseconds since the Unix epoch; null: never; undefined: only the hive can tell
   */
  deadline(): number | null | undefined {
    if (this.#sql.anyDeadline.get() ?? this.#sql.anyPlan.get()) return undefined
    this.#standing ??= this.#mark(STANDING)
    if (this.#standing === 0) return undefined
    return this.#standing === NEVER ? null : this.#standing
  }

  /** Of the hive: so that nobody has to load it to know. */
  noteStanding(deadlineMs: number | null): void {
    const standing = deadlineMs ?? NEVER
    this.#standing ??= this.#mark(STANDING)
    if (this.#standing === standing) return
    this.#setMark(STANDING, standing)
    this.#standing = standing
  }

  /** Nodes that the cluster was restored with, until a host has joined by their name. */
  markPlaces(nodeIds: readonly string[]): void {
    for (const id of nodeIds) this.#setMark(`${PLACE}${id}`, 1)
  }

  isPlace(nodeId: string): boolean {
    return this.#mark(`${PLACE}${nodeId}`) === 1
  }

  unmarkPlace(nodeId: string): void {
    this.db
      .delete(t.meta)
      .where(eq(t.meta.key, `${PLACE}${nodeId}`))
      .run()
  }

  #mark(key: string): number {
    return this.#sql.mark.get({ key })?.value ?? 0
  }

  #setMark(key: string, value: number): void {
    this.#sql.setMark.run({ key, value })
  }
}

export function chainHash(hash: string, u: Update): string {
  return createHash('sha256').update(hash).update(canonicalJson(u)).digest('hex')
}

export function inParts(text: string, size: number = LIMITS.snapshotPartBytes): string[] {
  // Characters, not bytes: the hive is ASCII but for operators' texts, and a row holds 4 times this.
  const parts: string[] = []
  for (let at = 0; at < text.length; at += size) parts.push(text.slice(at, at + size))
  return parts.length > 0 ? parts : ['']
}
