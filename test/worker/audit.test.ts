/** The audit log: every write, carried out or refused, committed with what it tells of, in one chain. */
import { abortAllDurableObjects, createExecutionContext, runInDurableObject } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { verifyExport } from '../../cli/audit-file.ts'
import type { AuditLine, AuditPage } from '../../schema/api/audit.ts'
import { type RouteName, routes } from '../../schema/api/routes.ts'
import { LIMITS } from '../../schema/limits.ts'
import { app } from '../../worker/app.ts'
import {
  addKey,
  addOrganisation,
  as,
  fetchApi,
  insertKey,
  KEY,
  ok,
  refused,
  TestCluster,
} from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const clusterLog = (cluster: TestCluster, query: Record<string, string> = {}) =>
  ok<AuditPage>('listClusterAudit', { params: cluster.params, query })
const accountLog = (query: Record<string, string> = {}) => ok<AuditPage>('listAudit', { query })

/** What `audit export` writes, judged as `audit verify` does. */
async function verdict(read: (query: Record<string, string>) => Promise<AuditPage>) {
  const { chain, base, head } = await read({ limit: '1' })
  const lines: AuditLine[] = []
  for (let after: number | null = base.n; after !== null; ) {
    const page: AuditPage = await read({ after: String(after), limit: '7' })
    lines.push(...page.entries)
    after = page.next
  }
  const all = [{ format: 'holdfast-audit-1', chain, base, head }, ...lines]
  return verifyExport(all.map((one) => `${JSON.stringify(one)}\n`).join(''), head.hash)
}

async function send(name: RouteName, params: Record<string, string>, init: RequestInit = {}) {
  const { method, path } = routes[name]
  const filled = path.replace(/:([a-z]+)/g, (_, word: string) => params[word] ?? '')
  return fetchApi(filled, { method, ...init })
}

