/** The journal, entry by entry, for whoever takes it through the decisions again. */
import { and, asc, eq, gt, gte } from 'drizzle-orm'
import type { ReplayPolicy, ReplayView } from '../schema/api/replay.ts'
import type { Refusal } from '../schema/errors.ts'
import type { Event } from '../schema/event.ts'
import { journal, snapshots } from '../schema/tables/durable.ts'
import type { ClusterState } from './core/decision.ts'
import { Replay } from './core/replay.ts'
import type { HiveStore } from './hive-store.ts'
import { firstEntryFrom } from './journal-places.ts'
import { hiveAt, reportedBy } from './past.ts'

export interface ReplayAsk {
  readonly sinceMs: number
  readonly policy: ReplayPolicy
  /** By name: only what is about this one. */
  readonly group?: string | undefined
}

/** Entries between two pauses: whoever waits for an answer comes first. */
const SLICE = 100

export async function replayJournal(
  store: HiveStore,
  { sinceMs, policy, group }: ReplayAsk,
): Promise<ReplayView | { refused: Refusal }> {
  const untilMs = Date.now()
  const start = startFrom(store, sinceMs)
  if (!start) return { refused: NOTHING_KEPT }
  const replay = new Replay(start.state, policy)
  let entries = 0
  for (let from = start.id; ; ) {
    const rows = rowsFrom(store, from, SLICE + 1)
    const slice = rows.slice(0, SLICE)
    for (const [n, row] of slice.entries()) {
      // Those of the entry end where those of the next one begin.
      const next = rows[n + 1]?.firstSeq ?? Number.MAX_SAFE_INTEGER
      const updates = next > row.firstSeq ? store.updates(row.firstSeq, next - 1, ALL) : []
      const event = JSON.parse(row.event) as Event
      replay.take({ atMs: row.atMs, event, updates: updates.map((one) => one.update) })
    }
    entries += slice.length
    const last = slice.at(-1)
    if (!last || rows.length <= SLICE) break
    from = last.id + 1
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
  const { decisions, unknown } = replay.result()
  const about = decisions.filter((one) => group === undefined || one.groups.includes(group))
  const said = Object.entries(policy).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value] as const],
  )
  return {
    ...{ sinceMs: start.atMs, untilMs, entries, unknown, decisions: about },
    policy: Object.fromEntries(said),
  }
}

/** More than one entry ever has. */
const ALL = 100_000

const NOTHING_KEPT: Refusal = {
  code: 'NOT_FOUND',
  message: 'nothing is kept of that time',
  why: 'The journal keeps the last 5,000 updates, and there is no entry since then.',
  remedy: 'Choose a later beginning that is in `holdfast events`: --since 1h',
}

const rowsFrom = (store: HiveStore, id: number, limit: number) =>
  store.db
    .select()
    .from(journal)
    .where(gte(journal.id, id))
    .orderBy(asc(journal.id))
    .limit(limit)
    .all()

/** The first entry whose state before it is known, and that state. */
function startFrom(
  store: HiveStore,
  sinceMs: number,
): { id: number; atMs: number; state: ClusterState } | null {
  const [first] = rowsFrom(store, firstEntryFrom(store.db, sinceMs), 1)
  if (!first) return null
  const hive = hiveAt(store, first.firstSeq - 1)
  if (hive) return { ...first, state: { hive, observed: reportedBy(store, first.atMs - 1) } }
  // The snapshot of set-up is kept for ever, and what followed it is not: on from the next one.
  const snapshot = store.db
    .select({ seq: snapshots.seq })
    .from(snapshots)
    .where(and(gt(snapshots.seq, 1), eq(snapshots.part, 0), gte(snapshots.seq, first.firstSeq)))
    .orderBy(asc(snapshots.seq))
    .limit(1)
    .get()
  const later = snapshot && hiveAt(store, snapshot.seq)
  if (!later) return null
  const entry = store.db
    .select()
    .from(journal)
    .where(gt(journal.firstSeq, snapshot.seq))
    .orderBy(asc(journal.id))
    .limit(1)
    .get()
  if (!entry) return null
  return { ...entry, state: { hive: later, observed: reportedBy(store, entry.atMs - 1) } }
}
