/** Operations, read from the updates and the journal: nothing else is kept of them. */
import { and, asc, desc, eq, gte, like, lt, or, sql } from 'drizzle-orm'
import type { OperationSummary, OperationView } from '../schema/api/operations.ts'
import type { Refusal } from '../schema/errors.ts'
import type { Event, Request } from '../schema/event.ts'
import { LIMITS } from '../schema/limits.ts'
import { journal, updates } from '../schema/tables/durable.ts'
import type { Update } from '../schema/update.ts'
import type { ClusterState } from './core/decision.ts'
import {
  type Begun,
  type Facts,
  OPERATION_CODES,
  type Reported,
  verbOf,
} from './core/operations/begun.ts'
import { type CancelAsk, cancelRequest } from './core/operations/cancel.ts'
import { operationOf } from './core/operations/operation.ts'
import type { HiveStore } from './hive-store.ts'
import { firstEntryFrom } from './journal-places.ts'
import { hiveAt } from './past.ts'

export interface OperationsAsk {
  /** Only those that are not over. */
  readonly open?: boolean | undefined
  readonly limit?: number | undefined
}

const DEFAULT_LIMIT = 20
/** Of one operation. What comes behind them is not needed to tell how it went. */
const UPDATES_READ = 5_000
const ENTRIES_AT_ONCE = 1_000
/** Reports that name none of these are not read: most name others. */
const MEMBERS_LOOKED_FOR = 50

/** Newest first. */
export function listOperations(
  store: HiveStore,
  state: ClusterState,
  { open, limit = DEFAULT_LIMIT }: OperationsAsk,
): OperationSummary[] {
  const most = Math.min(limit, LIMITS.operationsMax)
  const found: OperationSummary[] = []
  for (const begun of begins(store)) {
    const { steps: _, groups: __, ...summary } = told(store, state, begun).view
    if (open && summary.endedAtMs !== null) continue
    found.push(summary)
    if (found.length >= most) break
  }
  return found
}

/** Null: there is none of this id, or it is not kept any more. */
export function readOperation(
  store: HiveStore,
  state: ClusterState,
  id: string,
): OperationView | null {
  const begun = beginOf(store, id)
  return begun && told(store, state, begun).view
}

/** The request that takes an operation back, or why there is none. */
export function cancelOf(
  store: HiveStore,
  state: ClusterState,
  id: string,
  ask: CancelAsk,
): Request | { refused: Refusal } {
  const begun = beginOf(store, id)
  if (!begun) return { refused: unknownOperation(id) }
  const { view, facts } = told(store, state, begun)
  return cancelRequest(begun, view, facts, hiveAt(store, begun.seq - 1), ask)
}

export const unknownOperation = (id: string): Refusal => ({
  code: 'NOT_FOUND',
  message: `there is no operation "${id}"`,
  why: 'Its id is that of the update it began with, and the journal keeps the last 5,000 of them.',
  remedy: 'List what there is: holdfast operation list',
})

const isFirst = sql`json_extract(${updates.body}, '$.correlationId') = 'u' || ${updates.seq}`
const isOne = sql`json_extract(${updates.body}, '$.because.code') in ${[...OPERATION_CODES]}`

/** Newest first. */
function* begins(store: HiveStore): Generator<Begun> {
  const rows = store.db
    .select({ body: updates.body })
    .from(updates)
    .where(and(isOne, isFirst))
    .orderBy(desc(updates.seq))
    .limit(4 * LIMITS.operationsMax)
    .all()
  for (const { body } of rows) {
    const begun = requested(store, JSON.parse(body) as Update)
    if (begun) yield begun
  }
}

function beginOf(store: HiveStore, id: string): Begun | null {
  if (!/^u\d{1,15}$/.test(id)) return null
  const row = store.db
    .select({ body: updates.body })
    .from(updates)
    .where(and(eq(updates.seq, Number(id.slice(1))), isOne, isFirst))
    .get()
  return row ? requested(store, JSON.parse(row.body) as Update) : null
}