describe('of a cluster', () => {
  test('who, what, when, from where, before and after', async () => {
    const cluster = await TestCluster.form('standard')
    const groupId = await cluster.group('web')
    const params = { ...cluster.params, group: 'web' }
    await ok('changeGroup', { params, body: { name: 'www' } })
    const { entries, chain, head, base } = await clusterLog(cluster)
    expect([chain, base.n, head.n]).toEqual([cluster.id, 0, 3])
    const who = { kind: 'key', id: 'key-suite-suite', name: 'suite' }
    expect(entries).toMatchObject([
      {
        ...{ n: 1, who, route: 'createCluster', action: 'formCluster', refused: null },
        about: { kind: 'cluster', id: cluster.id, name: cluster.name },
      },
      {
        ...{ n: 2, who, route: 'createGroup', action: 'createGroup', asked: { name: 'web' } },
        about: { kind: 'group', id: groupId, name: 'web' },
        changes: [{ table: 'group', id: groupId, before: null, after: { name: 'web' } }],
      },
      {
        ...{ n: 3, route: 'changeGroup', about: { kind: 'group', id: groupId, name: 'www' } },
        changes: [{ table: 'group', id: groupId, before: { name: 'web' }, after: { name: 'www' } }],
      },
    ])
    // Of what was changed the fields that are not what they were, and no others.
    expect(entries[2]?.changes[0]?.before).toEqual({ name: 'web' })
    expect(head.hash).toBe(entries[2]?.hash)
    expect(Math.abs((entries[2]?.atMs ?? 0) - Date.now())).toBeLessThan(60_000)
    expect(await verdict((query) => clusterLog(cluster, query))).toMatchObject({ fault: null })
  })

  test('the id of the request, and the address where the platform vouches for it', async () => {
    const cluster = await TestCluster.form('standard')
    const headers = { 'x-request-id': 'of-the-caller', 'cf-connecting-ip': '192.0.2.7' }
    const body = (name: string) => JSON.stringify({ name })
    const one = await send('createGroup', cluster.params, { headers, body: body('a') })
    expect(one.headers.get('x-request-id')).toBe('of-the-caller')
    // Where no edge overwrites the header, whoever asks could have written it.
    const call = new Request(`https://holdfast.test/v1/clusters/${cluster.name}/groups`, {
      ...{ method: 'POST', headers: { ...headers, authorization: `Bearer ${KEY}` } },
      body: body('b'),
    })
    const { ADDRESS_HEADER: _, ...elsewhere } = env
    expect((await app.fetch(call, elsewhere as Env, createExecutionContext())).status).toBe(200)
    const bad = { 'x-request-id': 'a b\u00e9' }
    await send('createGroup', cluster.params, { headers: bad, body: body('c') })
    const { entries } = await clusterLog(cluster, { route: 'createGroup' })
    expect(entries.map(({ from, request }) => [from, request])).toEqual([
      ['192.0.2.7', 'of-the-caller'],
      [null, 'of-the-caller'],
      [null, expect.stringMatching(/^[0-9a-f-]{36}$/)],
    ])
  })

  test('refused writes of a valid key: by right, by body, by name, by the cluster', async () => {
    const cluster = await TestCluster.form('standard')
    const reader = { key: 'hfk_reader-of-the-audit-log', name: 'reader' }
    await addKey({ ...reader, scopes: [{ role: 'read', cluster: cluster.id }] })
    const params = { ...cluster.params, group: 'nosuch' }
    await as(reader.key, () => refused('deleteGroup', { params }))
    await refused('createGroup', { params: cluster.params, body: { nosuch: 'hfk_never-kept' } })
    await refused('deleteGroup', { params })
    await cluster.group('web')
    await refused('createGroup', { params: cluster.params, body: { name: 'web' } })
    // What only looks is not told, nor who has no valid key.
    await as(reader.key, () => cluster.view())
    await as('hfk_nobody-knows-this-one', () => refused('deleteGroup', { params }))
    const { entries } = await clusterLog(cluster)
    expect(
      entries.slice(1).map(({ who, route, refused: code }) => [who.name, route, code]),
    ).toEqual([
      ['reader', 'deleteGroup', 'FORBIDDEN'],
      ['suite', 'createGroup', 'BAD_REQUEST'],
      ['suite', 'deleteGroup', 'NOT_FOUND'],
      ['suite', 'createGroup', null],
      ['suite', 'createGroup', 'NAME_TAKEN'],
    ])
    expect(entries[3]?.about).toEqual({ kind: 'group', id: null, name: 'nosuch' })
    expect(JSON.stringify(entries)).not.toContain('never-kept')
    expect(await verdict((query) => clusterLog(cluster, query))).toMatchObject({ fault: null })
  })

  test('who may do nothing cannot push out what others have done', async () => {
    const cluster = await TestCluster.form('standard')
    const reader = { key: 'hfk_storms-the-audit-log-now', name: 'stormy' }
    await addKey({ ...reader, scopes: [{ role: 'read', cluster: cluster.id }] })
    const params = { ...cluster.params, group: 'x' }
    const calls = LIMITS.auditRefusalsPerHour + 5
    for (let i = 0; i < calls; i++) await as(reader.key, () => refused('deleteGroup', { params }))
    await refused('deleteGroup', { params })
    const { entries } = await clusterLog(cluster, { by: 'stormy', limit: '1000' })
    expect(entries).toHaveLength(LIMITS.auditRefusalsPerHour)
    expect(entries.filter((one) => one.furtherLeftOut)).toEqual([entries.at(-1)])
    // Others are entered as before.
    expect((await clusterLog(cluster, { by: 'suite' })).entries.at(-1)?.refused).toBe('NOT_FOUND')
  })

  test('a host joins with a token, and asks on its session: who that was', async () => {
    const cluster = await TestCluster.form('standard')
    const node = await TestNode.join(cluster, 'n1')
    const { entries } = await clusterLog(cluster)
    expect(entries.at(-1)).toMatchObject({
      ...{ who: { kind: 'joinToken' }, route: 'join', action: 'joinNode' },
      about: { kind: 'node', id: node.joined.nodeId, name: 'n1' },
    })
    const { entries: tokens } = await accountLog({ route: 'createToken' })
    expect(entries.at(-1)?.who.id).toBe(tokens.at(-1)?.changes[0]?.id)
  })

  test('what is handed to a host is told before it leaves', async () => {
    const cluster = await TestCluster.form('standard')
    await TestNode.join(cluster, 'n1')
    const params = { ...cluster.params, node: 'n1' }
    await refused('testFence', { params, body: {} })
    const { entries } = await clusterLog(cluster, { route: 'testFence' })
    expect(entries.map((one) => [one.action, one.refused])).toEqual([
      ['testFence', null],
      [null, 'FENCE_NOT_SET'],
    ])
  })

  test('many at once and an object that dies: one chain, and nothing twice', async () => {
    const cluster = await TestCluster.form('standard')
    const make = (i: number) =>
      ok('createGroup', { params: cluster.params, body: { name: `g${i}` } })
    await Promise.all(Array.from({ length: 20 }, (_, i) => make(i)))
    await abortAllDurableObjects()
    await Promise.all(Array.from({ length: 20 }, (_, i) => make(20 + i)))
    const { entries } = await clusterLog(cluster, { limit: '100' })
    expect(entries.map((one) => one.n)).toEqual(Array.from({ length: 41 }, (_, i) => i + 1))
    expect(await verdict((query) => clusterLog(cluster, query))).toMatchObject({ fault: null })
  })

  test('the entry is in the transaction of the write: without it there is no write', async () => {
    const cluster = await TestCluster.form('standard')
    const stub = await cluster.stub()
    await runInDurableObject(stub, (_, state) => void state.storage.sql.exec('drop table audit'))
    const response = await send('createGroup', cluster.params, { body: '{"name":"web"}' })
    expect(response.status).toBe(500)
    await abortAllDurableObjects()
    expect((await cluster.view()).groups).toEqual([])
  })

  test('what is sent again is told once', async () => {
    const cluster = await TestCluster.form('standard')
    const headers = { 'idempotency-key': crypto.randomUUID() }
    for (let i = 0; i < 3; i++)
      await send('createGroup', cluster.params, { headers, body: '{"name":"web"}' })
    expect((await clusterLog(cluster)).head.n).toBe(2)
  })

  test('filters and pages; so many are kept, and the rest is judged by what was removed', async () => {
    const cluster = await TestCluster.form('standard')
    for (const name of ['a', 'b', 'c', 'd']) await cluster.group(name)
    const { entries } = await clusterLog(cluster)
    const third = entries[2] as AuditLine
    const numbers = async (query: Record<string, string>) => {
      const found = await clusterLog(cluster, query)
      return [found.entries.map((one) => one.n), found.next]
    }
    expect(await numbers({ limit: '2' })).toEqual([[4, 5], null])
    expect(await numbers({ limit: '2', after: '1' })).toEqual([[2, 3], 3])
    expect(await numbers({ limit: '2', after: '4' })).toEqual([[5], null])
    expect(await numbers({ by: 'nobody' })).toEqual([[], null])
    expect(await numbers({ by: 'key-suite-suite', route: 'createCluster' })).toEqual([[1], null])
    const sinceMs = String((entries.at(-1)?.atMs ?? 0) + 1)
    expect(await numbers({ sinceMs })).toEqual([[], null])
    // As if twenty thousand had come: the first three are over their time.
    await runInDurableObject(await cluster.stub(), (_, state) => {
      const much = LIMITS.auditLengthMax
      state.storage.sql.exec('update audit set total = total - ? where n <= 3', much)
    })
    await cluster.group('e')
    const left = await clusterLog(cluster)
    expect(left.entries.map((one) => one.n)).toEqual([4, 5, 6])
    expect(left.base).toEqual({ n: 3, hash: third.hash })
    expect(await verdict((query) => clusterLog(cluster, query))).toMatchObject({
      ...{ fault: null, base: { n: 3 }, head: { n: 6 } },
    })
  })
})

