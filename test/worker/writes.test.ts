/** Writes in the corners: let in twice, left for a host, a clock that was put back, much at once. */
import { abortAllDurableObjects, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import type { AuditPage } from '../../schema/api/audit.ts'
import { LIMITS } from '../../schema/limits.ts'
import { AccountWrites } from '../../worker/account-writes.ts'
import type { Cluster } from '../../worker/cluster-object.ts'
import type { Write } from '../../worker/write.ts'
import { addOrganisation, insertKey, KEY, ok, refused, TestCluster } from './api.ts'

beforeAll(insertKey)

/** What the Worker makes of a call with an Idempotency-Key. */
const newWrite = (route = 'createGroup'): Write => ({
  ...{ who: { kind: 'key', id: 'key-suite-suite', name: 'suite' }, from: null, about: null },
  ...{ request: 'of-the-caller', route, status: 200 },
  once: { keyId: 'key-suite-suite', name: crypto.randomUUID(), fingerprint: 'f'.repeat(64) },
})
const creation = (name: string) =>
  ({ type: 'createGroup', groupId: crypto.randomUUID(), name, settings: {} }) as const
const clusterLog = (cluster: TestCluster, query: Record<string, string> = {}) =>
  ok<AuditPage>('listClusterAudit', { params: cluster.params, query })
const inUse = { refused: { code: 'IDEMPOTENCY_KEY_IN_USE' } }
const CONTROL_FAILED = { code: 'CONTROL_FAILED', message: 'it has not answered in time' } as const
const BUSY = { code: 'UNAVAILABLE', message: 'too many are under way' } as const

describe('let in twice, since the object died in between', () => {
  test('a caller that gives all its tries one request id: one is carried out', async () => {
    const cluster = await TestCluster.form('standard')
    const write = newWrite()
    expect(await (await cluster.stub()).begin(write)).toBe(null)
    await abortAllDurableObjects()
    const stub = await cluster.stub()
    expect(await stub.begin(write)).toBe(null)
    const reply = { fields: {} }
    expect(await stub.ask(creation('web'), 'suite', write, reply)).toMatchObject({ seq: 2 })
    expect(await stub.ask(creation('web2'), 'suite', write, reply)).toMatchObject(inUse)
    expect((await cluster.view()).groups.map((one) => one.name)).toEqual(['web'])
  })

  test('what is handed to a host: one leaves, and is told once', async () => {
    const cluster = await TestCluster.form('standard')
    const [write, nodeId] = [newWrite('testFence'), crypto.randomUUID()]
    const stub = await cluster.stub()
    expect(await stub.testFence(nodeId, null, write)).toMatchObject({
      refused: { code: 'FENCE_NOT_SET' },
    })
    expect(await stub.testFence(nodeId, null, write)).toMatchObject(inUse)
    expect((await clusterLog(cluster, { route: 'testFence' })).entries).toHaveLength(1)
  })
})

test('what has left for a host and failed there is answered so again, and is not done again', async () => {
  const cluster = await TestCluster.form('standard')
  const stub = await cluster.stub()
  const left = newWrite('testFence')
  await stub.testFence(crypto.randomUUID(), null, left)
  await stub.refused(left, CONTROL_FAILED)
  expect(await stub.begin(left)).toMatchObject({ answer: { status: 502 } })
  // It has never left: the next try may go better.
  const stayed = newWrite('testFence')
  await stub.begin(stayed)
  await stub.refused(stayed, BUSY)
  expect(await stub.begin(stayed)).toBe(null)
})

describe('the clock is put back', () => {
  test('a write that was under way then does not keep the same one out for ever', async () => {
    const cluster = await TestCluster.form('standard')
    const write = newWrite()
    const later = Date.now() + 30 * 24 * 3_600_000
    await runInDurableObject(await cluster.stub(), (object: Cluster) => {
      const { now } = Date
      Date.now = () => later
      try {
        expect(object.begin(write)).toBe(null)
      } finally {
        Date.now = now
      }
      expect(object.begin(write)).toBe(null)
      expect(object.begin(write)).toMatchObject(inUse)
    })
  })

  test('refusals of then are not those of this hour: in a cluster', async () => {
    const cluster = await TestCluster.form('standard')
    await runInDurableObject(
      await cluster.stub(),
      (_, state) =>
        void state.storage.sql.exec(
          `with recursive n(i) as (select 2 union all select i + 1 from n where i < 150)
         insert into audit select i, ?, 'x', 'key-suite-suite', 'suite', 1, ?, '{}', 0 from n`,
          ...[Date.now() + 1_000_000, '0'.repeat(64)],
        ),
    )
    await refused('deleteGroup', { params: { ...cluster.params, group: 'nosuch' } })
    const { entries } = await clusterLog(cluster, { limit: '1' })
    expect(entries).toMatchObject([{ n: 151, refused: 'NOT_FOUND', furtherLeftOut: false }])
  })
})

test('a page of long entries ends early, and the next one goes on behind it', async () => {
  const cluster = await TestCluster.form('standard')
  for (const name of ['a', 'b', 'c', 'd']) await cluster.group(name)
  await runInDurableObject(
    await cluster.stub(),
    (_, state) =>
      // White space around JSON is none of it.
      void state.storage.sql.exec(
        "update audit set body = body || replace(hex(zeroblob(750000)), '0', ' ')",
      ),
  )
  const numbers = async (query: Record<string, string>) => {
    const { entries, next } = await clusterLog(cluster, query)
    return [entries.map((one) => one.n), next]
  }
  expect(3 * 1_500_000).toBeGreaterThan(LIMITS.auditPageLengthMax)
  expect(await numbers({ after: '0' })).toEqual([[1, 2], 2])
  expect(await numbers({ after: '2' })).toEqual([[3, 4], 4])
  expect(await numbers({ after: '4' })).toEqual([[5], null])
  expect(await numbers({})).toEqual([[4, 5], null])
})

describe('with the accounts', () => {
  const accounts = () => new AccountWrites(env.DB, 'organisation-suite', KEY)
  const NOT_FOUND = { code: 'NOT_FOUND', message: 'there is no key "nosuch"' } as const

  test('answers of keys that write no more go as well, once their 24 hours are over', async () => {
    const over = Date.now() - LIMITS.answersKeptMs
    const add = "insert into answers values ('of-nobody', ?, 'f', 'r', ?, 200, '')"
    await env.DB.batch([
      env.DB.prepare(add).bind('over', over),
      env.DB.prepare(add).bind('yet-there', over + 600_000),
    ])
    await accounts().refused(newWrite('revokeKey'), NOT_FOUND)
    const left = "select name from answers where key_id = 'of-nobody'"
    expect((await env.DB.prepare(left).all()).results).toEqual([{ name: 'yet-there' }])
  })

  test('refused twice at once: one answer, also of who has too many refusals to be told', async () => {
    const write = newWrite('revokeKey')
    await accounts().refused(write, NOT_FOUND)
    await expect(accounts().refused(write, NOT_FOUND)).rejects.toMatchObject({
      refusal: inUse.refused,
    })
    await addOrganisation('other')
    await env.DB.prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < 100)
       insert into audit select 'organisation-other', i, ?, 'x', 'key-suite-suite', 'suite', 1, '', '{}' from n`,
    )
      .bind(Date.now())
      .run()
    await expect(accounts().refused(write, NOT_FOUND)).rejects.toMatchObject({
      refusal: inUse.refused,
    })
    expect(await accounts().begin(write)).toMatchObject({ answer: { status: 404 } })
  })
})
