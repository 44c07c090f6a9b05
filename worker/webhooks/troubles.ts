/**
 * Which groups something is wrong with, so that whoever is called for it is called once, and is told when it is
 * over. Trouble begins with a failover, a wait or a failed resource. It is over when the group has been well for a
 * while: what comes back within that time is the same trouble still. Synchronous throughout.
 */
import { and, eq, isNotNull, isNull, lte, sql } from 'drizzle-orm'
import type { DrizzleSqliteDODatabase } from 'drizzle-orm/durable-sqlite'
import { LIMITS } from '../../schema/limits.ts'
import { webhookTroubles as troubles } from '../../schema/tables/durable.ts'
import type { WebhookData } from '../../schema/webhook-events.ts'
import { Census } from '../core/census.ts'
import type { ClusterState } from '../core/decision.ts'
import { isBack } from '../core/tally.ts'
import type { Told } from './events.ts'

type Trouble = typeof troubles.$inferSelect

const BEGINS: ReadonlySet<string> = new Set([
  'group.failover.started',
  'group.waiting',
  'resource.failed',
])

export class Troubles {
  readonly #db: DrizzleSqliteDODatabase
  /** For tests: everything is over this much sooner. */
  readonly #factor: number
  /** Those of now, by group; null: not read yet. */
  #known: Map<string, Trouble> | null = null

  constructor(db: DrizzleSqliteDODatabase, factor: number) {
    this.#db = db
    this.#factor = factor
  }

  /** Memory may be behind what is committed: it is read anew. */
  changed(): void {
    this.#known = null
  }

  get #open(): Map<string, Trouble> {
    if (!this.#known) {
      const rows = this.#db.select().from(troubles).where(isNotNull(troubles.sinceMs)).all()
      this.#known = new Map(rows.map((row) => [row.groupId, row]))
    }
    return this.#known
  }

  /** Within the transaction of what is told. @returns what there is to tell besides */
  begun(told: readonly Told[], nowMs: number): Told[] {
    const also: Told[] = []
    for (const { type, data } of told) {
      if (!BEGINS.has(type) || !('group' in data)) continue
      const { group } = data
      const before = this.#db.select().from(troubles).where(eq(troubles.groupId, group.id)).get()
      const after = beginning(before ?? null, group, nowMs)
      if (after === before) continue
      this.#db.delete(troubles).where(eq(troubles.groupId, group.id)).run()
      this.#db.insert(troubles).values(after).run()
      this.#known = null
      if (after.flapping === 0 || before?.flapping === 1) continue
      also.push({
        ...{ type: 'group.flapping', group: group.name },
        data: {
          group: { ...group },
          troubles: begunAt(after).length,
          ...{ windowMs: LIMITS.flappingWindowMs, sinceMs: after.sinceMs ?? nowMs },
        },
      })
    }
    return also
  }

  /**
   * @param touched groups that may be well again; null: any may
   * @returns whether one of them is
   */
  look(state: ClusterState, touched: ReadonlySet<string> | null, nowMs: number): boolean {
    let found = false
    for (const trouble of this.#open.values()) {
      const { groupId, wellSinceMs } = trouble
      if (wellSinceMs !== null || (touched && !touched.has(groupId))) continue
      if (!isWell(state, groupId)) continue
      const set = { wellSinceMs: nowMs }
      this.#db.update(troubles).set(set).where(eq(troubles.groupId, groupId)).run()
      this.#open.set(groupId, { ...trouble, ...set })
      found = true
    }
    return found
  }

  /** When the next of them is over if nothing comes between; null: none is about to be. */
  dueMs(): number | null {
    let due: number | null = null
    for (const trouble of this.#open.values()) {
      const at = overAtMs(trouble, this.#factor)
      if (at !== null && (due === null || at < due)) due = at
    }
    return due
  }

  /** Within a transaction. @returns what there is to tell of those that are over */
  over(state: ClusterState, nowMs: number): Told[] {
    const told: Told[] = []
    for (const trouble of [...this.#open.values()]) {
      const at = overAtMs(trouble, this.#factor)
      if (at === null || at > nowMs) continue
      const { groupId, name, flapping, sinceMs, wellSinceMs } = trouble
      // Whether it comes back: for as long as that would be flapping.
      const set = { sinceMs: null, wellSinceMs: null, flapping: 0 }
      this.#db.update(troubles).set(set).where(eq(troubles.groupId, groupId)).run()
      told.push({
        ...{ type: 'group.recovered', group: name },
        data: {
          ...{ group: { id: groupId, name }, is: whatIs(state, groupId) },
          ...{ sinceMs: sinceMs ?? nowMs, wellSinceMs: wellSinceMs ?? nowMs },
          flapping: flapping === 1,
        },
      })
    }
    if (told.length > 0) this.#forget(nowMs)
    return told
  }

  #forget(nowMs: number): void {
    const longAgo = lte(
      sql`json_extract(${troubles.begun}, '$[#-1]')`,
      nowMs - LIMITS.flappingWindowMs,
    )
    this.#db
      .delete(troubles)
      .where(and(isNull(troubles.sinceMs), longAgo))
      .run()
    this.#known = null
  }
}

/** All that is wanted of it is online; or nothing is. */
const isWell = (state: ClusterState, groupId: string): boolean =>
  whatIs(state, groupId) !== 'online' || isBack(state, groupId)

/** What a group that is well is. */
function whatIs(state: ClusterState, groupId: string): WebhookData<'group.recovered'>['is'] {
  if (!state.hive.groups.has(groupId)) return 'deleted'
  const members = Census.of(state).membersOf(groupId)
  const isWanted = members.some((id) => state.hive.resources.get(id)?.persistentState === 1)
  return isWanted ? 'online' : 'offline'
}

const begunAt = ({ begun }: Trouble): number[] => JSON.parse(begun) as number[]

/** What the beginning of trouble makes of what was known of the group; the same: it was in it already. */
export function beginning(
  before: Trouble | null,
  group: { readonly id: string; readonly name: string },
  nowMs: number,
): Trouble {
  if (before && before.sinceMs !== null && before.wellSinceMs === null) return before
  const lately = (before ? begunAt(before) : []).filter(
    (at) => at > nowMs - LIMITS.flappingWindowMs,
  )
  // The newest are enough to see it by, however long it goes on.
  const begun = [...lately, nowMs].slice(-LIMITS.flappingTroubles * 10)
  const flaps = before?.flapping === 1 || begun.length >= LIMITS.flappingTroubles
  return {
    ...{ groupId: group.id, name: group.name },
    ...{ sinceMs: before?.sinceMs ?? nowMs, wellSinceMs: null },
    ...{ begun: JSON.stringify(begun), flapping: flaps ? 1 : 0 },
  }
}

/** When it is over if nothing comes between; null: it goes on. */
export function overAtMs({ wellSinceMs, flapping }: Trouble, factor: number): number | null {
  if (wellSinceMs === null) return null
  const calmMs = flapping === 1 ? LIMITS.flappingCalmMs : LIMITS.troubleCalmMs
  return wellSinceMs + calmMs * factor
}
