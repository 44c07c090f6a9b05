/** Under load the storage of a cluster's object, and an audit log of D1, stay within their bounds. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { LIMITS } from '../../schema/limits.ts'
import { moduleManifest } from '../../schema/module-manifest.ts'
import type { Cluster } from '../../worker/cluster-object.ts'
import { sweepObjects } from '../../worker/doomed-objects.ts'
import { Tenants } from '../../worker/tenants.ts'
import type { Write } from '../../worker/write.ts'
import { insertKey, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

/** Rows of each table, and bytes of all of them. */
const measured = async (cluster: TestCluster) =>
  runInDurableObject(await cluster.stub(), (_, { storage }) => {
    const tables = storage.sql
      .exec(
        "select name from sqlite_master where type = 'table' and name not like '\\_%' escape '\\' and name != 'sqlite_sequence'",
      )
      .toArray()
    const rows = tables.map(({ name }) => {
      const { n } = storage.sql.exec(`select count(*) as n from "${name}"`).one()
      return [String(name), Number(n)] as const
    })
    return { rows: Object.fromEntries(rows), bytes: storage.sql.databaseSize }
  })

/** Writes as an operator's are, each with an Idempotency-Key: a node paused and resumed, over and over. */
async function write(cluster: TestCluster, nodeId: string, from: number, to: number) {
  await runInDurableObject(await cluster.stub(), async (object: Cluster) => {
    for (let n = from; n < to; n++) {
      const name = `write-${String(n).padStart(8, '0')}`
      const write: Write = {
        who: { kind: 'key', id: 'key', name: 'load' },
        ...{ from: null, request: name, route: 'pauseNode', about: null, status: 200 },
        once: { keyId: 'key', name, fingerprint: name },
      }
      const request = { type: 'pauseNode' as const, nodeId, paused: n % 2 === 0 }
      const done = await object.ask(request, 'load', write, { fields: { id: nodeId } })
      if ('refused' in done) throw new Error(done.refused.message)
    }
  })
}

test('22,000 writes: every table has an end, and the file no longer grows', {
  timeout: 600_000,
}, async () => {
  const cluster = await TestCluster.form('wan')
  const node = await TestNode.join(cluster, 'n1')
  await write(cluster, node.id, 0, 21_000)
  const before = await measured(cluster)
  await write(cluster, node.id, 21_000, 22_000)
  const { rows, bytes } = await measured(cluster)
  console.info(JSON.stringify({ rows, bytes, before: before.bytes }))
  const most: Record<string, number> = {
    updates: LIMITS.journalRowsKept + LIMITS.snapshotEvery,
    journal: LIMITS.journalRowsKept + LIMITS.snapshotEvery,
    snapshots: LIMITS.journalRowsKept / LIMITS.snapshotEvery + 3,
    log: LIMITS.logRowsKept + 1_001,
    audit: LIMITS.auditKept,
    answers: LIMITS.answersKept,
    webhook_messages: LIMITS.webhookMessagesKept + 1_000,
    ...{
      audit_base: 1,
      sessions: 1,
      confirms: 1,
      peer_secrets: 2,
      observed: 0,
      plans: 0,
      meta: 20,
    },
    ...{ incidents: 0, webhook_open: 0, webhook_deliveries: 0, webhook_attempts: 0 },
    webhook_troubles: 0,
  }
  // A table without a bound here fails.
  expect(Object.keys(rows).sort()).toEqual(Object.keys(most).sort())
  for (const [name, bound] of Object.entries(most))
    expect(rows[name], name).toBeLessThanOrEqual(bound)
  expect(rows['audit']).toBe(LIMITS.auditKept)
  expect(bytes).toBeLessThanOrEqual(before.bytes * 1.05)
})

