/** Where in the journal an instant is: by halving, since entries stand in the order of their times. */
import { asc, desc, gte } from 'drizzle-orm'
import type { DrizzleSqliteDODatabase } from 'drizzle-orm/durable-sqlite'
import { journal } from '../schema/tables/durable.ts'

/** The first entry that is not before an instant; behind the last one when all are. */
export function firstEntryFrom(db: DrizzleSqliteDODatabase, atMs: number): number {
  return halve(db, (entryMs) => entryMs >= atMs)
}

/** The last entry that is not after an instant. */
export function lastEntryUntil(db: DrizzleSqliteDODatabase, atMs: number): number {
  return halve(db, (entryMs) => entryMs > atMs) - 1
}

/** The first entry for which it is so, given that it is so for all that follow. */
function halve(db: DrizzleSqliteDODatabase, isSo: (entryMs: number) => boolean): number {
  const ids = { id: journal.id, atMs: journal.atMs }
  const oldest = db.select(ids).from(journal).orderBy(asc(journal.id)).limit(1).get()
  const newest = db.select(ids).from(journal).orderBy(desc(journal.id)).limit(1).get()
  if (!oldest || !newest) return 1
  let [low, high] = [oldest.id, newest.id + 1]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const at = db
      .select(ids)
      .from(journal)
      .where(gte(journal.id, middle))
      .orderBy(asc(journal.id))
      .limit(1)
      .get()
    if (!at || isSo(at.atMs)) high = middle
    else low = at.id + 1
  }
  return low
}
