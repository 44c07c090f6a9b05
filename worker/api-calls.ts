/**
 * Calls of the API, counted in the isolate that takes them and written to D1 once a minute, behind a later call.
 * What an isolate has not written when it ends is not counted: usage is no bill of single calls.
 */
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { dayOf } from '../schema/days.ts'
import { LIMITS } from '../schema/limits.ts'
import { usageDays } from '../schema/tables/tenants.ts'

interface Counted {
  readonly organisationId: string
  readonly day: string
  readonly clusterId: string
  calls: number
}

const counted = new Map<string, Counted>()
let sinceMs = 0

/** @returns writing what is counted, when it is time for it; null: not yet */
export function countCall(
  d1: D1Database,
  organisationId: string,
  clusterId: string | null,
  nowMs = Date.now(),
): Promise<void> | null {
  const key = { organisationId, day: dayOf(nowMs), clusterId: clusterId ?? '' }
  const name = `${organisationId} ${key.day} ${key.clusterId}`
  const known = counted.get(name)
  if (known) known.calls += 1
  else counted.set(name, { ...key, calls: 1 })
  if (sinceMs === 0) sinceMs = nowMs
  if (nowMs - sinceMs < LIMITS.callsWrittenEveryMs && counted.size < LIMITS.callsCountedMax)
    return null
  const rows = [...counted.values()]
  counted.clear()
  sinceMs = 0
  return written(d1, rows)
}

async function written(d1: D1Database, rows: readonly Counted[]): Promise<void> {
  const db = drizzle(d1)
  const all = rows.map(({ calls, ...key }) =>
    db
      .insert(usageDays)
      .values({ ...key, apiCalls: calls })
      .onConflictDoUpdate({
        target: [usageDays.organisationId, usageDays.day, usageDays.clusterId],
        set: { apiCalls: sql`${usageDays.apiCalls} + ${calls}` },
      }),
  )
  // One by one: an organisation that was deleted meanwhile takes nothing from the others.
  for (const one of all) await one.run().catch(() => {})
}
