/** Usage day by day: told by clusters that are awake, idempotent, and read from D1 alone. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { drizzle } from 'drizzle-orm/durable-sqlite'
import { beforeAll, expect, test } from 'vitest'
import type { Usage } from '../../schema/api/usage.ts'
import { LIMITS } from '../../schema/limits.ts'
import { countCall } from '../../worker/api-calls.ts'
import { HiveStore } from '../../worker/hive-store.ts'
import { UsageMeter } from '../../worker/usage-meter.ts'
import { insertKey, ok, pause, refused, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const MIDNIGHT = Date.parse('2026-03-02T00:00:00Z')

const rowsOf = async (clusterId: string) =>
  (
    await env.DB.prepare('select * from usage_days where cluster_id = ? order by day')
      .bind(clusterId)
      .all<Record<string, number | string>>()
  ).results

/** What an object does over days, at instants of the test. */
async function over(cluster: TestCluster, work: (at: Over) => Promise<void>) {
  await runInDurableObject(await cluster.stub(), async (_, { storage }) => {
    storage.sql.exec("delete from meta where key like 'usage/%'")
    const waited: Promise<unknown>[] = []
    const ctx = { waitUntil: (one: Promise<unknown>) => waited.push(one) } as never
    const db = drizzle(storage)
    const { hive } = new HiveStore(storage, true).load()
    let meter = new UsageMeter(db, true)
    await work({
      sql: storage.sql,
      meter: () => meter,
      /** Memory goes, as by hibernation. */
      forget: () => {
        meter = new UsageMeter(db, true)
      },
      look: async (atMs) => {
        meter.look(ctx, env.DB, () => hive, atMs)
        await Promise.all(waited.splice(0))
      },
    })
  })
}
interface Over {
  sql: SqlStorage
  meter: () => UsageMeter
  forget: () => void
  look: (atMs: number) => Promise<void>
}

test('hours of nodes are split at midnight, also while the object slept; a day is told as often as it likes', async () => {
  const cluster = await TestCluster.form('wan')
  await env.DB.prepare('delete from usage_days').run()
  await over(cluster, async ({ meter, look, forget }) => {
    meter().nodesUp(0, MIDNIGHT - 5 * HOUR_MS)
    meter().nodesUp(2, MIDNIGHT - 3 * HOUR_MS)
    meter().failedOver(1, MIDNIGHT - 3 * HOUR_MS)
    forget()
    await look(MIDNIGHT - 2 * HOUR_MS)
    expect(await rowsOf(cluster.id)).toMatchObject([
      { day: '2026-03-01', node_ms: 2 * HOUR_MS, failovers: 1 },
    ])
    // An hour has not gone by.
    await look(MIDNIGHT - 2 * HOUR_MS + 60_000)
    forget()
    await look(MIDNIGHT + DAY_MS + HOUR_MS)
    const told = await rowsOf(cluster.id)
    expect(told).toMatchObject([
      { day: '2026-03-01', node_ms: 6 * HOUR_MS, failovers: 1 },
      { day: '2026-03-02', node_ms: 48 * HOUR_MS, failovers: 0 },
      { day: '2026-03-03', node_ms: 2 * HOUR_MS, failovers: 0 },
    ])
    forget()
    meter().nodesUp(-2, MIDNIGHT + DAY_MS + HOUR_MS)
    await look(MIDNIGHT + DAY_MS + 3 * HOUR_MS)
    expect(await rowsOf(cluster.id)).toEqual(told)
  })
})

test('attempts of webhooks by their numbers; rows older than they are kept go', async () => {
  const cluster = await TestCluster.form('wan')
  await env.DB.prepare('delete from usage_days').run()
  const [{ organisation_id: organisation } = { organisation_id: '' }] = (
    await env.DB.prepare('select organisation_id from clusters where id = ?')
      .bind(cluster.id)
      .all<{ organisation_id: string }>()
  ).results
  await env.DB.prepare('insert into usage_days (organisation_id, day, cluster_id) values (?, ?, ?)')
    .bind(organisation, '2024-01-01', cluster.id)
    .run()
  await over(cluster, async ({ sql, look }) => {
    const attempt = (atMs: number) =>
      sql.exec(
        "insert into webhook_attempts (endpoint_id, n, at_ms, detail, ms) values ('e', 1, ?, '', 1)",
        atMs,
      )
    await look(MIDNIGHT - 2 * HOUR_MS)
    attempt(MIDNIGHT - 1)
    attempt(MIDNIGHT)
    attempt(MIDNIGHT + 1)
    await look(MIDNIGHT + HOUR_MS)
  })
  expect(await rowsOf(cluster.id)).toMatchObject([
    { day: '2026-03-01', webhooks: 1 },
    { day: '2026-03-02', webhooks: 2 },
  ])
  expect(LIMITS.usageDaysKept).toBe(400)
})

