/** Deletion of one cluster: by its name, never by mistake while groups run, and nothing of it is left. */
import { env } from 'cloudflare:workers'
import { beforeAll, expect, test } from 'vitest'
import { type AuditPage, dryRun } from '../../schema/api/audit.ts'
import { CLOSE } from '../../schema/session.ts'
import { stubOf } from '../../worker/calls.ts'
import { DELETED } from '../../worker/deleted.ts'
import { sweepObjects } from '../../worker/doomed-objects.ts'
import type { Write } from '../../worker/write.ts'
import { fetchApi, insertKey, ok, pause, refused, TestCluster } from './api.ts'
import { objectOf, rowsWith, storedIn } from './left.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const WRITE: Write = {
  who: { kind: 'key', id: 'key', name: 'late' },
  ...{ from: null, request: 'late', route: 'changeGroup', about: null, status: 200, once: null },
}
const NOTHING = { tables: [], keys: [], alarm: null }

interface Made {
  readonly id: string
  readonly key: string
}

const key = (name: string, scopes: object[]) => ok<Made>('createKey', { body: { name, scopes } })

const end = (cluster: TestCluster, more: object = {}) => ({
  params: cluster.params,
  body: { confirm: cluster.name, ...more },
})

/** With an empty group, a token and a status page. */
async function shop(): Promise<TestCluster> {
  const cluster = await TestCluster.form('wan')
  await cluster.group('web')
  await ok('createToken', { params: cluster.params, body: {} })
  await ok('publishStatusPage', { params: cluster.params, body: { groups: ['web'] } })
  return cluster
}

test('only by its name; a dry run says what would go, and nothing does', async () => {
  const cluster = await shop()
  const { code } = await refused('deleteCluster', end(cluster, { confirm: 'another' }))
  expect(code).toBe('BAD_REQUEST')
  const response = await fetchApi(`/v1/clusters/${cluster.name}/delete?dry_run=true`, {
    ...{ method: 'POST', body: JSON.stringify({ confirm: cluster.name }) },
  })
  const tried = dryRun.parse(await response.json())
  expect(tried.changes.map((one) => [one.table, one.name])).toEqual([['cluster', cluster.name]])
  expect((await cluster.view()).name).toBe(cluster.name)
})

test('nothing of it is left but what is told of it; its name is free again', async () => {
  const cluster = await shop()
  const objectId = await objectOf(cluster)
  const { name, id } = cluster
  const own = await key(`own-${name}`, [{ role: 'admin', cluster: name }])
  const wide = await key(`wide-${name}`, [{ role: 'read', cluster: name }, { role: 'read' }])
  expect(await ok('deleteCluster', end(cluster))).toEqual({ id, cluster: name })
  const left = await rowsWith([id])
  const tables = new Set(left.map((row) => row.split(':')[0]))
  // Who may have what of old; what was used; and that it was deleted.
  expect([...tables].sort()).toEqual(
    ['api_keys', 'audit', 'usage_days'].filter((t) => tables.has(t)),
  )
  expect(left.filter((row) => row.includes('deleteCluster'))).toHaveLength(1)
  await pause(300)
  expect(await storedIn(objectId)).toEqual(NOTHING)
  expect((await refused('getCluster', { params: cluster.params })).code).toBe('NOT_FOUND')
  expect((await refused('deleteCluster', end(cluster))).code).toBe('NOT_FOUND')
  const ends = await env.DB.prepare('select id, revoked_at_ms is null as valid from api_keys').all()
  const valid = new Map(ends.results.map((row) => [row['id'], row['valid']]))
  expect([valid.get(own.id), valid.get(wide.id)]).toEqual([0, 1])
  await ok('createCluster', { body: { name, profile: 'wan' } })
})

test('CLUSTER_IN_USE while a group has an owner; by force its hosts are told', async () => {
  const cluster = await shop()
  const node = await TestNode.up(cluster, 'n1')
  const pings = setInterval(() => node.line.ws.send('ping'), 500)
  const [group] = (await cluster.view()).groups
  await node.take(group?.id ?? '')
  const problem = await refused('deleteCluster', end(cluster))
  expect(problem).toMatchObject({ code: 'CLUSTER_IN_USE', status: 409 })
  expect(problem.detail).toContain(`${cluster.name} (web)`)
  const objectId = await objectOf(cluster)
  const { line } = node
  await ok('deleteCluster', end(cluster, { force: true }))
  clearInterval(pings)
  expect(await line.next('bye')).toMatchObject({ code: 'notMember' })
  expect(await line.end()).toMatchObject({ code: CLOSE.evicted })
  await pause(300)
  expect(await storedIn(objectId)).toEqual(NOTHING)
})