describe('of an organisation', () => {
  const OTHER = 'hfk_organisation-of-the-log'
  const asOther = <T>(work: () => Promise<T>) => as(OTHER, work)
  beforeAll(async () => {
    await addOrganisation('logged')
    await addKey({ key: OTHER, name: 'root', organisation: 'logged' })
  })

  test('keys, tokens and clusters made; never a secret', async () => {
    const body = { name: 'ci', scopes: [{ role: 'read' }] }
    const { key } = await asOther(() => ok<{ key: string }>('createKey', { body }))
    const params = { key: 'ci' }
    const second = await asOther(() => ok<{ key: string }>('rotateKey', { params, body: {} }))
    await asOther(() => ok('revokeKey', { params }))
    const cluster = { name: 'logged-one', profile: 'standard' }
    const { id } = await asOther(() => ok<{ id: string }>('createCluster', { body: cluster }))
    const there = { cluster: 'logged-one' }
    const { token } = await asOther(() =>
      ok<{ token: string }>('createToken', { params: there, body: {} }),
    )
    await asOther(() => refused('createCluster', { body: cluster }))
    await asOther(() => refused('revokeKey', { params: { key: 'root' } }))
    await asOther(() => refused('deleteGroup', { params: { cluster: 'nosuch', group: 'g' } }))
    const { entries, chain } = await asOther(() => accountLog())
    expect(chain).toBe('organisation-logged')
    expect(entries.map((one) => [one.route, one.about?.name, one.refused])).toEqual([
      ['createKey', 'ci', null],
      ['rotateKey', 'ci', null],
      ['revokeKey', 'ci', null],
      ['createCluster', 'logged-one', null],
      ['createToken', 'logged-one', null],
      ['createCluster', undefined, 'NAME_TAKEN'],
      ['revokeKey', 'root', 'KEY_IN_USE'],
      ['deleteGroup', 'g', 'NOT_FOUND'],
    ])
    expect(entries[3]).toMatchObject({ changes: [{ table: 'cluster', id, before: null }] })
    expect(entries[2]?.changes[0]).toMatchObject({
      ...{
        table: 'key',
        before: { revokedAtMs: null },
        after: { revokedAtMs: expect.any(Number) },
      },
    })
    const text = JSON.stringify(entries)
    for (const secret of [key, second.key, token, OTHER]) {
      expect(text).not.toContain(secret)
      expect(text).not.toContain(secret.slice(-20))
    }
    expect(await asOther(() => verdict(accountLog))).toMatchObject({ fault: null })
    // The log of another organisation has nothing of it.
    const others = await accountLog({ limit: '1000' })
    expect(others.entries.every((one) => one.chain === 'organisation-suite')).toBe(true)
  })

  test('many at once: the chain does not fork, and each is told once', async () => {
    const before = (await asOther(() => accountLog({ limit: '1' }))).head.n
    const make = (i: number) =>
      asOtherKey('createKey', { name: `k${i}`, scopes: [{ role: 'read' }] })
    await Promise.all(Array.from({ length: 30 }, (_, i) => make(i)))
    const { entries, head } = await asOther(() => accountLog({ after: String(before) }))
    expect(head.n).toBe(before + 30)
    expect(new Set(entries.map((one) => one.about?.name)).size).toBe(30)
    expect(await asOther(() => verdict(accountLog))).toMatchObject({ fault: null })
  })

  /** The key of a request is its own here: several are under way. */
  async function asOtherKey(name: RouteName, body: unknown) {
    const response = await exports.default.fetch(`https://holdfast.test${routes[name].path}`, {
      method: routes[name].method,
      headers: { authorization: `Bearer ${OTHER}` },
      body: JSON.stringify(body),
    })
    expect(response.status, await response.text()).toBe(200)
  }

  test('a write without its entry is none', async () => {
    const { head } = await asOther(() => accountLog({ limit: '1' }))
    const drop =
      "create trigger no_more before insert on audit begin select raise(abort, 'no'); end"
    await env.DB.prepare(drop).run()
    try {
      const body = { name: 'unseen', scopes: [{ role: 'read' }] }
      const response = await asOther(() =>
        fetchApi('/v1/keys', { method: 'POST', body: JSON.stringify(body) }),
      )
      expect(response.status).toBeGreaterThanOrEqual(500)
    } finally {
      await env.DB.prepare('drop trigger no_more').run()
    }
    const { keys } = await asOther(() => ok<{ keys: { name: string }[] }>('listKeys'))
    expect(keys.map((one) => one.name)).not.toContain('unseen')
    expect((await asOther(() => accountLog({ limit: '1' }))).head).toEqual(head)
  })

  test('the oldest go, and what is left is judged by the last of them', async () => {
    const { entries, head, chain } = await asOther(() => accountLog({ limit: '1000' }))
    // As if so many had come before the newest.
    const newest = LIMITS.auditKept + 5
    await env.DB.prepare('update audit set n = ? where organisation_id = ? and n = ?')
      .bind(newest, chain, head.n)
      .run()
    const body = { name: 'last', scopes: [{ role: 'read' }] }
    await asOther(() => ok('createKey', { body }))
    const left = await asOther(() => accountLog({ limit: '1000' }))
    expect(left.entries[0]).toEqual(entries[6])
    expect(left.base).toEqual({ n: 6, hash: entries[5]?.hash })
    expect(left.head.n).toBe(newest + 1)
  })
})