test('calls are written once a minute, and added to what is there', async () => {
  const cluster = await TestCluster.form('wan')
  await env.DB.prepare('delete from usage_days').run()
  const at = Date.now() + DAY_MS
  // What other calls have begun is written first.
  await countCall(env.DB, 'organisation-that-is-gone', null, at - 2 * LIMITS.callsWrittenEveryMs)
  await countCall(env.DB, 'organisation-suite', cluster.id, at)
  await countCall(env.DB, 'organisation-suite', cluster.id, at + LIMITS.callsWrittenEveryMs)
  const first = await rowsOf(cluster.id)
  expect(first).toMatchObject([{ api_calls: 2 }])
  await countCall(env.DB, 'organisation-suite', cluster.id, at + 1)
  await countCall(env.DB, 'organisation-that-is-gone', cluster.id, at + 2)
  await countCall(env.DB, 'organisation-suite', cluster.id, at + 2 + LIMITS.callsWrittenEveryMs)
  expect(await rowsOf(cluster.id)).toMatchObject([{ api_calls: 4 }])
})

test('GET /v1/usage by days: what a quiet cluster had last, and no object is asked', async () => {
  const cluster = await TestCluster.form('wan')
  await TestNode.up(cluster, 'n1')
  await cluster.group('web')
  await env.DB.prepare('delete from usage_days').run()
  const day = (offset: number) => new Date(Date.now() + offset * DAY_MS).toISOString().slice(0, 10)
  await env.DB.prepare('update clusters set created_at_ms = 0 where id = ?').bind(cluster.id).run()
  const insert = env.DB.prepare(
    "insert into usage_days (organisation_id, day, cluster_id, nodes, groups, node_ms, api_calls, failovers) values ('organisation-suite', ?, ?, ?, ?, ?, ?, ?)",
  )
  await env.DB.batch([
    insert.bind(day(-9), cluster.id, 3, 4, HOUR_MS, 1, 0),
    insert.bind(day(-2), cluster.id, 5, 6, 36 * HOUR_MS, 7, 2),
    insert.bind(day(-2), '', 0, 0, 0, 5, 0),
  ])
  const { days = [], each } = await ok<Usage>('getUsage', {
    query: { from: day(-3), to: day(-1) },
  })
  expect(each).toEqual([])
  expect(days).toMatchObject([
    { day: day(-3), nodes: 3, groups: 4, nodeHours: 0, apiCalls: 0 },
    { day: day(-2), nodes: 5, groups: 6, nodeHours: 36, apiCalls: 12, failovers: 2 },
    { day: day(-1), nodes: 5, groups: 6, nodeHours: 0 },
  ])
  for (const query of [
    { from: day(0), to: day(-1) },
    { from: '2020-01-01' },
    { from: 'yesterday' },
    { to: day(0) },
  ])
    expect((await refused('getUsage', { query: query as never })).code).toBe('BAD_REQUEST')
})

test('a cluster tells by itself while it is awake anyway', async () => {
  const cluster = await TestCluster.form('wan')
  await TestNode.up(cluster, 'n1')
  // It was formed before it was listed, and tells again.
  await pause(5_100)
  await cluster.group('web')
  await expect.poll(() => rowsOf(cluster.id).then((rows) => rows.length)).toBe(1)
  const marks = await runInDurableObject(await cluster.stub(), (_, { storage }) =>
    storage.sql.exec("select value from meta where key = 'usage/up'").toArray(),
  )
  expect(marks).toEqual([{ value: 1 }])
})