test('sent again with its Idempotency-Key it is answered as before; whoever sweeps next finishes what is left', async () => {
  const cluster = await shop()
  const objectId = await objectOf(cluster)
  const send = () =>
    fetchApi(`/v1/clusters/${cluster.id}/delete`, {
      method: 'POST',
      headers: { 'idempotency-key': 'end-it-once-and-for-all' },
      body: JSON.stringify({ confirm: cluster.name }),
    })
  const first = await send()
  expect(first.status).toBe(200)
  const again = await send()
  expect([again.status, await again.text()]).toEqual([200, await first.text()])
  await env.DB.prepare('insert into doomed_objects values (?, 0) on conflict do nothing')
    .bind(objectId)
    .run()
  await sweepObjects(env)
  await pause(300)
  expect(await storedIn(objectId)).toEqual(NOTHING)
})

test('a key for this cluster alone is answered too; by two at once it is deleted once', async () => {
  const cluster = await shop()
  const own = await key(`only-${cluster.name}`, [{ role: 'admin', cluster: cluster.name }])
  const send = (name: string, secret?: string) =>
    fetchApi(`/v1/clusters/${cluster.id}/delete`, {
      method: 'POST',
      headers: {
        'idempotency-key': name,
        ...(secret && { authorization: `Bearer ${secret}` }),
      },
      body: JSON.stringify({ confirm: cluster.name }),
    })
  const first = await send('the-first-of-two', own.key)
  expect(first.status).toBe(200)
  expect((await send('the-first-of-two', own.key)).status).toBe(200)
  const other = await shop()
  const both = await Promise.all(
    ['one-of-the-two-0', 'one-of-the-two-1'].map((name) =>
      fetchApi(`/v1/clusters/${other.id}/delete`, {
        ...{ method: 'POST', headers: { 'idempotency-key': name } },
        body: JSON.stringify({ confirm: other.name }),
      }),
    ),
  )
  expect(both.map((one) => one.status).sort()).toEqual([200, 404])
  const told = await rowsWith([other.id])
  const done = told.filter(
    (row) => row.startsWith('audit:') && row.includes('"action\\":\\"deleteC'),
  )
  expect(done).toHaveLength(1)
})

test('whoever has looked it up just before finds nothing, and leaves nothing behind', async () => {
  const cluster = await shop()
  const objectId = await objectOf(cluster)
  const reads = ['getCluster', 'listEvents', 'survivability', 'listWebhookEvents'] as const
  // By a key that is known from a moment ago.
  for (const name of reads) await ok(name, { params: cluster.params })
  await ok('deleteCluster', end(cluster))
  for (const name of reads)
    expect((await refused(name, { params: cluster.params })).code).toBe('NOT_FOUND')
  const late = stubOf(env, objectId)
  const request = { type: 'changeGroup' as const, groupId: crypto.randomUUID(), settings: {} }
  const problem = await late.ask(request, 'late', WRITE, { fields: {} }).then(
    () => 'carried out',
    (error: Error) => error.message,
  )
  expect(problem).toBe(DELETED)
  await pause(300)
  expect(await storedIn(objectId)).toEqual(NOTHING)
})

test('keys that end with it are told of; what it has used until then stays', async () => {
  const cluster = await shop()
  const node = await TestNode.up(cluster, 'n1')
  const own = await key(`ends-${cluster.name}`, [{ role: 'read', cluster: cluster.name }])
  await pause(1_200)
  node.line.ws.close()
  await ok('deleteCluster', end(cluster, { force: true }))
  const used = await env.DB.prepare(
    'select sum(node_ms) as ms from usage_days where cluster_id = ?',
  )
    .bind(cluster.id)
    .first<{ ms: number }>()
  expect(used?.ms).toBeGreaterThan(1_000)
  const { entries } = await ok<AuditPage>('listAudit', { query: { route: 'deleteCluster' } })
  const [last] = entries.filter((one) => one.about?.id === cluster.id)
  expect(last?.changes.map((one) => [one.table, one.id])).toEqual([
    ['cluster', cluster.id],
    ['key', own.id],
  ])
})
