import { and, eq, gte, inArray, lt, type SQL, sql } from 'drizzle-orm'
import type { DrizzleSqliteDODatabase } from 'drizzle-orm/durable-sqlite'
import { meta } from '../schema/tables/durable.ts'
import type { ClusterState, Decision } from './core/decision.ts'
import { type Away, isBack, type Tally, tallyBack, tallyOf } from './core/tally.ts'
import type { UsageMeter } from './usage-meter.ts'

/** Among the marks of the object: what counts, and since when groups are away. */
const COUNT = 'count/'
const AWAY = 'away/'

/**
 * Counters for metrics, beside the hive: not part of it, and nothing is decided by them. They are written in
 * the turn of the decision that they count; the runtime commits the writes of one turn together.
 */
export class Counters {
  readonly #db: DrizzleSqliteDODatabase
  /** By group; null until it has been read. */
  #away: Map<string, Away> | null = null

  readonly #usage: Pick<UsageMeter, 'failedOver'>
  readonly #set: ReturnType<typeof put>
  readonly #add: ReturnType<typeof put>

  constructor(db: DrizzleSqliteDODatabase, usage: Pick<UsageMeter, 'failedOver'>) {
    this.#db = db
    this.#usage = usage
    this.#set = put(db, sql`excluded.value`)
    this.#add = put(db, sql`${meta.value} + excluded.value`)
  }

  /** Before it is applied: what is counted is what it changes. */
  look(state: ClusterState, decision: Decision): Tally | null {
    const { updates, observations } = decision
    return updates.length + observations.length > 0 ? tallyOf(state, decision) : null
  }

  /** @param state with the decision applied */
  write(state: ClusterState, tally: Tally | null, nowMs: number): void {
    if (!tally) return
    const away = this.#loaded()
    for (const [groupId, since] of tally.left) {
      // It is away since it left first.
      if (away.has(groupId)) continue
      away.set(groupId, since)
      this.#put(`${AWAY}${groupId}/${since.code}`, since.sinceMs)
    }
    for (const groupId of tally.touched) {
      const since = away.get(groupId)
      if (!since || !isBack(state, groupId)) continue
      away.delete(groupId)
      this.#db
        .delete(meta)
        .where(eq(meta.key, `${AWAY}${groupId}/${since.code}`))
        .run()
      if (state.hive.groups.has(groupId)) tallyBack(tally, since, nowMs)
    }
    for (const [key, by] of tally.add) this.#put(COUNT + key, by, true)
    for (const [key, by] of tally.add)
      if (key.startsWith('failovers/')) this.#usage.failedOver(by, nowMs)
    if (tally.removed.size > 0) this.#forget(tally.removed)
  }

  /** Every counter by its parts, the first of which says what it counts. */
  all(): { parts: string[]; value: number }[] {
    return this.#under(COUNT)
  }

  #loaded(): Map<string, Away> {
    this.#away ??= new Map(
      this.#under(AWAY).map(({ parts: [groupId = '', code = ''], value }) => [
        groupId,
        { code, sinceMs: value },
      ]),
    )
    return this.#away
  }

  #under(prefix: string): { parts: string[]; value: number }[] {
    const last = `${prefix.slice(0, -1)}0` // the character behind '/'
    const rows = this.#db
      .select()
      .from(meta)
      .where(and(gte(meta.key, prefix), lt(meta.key, last)))
      .all()
    return rows.map(({ key, value }) => ({ parts: key.slice(prefix.length).split('/'), value }))
  }

  #put(key: string, value: number, add = false): void {
    const statement = add ? this.#add : this.#set
    statement.run({ key, value })
  }

  #forget(ids: ReadonlySet<string>): void {
    const gone = this.all().filter(({ parts: [, id = ''] }) => ids.has(id))
    for (let at = 0; at < gone.length; at += 50) {
      const keys = gone.slice(at, at + 50).map(({ parts }) => COUNT + parts.join('/'))
      this.#db.delete(meta).where(inArray(meta.key, keys)).run()
    }
  }
}

/** Made once: making SQL anew takes longer than running it. */
const put = (db: DrizzleSqliteDODatabase, value: SQL) =>
  db
    .insert(meta)
    .values({ key: sql.placeholder('key'), value: sql.placeholder('value') })
    .onConflictDoUpdate({ target: meta.key, set: { value } })
    .prepare()
