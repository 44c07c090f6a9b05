/** What an organisation has used day by day, from D1 alone: no cluster is woken for it. */
import { and, asc, eq, gte, lt, lte, max } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import type { UsageDay } from '../schema/api/usage.ts'
import { dayOf, daysFrom, startOfDay } from '../schema/days.ts'
import { usageDays } from '../schema/tables/tenants.ts'

const DAY_MS = 86_400_000
type Row = typeof usageDays.$inferSelect

/**
 * A cluster that tells nothing on a day has what it had when it told something last.
 *
 * @param clusters those that there are now
 */
export async function readUsageDays(
  d1: D1Database,
  organisationId: string,
  clusters: readonly { id: string; createdAtMs: number }[],
  { from, to }: { from: string; to: string },
): Promise<UsageDay[]> {
  const db = drizzle(d1)
  const ours = eq(usageDays.organisationId, organisationId)
  const inRange = and(ours, gte(usageDays.day, from), lte(usageDays.day, to))
  const [rows, before] = await db.batch([
    db.select().from(usageDays).where(inRange).orderBy(asc(usageDays.day)),
    // Of each cluster the columns of the row that has the maximum.
    db
      .select({
        clusterId: usageDays.clusterId,
        day: max(usageDays.day),
        nodes: usageDays.nodes,
        groups: usageDays.groups,
      })
      .from(usageDays)
      .where(and(ours, lt(usageDays.day, from)))
      .groupBy(usageDays.clusterId),
  ])
  const has = new Map(before.map(({ clusterId, nodes, groups }) => [clusterId, { nodes, groups }]))
  const byDay = Map.groupBy(rows, (row) => row.day)
  return daysFrom(from, to).map((day) => {
    const told: readonly Row[] = byDay.get(day) ?? []
    for (const { clusterId, nodes, groups } of told)
      if (clusterId !== '' && nodes + groups > 0) has.set(clusterId, { nodes, groups })
    const until = startOfDay(Date.parse(day)) + DAY_MS
    const there = clusters.filter((one) => one.createdAtMs < until)
    const sum = (of: (row: Row) => number) => told.reduce((all, row) => all + of(row), 0)
    const had = (what: 'nodes' | 'groups') =>
      there.reduce((all, { id }) => all + (has.get(id)?.[what] ?? 0), 0)
    return {
      ...{ day, clusters: there.length, nodes: had('nodes'), groups: had('groups') },
      nodeHours: Math.round((sum((row) => row.nodeMs) / 3_600_000) * 1_000) / 1_000,
      apiCalls: sum((row) => row.apiCalls),
      webhooks: sum((row) => row.webhooks),
      failovers: sum((row) => row.failovers),
    }
  })
}

export const today = (): string => dayOf(Date.now())