/** Null: the update came of something else than a request. */
function requested(store: HiveStore, first: Update): Begun | null {
  const { seq, atMs, correlationId: id } = first
  const row = store.db
    .select({ event: journal.event })
    .from(journal)
    .where(
      and(
        gte(journal.id, firstEntryFrom(store.db, atMs)),
        eq(journal.firstSeq, seq),
        like(journal.event, '{"type":"requested"%'),
      ),
    )
    .orderBy(asc(journal.id))
    .limit(1)
    .get()
  if (!row) return null
  const { request, by } = JSON.parse(row.event) as Extract<Event, { type: 'requested' }>
  // What is carried out at once, such as a batch, may begin with the same.
  return verbOf(request) ? { id, seq, atMs, by, request } : null
}

/** As much is read as it takes to tell how it ended. */
function told(
  store: HiveStore,
  state: ClusterState,
  begun: Begun,
): { view: OperationView; facts: Facts } {
  const since = store
    .updates(begun.seq, Number.MAX_SAFE_INTEGER, UPDATES_READ)
    .map(({ update }) => update)
  const seen: Reported[] = []
  const facts: Facts = { state, updates: since, seen, nowMs: Date.now() }
  const members = membersOf(begun, facts)
  let view = operationOf(begun, facts) as OperationView
  for (const { reported, untilMs } of reports(store, members, begun.atMs)) {
    seen.push(...reported)
    view = operationOf(begun, facts) as OperationView
    // What was reported after its end is another matter.
    if (view.endedAtMs !== null && view.endedAtMs < untilMs) break
  }
  return { view, facts }
}

/** Resources whose reports say how far it is. */
function membersOf(begun: Begun, { state, updates: since }: Facts): ReadonlySet<string> {
  const verb = verbOf(begun.request)
  const all = [...state.hive.resources.values()]
  switch (verb?.type) {
    case 'moveGroup':
    case 'failoverGroup':
    case 'failbackGroup':
      return new Set(all.flatMap((r) => (r.groupId === verb.groupId ? r.id : [])))
    case 'drainNode': {
      const groups = new Set(since.flatMap((u) => (u.change.table === 'group' ? u.change.id : [])))
      return new Set(all.flatMap((r) => (groups.has(r.groupId) ? r.id : [])))
    }
    default:
      return new Set(
        since.flatMap(({ change, correlationId }) =>
          correlationId === begun.id && change.table === 'resource' ? change.id : [],
        ),
      )
  }
}

interface Part {
  readonly reported: Reported[]
  /** Of the last entry that was looked at. */
  readonly untilMs: number
}

/** Oldest first, so many entries of the journal at a time. */
function* reports(store: HiveStore, members: ReadonlySet<string>, fromMs: number): Generator<Part> {
  if (members.size === 0) return
  const named =
    members.size > MEMBERS_LOOKED_FOR
      ? undefined
      : or(...[...members].map((id) => like(journal.event, `%${id}%`)))
  const newest = store.db
    .select({ id: journal.id })
    .from(journal)
    .orderBy(desc(journal.id))
    .limit(1)
    .get()
  let from = firstEntryFrom(store.db, fromMs)
  for (; from <= (newest?.id ?? 0); from += ENTRIES_AT_ONCE) {
    const rows = store.db
      .select({ atMs: journal.atMs, event: journal.event })
      .from(journal)
      .where(
        and(
          gte(journal.id, from),
          lt(journal.id, from + ENTRIES_AT_ONCE),
          like(journal.event, '{"type":"resourceReported"%'),
          named,
        ),
      )
      .orderBy(asc(journal.id))
      .all()
    const last = store.db
      .select({ atMs: journal.atMs })
      .from(journal)
      .where(lt(journal.id, from + ENTRIES_AT_ONCE))
      .orderBy(desc(journal.id))
      .limit(1)
      .get()
    yield {
      reported: rows.flatMap(({ atMs, event }) => reportedIn(atMs, event, members)),
      untilMs: last?.atMs ?? fromMs,
    }
  }
}

function reportedIn(atMs: number, event: string, members: ReadonlySet<string>): Reported[] {
  const { items, nodeId } = JSON.parse(event) as Extract<Event, { type: 'resourceReported' }>
  return items
    .filter((item) => members.has(item.resourceId))
    .map(({ resourceId, epoch, status, gaveUp, detail = null }) => ({
      ...{ atMs, nodeId, resourceId, epoch, gaveUp, detail },
      status: status === 'stopped' ? ('offline' as const) : status,
    }))
}