test('attempts at a receiver that is away: as many as are told, also where no new message comes', async () => {
  const cluster = await TestCluster.form('wan')
  const left = await runInDurableObject(await cluster.stub(), async (_, { storage }) => {
    const { Outbox } = await import('../../worker/webhooks/outbox.ts')
    const { drizzle } = await import('drizzle-orm/durable-sqlite')
    const outbox = new Outbox(drizzle(storage), storage, 1)
    const delivery = { endpointId: 'e', n: 1, attempts: 1, state: 'pending', nextAtMs: 0 }
    const failed = { delivered: false, status: null, detail: 'away', ms: 1 }
    for (let n = 0; n < LIMITS.webhookAttemptsKept + 1_200; n++)
      outbox.attempted(delivery, failed, Date.now() + 60_000)
    return Number(storage.sql.exec('select count(*) as n from webhook_attempts').one()['n'])
  })
  expect(left).toBeLessThanOrEqual(LIMITS.webhookAttemptsKept + 500)
})

test('RATE_LIMITED: a host that registers types over and over pushes nothing out of the audit log', async () => {
  const cluster = await TestCluster.form('wan')
  const node = await TestNode.up(cluster, 'n1')
  const manifest = moduleManifest.parse({
    ...{ type: 'own', version: '1.0.0', title: 'Own', way: 'child', example: {} },
    properties: { type: 'object', properties: {}, required: [], additionalProperties: false },
  })
  const refused: string[] = []
  for (let n = 0; n < LIMITS.typeAsksPerHour + 5; n++) {
    const ask =
      n % 2 === 0
        ? { do: 'register' as const, manifest, sha256: 'a'.repeat(64) }
        : { do: 'unregister' as const, type: 'own' }
    node.line.send({ t: 'typeAsk', request: crypto.randomUUID(), ask })
    const { refusal } = await node.line.next('typeAnswer')
    if (refusal) refused.push(refusal.code)
  }
  expect(refused).toEqual(Array(5).fill('RATE_LIMITED'))
  const entered = await runInDurableObject(await cluster.stub(), (_, { storage }) =>
    Number(storage.sql.exec("select count(*) as n from audit where route = 'session'").one()['n']),
  )
  expect(entered).toBe(LIMITS.typeAsksPerHour)
})

describe('an object that is in no list', () => {
  const doomed = async () =>
    (await env.DB.prepare('select object_id from doomed_objects').all<{ object_id: string }>())
      .results

  test('of a cluster that was made while another took its name: its storage is empty', async () => {
    const cluster = await TestCluster.form('wan')
    expect(await doomed()).toEqual([])
    const row = await env.DB.prepare('select * from clusters where id = ?')
      .bind(cluster.id)
      .first<Record<string, string>>()
    const tenants = new Tenants(env.DB)
    const objectId = env.CLUSTER.newUniqueId().toString()
    await tenants.reserve(objectId)
    const stub = env.CLUSTER.get(env.CLUSTER.idFromString(objectId))
    const id = crypto.randomUUID()
    const by = { kind: 'key', id: 'k', name: 'k' } as const
    await stub.ask(
      { type: 'formCluster', clusterId: id, name: cluster.name, profile: 'wan' },
      'k',
      {
        ...{ who: by, from: null, request: 'r', route: 'createCluster', about: null, status: 200 },
        once: null,
      },
    )
    const taken = {
      ...{ id, name: cluster.name, profile: 'wan', objectId, createdAtMs: 0 },
      organisationId: row?.['organisation_id'] ?? '',
    }
    const done = await tenants.addCluster(taken, async ([first, ...more]) => {
      const { drizzle } = await import('drizzle-orm/d1')
      if (first) await drizzle(env.DB).batch([first, ...more])
    })
    expect(done).toBe(false)
    // Whoever made it may have died right then: it is found all the same, once it is due.
    await sweepObjects(env)
    expect(await doomed()).toEqual([{ object_id: objectId }])
    await sweepObjects(env, Date.now() + LIMITS.objectUnlistedMs + 1)
    expect(await doomed()).toEqual([])
    await new Promise((resolve) => setTimeout(resolve, 300))
    const again = env.CLUSTER.get(env.CLUSTER.idFromString(objectId))
    const tables = await runInDurableObject(again, (_, { storage }) =>
      storage.sql
        .exec("select name from sqlite_master where name not like '\\_cf%' escape '\\'")
        .toArray(),
    )
    expect(tables).toEqual([])
  })
})
