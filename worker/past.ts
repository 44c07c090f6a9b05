/** The cluster as it was: a snapshot, the updates behind it, and what hosts had reported by then. */
import { and, desc, like, lte } from 'drizzle-orm'
import type { Event } from '../schema/event.ts'
import { emptyHive, fromDocument, type Hive } from '../schema/hive.ts'
import { emptyObserved, type Observed } from '../schema/observed.ts'
import { journal, snapshots, updates } from '../schema/tables/durable.ts'
import { applyUpdate } from '../schema/update.ts'
import type { ClusterState } from './core/decision.ts'
import type { HiveStore } from './hive-store.ts'

const REPORTS_READ = 2_000
const UPDATES_READ = 10_000

/** @returns null: nothing is kept of that time, or there was no cluster yet */
export function stateAt(store: HiveStore, atMs: number): ClusterState | null {
  const last = store.db
    .select({ seq: updates.seq })
    .from(updates)
    .where(lte(updates.atMs, atMs))
    .orderBy(desc(updates.seq))
    .limit(1)
    .get()
  const hive = last ? hiveAt(store, last.seq) : null
  return hive && { hive, observed: reportedBy(store, atMs) }
}

/** @returns null: what lies between the first snapshot and the journal is gone */
export function hiveAt(store: HiveStore, seq: number): Hive | null {
  const start = store.db
    .select({ seq: snapshots.seq })
    .from(snapshots)
    .where(lte(snapshots.seq, seq))
    .orderBy(desc(snapshots.seq))
    .limit(1)
    .get()
  const from = start ? store.snapshot(start.seq) : null
  const hive = from ? fromDocument(from.document) : emptyHive()
  const rows = store.updates(hive.seq + 1, seq, UPDATES_READ)
  if (rows.length < seq - hive.seq) return null
  for (const { update } of rows) applyUpdate(hive, update)
  return hive
}

/** What hosts had reported by then, as far as the journal has it. */
export function reportedBy(store: HiveStore, atMs: number): Observed {
  const observed = emptyObserved()
  const rows = store.db
    .select({ atMs: journal.atMs, event: journal.event })
    .from(journal)
    .where(and(lte(journal.atMs, atMs), like(journal.event, '{"type":"resourceReported"%')))
    .orderBy(desc(journal.id))
    .limit(REPORTS_READ)
    .all()
  // Newest first: whatever comes later is older.
  for (const row of rows) {
    const event = JSON.parse(row.event) as Extract<Event, { type: 'resourceReported' }>
    for (const { resourceId, status, correlationId: _, ...item } of event.items) {
      if (observed.resources.has(resourceId)) continue
      const value = { ...item, nodeId: event.nodeId, sinceMs: row.atMs }
      const known = status === 'stopped' ? ('offline' as const) : status
      observed.resources.set(resourceId, { ...value, status: known })
    }
  }
  return observed
}
