/** `?dry_run=true` of every write: the same checks and decision, and nothing is committed or sent; and If-Match. */

import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dryRun } from '../../schema/api/audit.ts'
import type { Route } from '../../schema/api/route.ts'
import { writes, writesHive } from '../../schema/api/route-errors.ts'
import { type RouteName, routes } from '../../schema/api/routes.ts'
import { fetchApi, insertKey, KEY, ok, problemOf, refused, TestCluster } from './api.ts'
import { send as askOf, mailed } from './people.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const NAMES = (Object.keys(routes) as RouteName[]).filter(writes)

/** What each would do in a cluster with node n1, empty group `empty` and group `web` with resource `nginx`. */
const BODIES: Readonly<Record<string, object>> = {
  createCluster: { name: 'not-made' },
  changeCluster: { placement: 'capacity' },
  createToken: { uses: 2 },
  createKey: { name: 'not-made', scopes: [{ role: 'read' }] },
  createWebhook: { name: 'not-made', url: 'https://example.com/' },
  changeWebhook: { enabled: false },
  publishStatusPage: { groups: ['web'] },
  triggerWebhook: { type: 'node.up' },
  replayWebhook: { sinceMs: 1 },
  inviteMember: { email: 'eve@example.com', role: 'viewer' },
  changeMember: { role: 'admin' },
  deleteOrganisation: { confirm: 'suite', force: true },
  changeNode: { faultDomain: 'rack-2' },
  setFence: { agent: 'fence_ipmilan' },
  startMaintenance: { scope: 'cluster', reason: 'test' },
  endMaintenance: { scope: 'node', name: 'n1' },
  applyConfig: { config: { groups: { another: {} } }, prune: false },
  createRule: { name: 'apart', kind: 'keepApart', groups: ['web', 'empty'] },
  createGroup: { name: 'another' },
  changeGroup: { priority: 7 },
  createResource: {
    name: 'r2',
    group: 'web',
    type: 'process',
    properties: { command: '/bin/true' },
  },
  changeResource: { restart: { attempts: 9 } },
  controlResource: { code: 'reload' },
  changeSettings: { change: {} },
}
/** There is nothing for it to do here: it is refused as ever. */
const REFUSED: Readonly<Record<string, string>> = {
  ...{
    evictNode: 'NODE_OWNS_GROUPS',
    deleteGroup: 'GROUP_NOT_EMPTY',
    deleteResource: 'GROUP_ONLINE',
  },
  ...{ moveGroup: 'NO_ELIGIBLE_NODE', failoverGroup: 'NO_ELIGIBLE_NODE' },
  ...{ failbackGroup: 'NO_PREFERRED_OWNER', cancelOperation: 'NOT_FOUND', deleteRule: 'NOT_FOUND' },
  confirmFence: 'FENCE_CONNECTED',
  // A key is no owner; see organisation.test.ts.
  deleteOrganisation: 'FORBIDDEN',
}
/** It is so already: nothing would be changed. */
const NOTHING = [
  'unpublishStatusPage',
  'resumeNode',
  'removeFence',
  'unstickGroup',
  'endMaintenance',
]

let cluster: TestCluster
let boot: string
let backup: object
let pings: ReturnType<typeof setInterval>
afterAll(() => clearInterval(pings))
beforeAll(async () => {
  cluster = await TestCluster.form('wan')
  const node = await TestNode.up(cluster, 'n1')
  pings = setInterval(() => node.line.ws.send('ping'), 500)
  await node.take(await cluster.group('empty'))
  const groupId = await cluster.group('web')
  const resourceId = await cluster.resource('web', 'nginx')
  const epoch = await node.take(groupId)
  await node.tell({
    t: 'status',
    items: [{ resourceId, epoch, restarts: 0, gaveUp: false, status: 'online' }],
  })
  await env.DB.batch([
    env.DB.prepare(
      "insert into persons (id, name, email, email_verified, created_at_ms, updated_at_ms) values ('ben', 'Ben', 'ben@example.com', 1, 0, 0)",
    ),
    env.DB.prepare(
      "insert into members (organisation_id, person_id, role, grants, joined_at_ms, invited_by) values ('organisation-suite', 'ben', 'viewer', '[]', 0, 'suite')",
    ),
  ])
  await ok('inviteMember', { body: { email: 'ada@example.com', role: 'viewer' } })
  boot = (await cluster.view()).nodes[0]?.bootId ?? ''
  const file = await (await fetchApi(`/v1/clusters/${cluster.name}/backup`)).bytes()
  const [header = '', hive = ''] = new TextDecoder().decode(file).split('\n')
  backup = { name: 'not-made', header: JSON.parse(header), hive: JSON.parse(hive).hive }
  await ok('createKey', { body: { name: 'there', scopes: [{ role: 'read' }] } })
  await ok('createWebhook', {
    body: { name: 'there', url: 'https://example.com/', types: ['node.removed'] },
  })
})

