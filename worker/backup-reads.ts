/** A cluster as its backup has it: the hive whole, and the journal in portions. */
import { createHash } from 'node:crypto'
import { and, asc, between, gt, lte, sql } from 'drizzle-orm'
import { BACKUP_FORMAT, type BackupHeader, WITHHELD } from '../schema/api/backup.ts'
import { API_VERSION } from '../schema/api/version.ts'
import { toDocument } from '../schema/hive.ts'
import { LIMITS } from '../schema/limits.ts'
import { journal, updates } from '../schema/tables/durable.ts'
import type { ClusterState } from './core/decision.ts'
import type { HiveStore } from './hive-store.ts'
import { hiveText } from './restored.ts'

export type BackupRead =
  | { what: 'backup' }
  /** Lines behind this number, up to that one. */
  | { what: 'backupLines'; of: 'updates' | 'entries'; after: number; upTo: number }

export interface BackupHead {
  readonly header: BackupHeader
  /** The hive as JSON. */
  readonly hive: string
}

/** `last`: number of the last of the lines. */
export interface BackupLines {
  readonly lines: string[]
  readonly last: number
}

/** @returns null: there is no cluster */
export function backupHead(
  store: HiveStore,
  { hive, hash }: ClusterState & { hash: string },
): BackupHead | null {
  const { cluster, seq } = hive
  if (!cluster) return null
  const text = hiveText(toDocument(hive))
  const { id, name, profile } = cluster
  const ofUpdates = { from: sql<number | null>`min(seq)`, to: sql<number | null>`max(seq)` }
  const ofEntries = { from: sql<number | null>`min(id)`, to: sql<number | null>`max(id)` }
  const [kept] = store.db.select(ofUpdates).from(updates).all()
  const [entered] = store.db.select(ofEntries).from(journal).all()
  return {
    hive: text,
    header: {
      ...{ t: 'header', format: BACKUP_FORMAT, version: API_VERSION, madeAtMs: Date.now() },
      ...{ cluster: { id, name, profile }, seq, hash },
      hiveSha256: createHash('sha256').update(text).digest('hex'),
      updates: { from: kept?.from ?? 0, to: kept?.to ?? 0 },
      entries: { from: entered?.from ?? 0, to: entered?.to ?? 0 },
      withheld: [...WITHHELD],
    },
  }
}

type Ask = Extract<BackupRead, { what: 'backupLines' }>

export function backupLines({ db }: HiveStore, { of, after, upTo }: Ask): BackupLines {
  const [table, number, size] =
    of === 'updates'
      ? ([updates, updates.seq, sql<number>`length(${updates.body})`] as const)
      : ([journal, journal.id, sql<number>`length(${journal.event})`] as const)
  // How long they are is looked at before they are read: a row may have 2 MB.
  const found = db
    .select({ n: number, length: size })
    .from(table)
    .where(and(gt(number, after), lte(number, upTo)))
    .orderBy(asc(number))
    .limit(LIMITS.pageSizeMax)
    .all()
  let [last, length] = [found[0]?.n ?? after, 0]
  for (const one of found) {
    length += one.length
    if (length > LIMITS.backupPageLengthMax && one.n !== found[0]?.n) break
    last = one.n
  }
  const range = between(number, after + 1, last)
  if (of === 'updates') {
    const rows = db.select().from(updates).where(range).orderBy(asc(updates.seq)).all()
    const lines = rows.map((r) => `{"t":"update","hash":"${r.hash}","update":${r.body}}`)
    return { lines, last }
  }
  const rows = db.select().from(journal).where(range).orderBy(asc(journal.id)).all()
  const lines = rows.map(
    (r) =>
      `{"t":"entry","id":${r.id},"atMs":${r.atMs},"firstSeq":${r.firstSeq},"event":${r.event}}`,
  )
  return { lines, last }
}