const THINGS: Readonly<Record<string, string>> = {
  ...{ node: 'n1', group: 'web', resource: 'nginx', rule: 'none', key: 'there', webhook: 'there' },
  ...{ operation: 'u999', member: 'ben@example.com', invitation: 'ada@example.com' },
}

function send(name: RouteName, query: string, headers: Record<string, string> = {}) {
  const route: Route = routes[name]
  const path = route.path.replace(/:([a-z]+)/g, (_, one: string) =>
    one === 'cluster' ? cluster.name : (THINGS[one] ?? ''),
  )
  const made: Readonly<Record<string, object>> = {
    ...{ confirmFence: { boot }, restoreCluster: backup },
    deleteCluster: { confirm: cluster.name, force: true },
  }
  const body = made[name] ?? BODIES[name] ?? {}
  return fetchApi(`${path}${query}`, {
    ...{ method: route.method, headers },
    ...(route.body && { body: JSON.stringify(body) }),
  })
}

type Kept = Record<string, unknown[]>

/** All that is kept: every table of D1 and of the object, but for when a key was used last. */
async function everything(): Promise<Kept> {
  const tables = [
    'members',
    'invitations',
    'organisations',
    'clusters',
    'api_key_secrets',
    'join_tokens',
    'answers',
    'audit',
  ]
  const kept: Kept = {}
  for (const one of [...tables, 'webhook_endpoints', 'status_pages'])
    kept[`D1 ${one}`] = (await env.DB.prepare(`select * from ${one} order by 1, 2`).all()).results
  const columns = 'id, name, scopes, expires_at_ms, revoked_at_ms'
  const keys = await env.DB.prepare(`select ${columns} from api_keys order by id`).all()
  kept['D1 api_keys'] = keys.results
  const ofObject = await runInDurableObject(await cluster.stub(), (_, { storage }) => {
    const all = [
      'updates',
      'journal',
      'snapshots',
      'observed',
      'answers',
      'audit',
      'log',
      'sessions',
    ]
    return [...all, 'webhook_messages', 'webhook_deliveries'].map((name) => [
      name,
      storage.sql.exec(`select * from "${name}"`).toArray(),
    ])
  })
  return { ...kept, ...Object.fromEntries(ofObject) }
}

describe.each(NAMES)('%s', (name) => {
  const { noDryRun }: Route = routes[name]

  test('says what would be changed, and nothing is', async () => {
    const before = await everything()
    const { seq } = await cluster.view()
    const response = await send(name, '?dry_run=true', { 'idempotency-key': 'the-same-for-all' })
    const expected = noDryRun === undefined ? REFUSED[name] : 'BAD_REQUEST'
    if (expected) expect((await problemOf(response)).code).toBe(expected)
    else {
      const answer = await response.json()
      expect(response.status, JSON.stringify(answer)).toBe(200)
      const tried = dryRun.strict().parse(answer)
      expect(tried.seq).toBe(writesHive(name) ? seq : null)
      expect(tried.changes.length > 0, JSON.stringify(tried)).toBe(!NOTHING.includes(name))
      expect(JSON.stringify(answer)).not.toMatch(/hfk_\w{20}|hfj_\w{8}|whsec_/)
    }
    const after = await everything()
    // That it cannot be tried is a refusal like any other, and told in the audit log.
    const but = noDryRun === undefined ? {} : { 'D1 audit': [], audit: [] }
    expect({ ...after, ...but }).toEqual({ ...before, ...but })
  })

  test('only true or false; and nothing else that is not known is put up with', async () => {
    expect((await problemOf(await send(name, '?dry_run=yes'))).code).toBe('BAD_REQUEST')
    expect((await problemOf(await send(name, '?dryrun=true'))).code).toBe('BAD_REQUEST')
  })

  test('If-Match: a version that is no longer, and what is none, changes nothing', async () => {
    const { updates } = await everything()
    const { seq } = await cluster.view()
    const stale = await send(name, '', { 'if-match': `"${seq - 1}"` })
    const found = await problemOf(stale)
    // What is looked up first may be refused for what it is.
    const first =
      noDryRun && name !== 'replayWebhook'
        ? ['NODE_DOWN', 'FENCE_NOT_SET', 'NO_MANAGEMENT_EXTENSION']
        : []
    const codes = [
      ...first,
      REFUSED[name],
      writesHive(name) ? 'PRECONDITION_FAILED' : 'BAD_REQUEST',
    ]
    expect(codes).toContain(found.code)
    if (found.code === 'PRECONDITION_FAILED') {
      expect(found).toMatchObject({ status: 412, seq })
      expect(stale.headers.get('etag')).toBe(`"${seq}"`)
    }
    expect((await problemOf(await send(name, '', { 'if-match': 'W/"1"' }))).code).toBe(
      'BAD_REQUEST',
    )
    expect((await everything())['updates']).toEqual(updates)
  })
})

test('who would be invited is not written to', async () => {
  const body = { email: 'eve@example.com', role: 'viewer' }
  const settings = { MAIL: 'console', PUBLIC_URL: 'https://ha.example.com' }
  const asked = { body, token: KEY, query: { dry_run: 'true' }, env: settings }
  expect(await mailed(() => askOf('inviteMember', asked))).toEqual([])
})

test('a join cannot be tried: it says so instead of doing it', async () => {
  const body = { token: 'hfj_nosuch-token', name: 'n9', publicKey: 'A'.repeat(43) }
  expect(await refused('join', { query: { dry_run: 'true' }, body })).toMatchObject({
    code: 'BAD_REQUEST',
  })
})

test('what is tried is what comes of it when it is done', async () => {
  const tried = dryRun.parse(await (await send('changeGroup', '?dry_run=true')).json())
  await ok('changeGroup', { params: { ...cluster.params, group: 'web' }, body: { priority: 7 } })
  const { entries } = await ok<{ entries: { changes: object[] }[] }>('listClusterAudit', {
    params: cluster.params,
    query: { limit: '1' },
  })
  expect(entries.at(-1)?.changes).toEqual(tried.changes)
})

test('the ETag of what was read lets a write through, once; the version of then is in its answer', async () => {
  for (const name of ['getCluster', 'getConfig', 'getHive'] as const) {
    const { path } = routes[name]
    const read = await fetchApi(path.replace(':cluster', cluster.name))
    const { seq } = (await read.json()) as { seq: number }
    expect(read.headers.get('etag')).toBe(`"${seq}"`)
  }
  const { seq } = await cluster.view()
  const change = (etag: string, priority: number) =>
    fetchApi(`/v1/clusters/${cluster.name}/groups/web`, {
      method: 'PATCH',
      headers: { 'if-match': etag },
      body: JSON.stringify({ priority }),
    })
  const first = await change(`"${seq}"`, 8)
  expect(first.headers.get('etag')).toBe(`"${seq + 1}"`)
  expect((await problemOf(await change(`"${seq}"`, 9))).code).toBe('PRECONDITION_FAILED')
  // Of many at once, one.
  const all = await Promise.all([1, 2, 3, 4].map((n) => change(`"${seq + 1}"`, 20 + n)))
  expect(all.map((one) => one.status).sort()).toEqual([200, 412, 412, 412])
  expect((await change('*', 30)).status).toBe(200)
})
