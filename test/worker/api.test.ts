import { createExecutionContext } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { app } from '../../worker/app.ts'
import { fetchApi, insertKey, ok, problemOf, refused, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

describe('who may ask', () => {
  test('without a key, with a wrong one, with one of another shape: 401', async () => {
    for (const authorization of ['', 'Bearer hfk_wrong-key-of-the-suite', 'Bearer x', 'Basic a']) {
      const response = await fetchApi('/v1/clusters', { headers: { authorization } })
      expect(response.status).toBe(401)
      expect(await problemOf(response)).toMatchObject({ code: 'UNAUTHENTICATED' })
    }
  })

  test('health needs none, and says nothing of anybody', async () => {
    const response = await exports.default.fetch('https://holdfast.test/healthz')
    expect(await response.json()).toEqual({
      ...{ ok: true, version: '0.1.0' },
      checks: [{ name: 'accounts', ok: true, detail: 'the accounts database answers' }],
    })
  })

  test('with its accounts away it says so by its status as well', async () => {
    const away = { prepare: () => ({ first: () => Promise.reject(new Error('D1 is away')) }) }
    const ctx = createExecutionContext()
    const response = await app.request('/healthz', {}, { ...env, DB: away as never }, ctx)
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ ok: false, checks: [{ ok: false }] })
  })

  test('nothing there, and no such session endpoint', async () => {
    expect(await problemOf(await fetchApi('/v1/nothing'))).toMatchObject({ code: 'NOT_FOUND' })
    expect((await fetchApi('/v1/sessions/abc')).status).toBe(404)
  })
})

describe('clusters', () => {
  test('formed, listed, shown; the name is taken then', async () => {
    const cluster = await TestCluster.form('standard')
    const { clusters } = await ok<{ clusters: { name: string }[] }>('listClusters')
    expect(clusters.map((c) => c.name)).toContain(cluster.name)
    expect(await cluster.view()).toMatchObject({
      id: cluster.id,
      profile: 'standard',
      // No host has joined yet: said, and no outage.
      health: 'warning',
      problems: [{ subject: 'nodes' }],
      seq: 1,
      view: 0,
      nodes: [],
    })
    expect(await refused('createCluster', { body: { name: cluster.name } })).toMatchObject({
      code: 'NAME_TAKEN',
      status: 409,
    })
    expect(await refused('getCluster', { params: { cluster: 'nosuch' } })).toMatchObject({
      code: 'NOT_FOUND',
      status: 404,
    })
  })

  test('bodies: not JSON, too large, an unknown key, a bad name: 400 and 413 with pointers', async () => {
    const post = async (body: string) =>
      problemOf(await fetchApi('/v1/clusters', { method: 'POST', body }))
    expect(await post('{')).toMatchObject({ code: 'BAD_REQUEST' })
    expect(await post(`"${'x'.repeat(300 * 1024)}"`)).toMatchObject({ code: 'TOO_LARGE' })
    expect(await post('{"name":"a","x":1}')).toMatchObject({ code: 'BAD_REQUEST' })
    const problem = await post('{"name":"-a"}')
    expect(problem).toMatchObject({ code: 'BAD_REQUEST', errors: [{ pointer: '/name' }] })
    const long = await problemOf(await fetchApi(`/v1/clusters/${'x'.repeat(65)}`))
    expect(long).toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('joining', () => {
  test('a token: counted, and the same key joins twice without another use', async () => {
    const cluster = await TestCluster.form('standard')
    const { token } = await ok<{ token: string }>('createToken', {
      params: cluster.params,
      body: { uses: 1 },
    })
    expect(token).toMatch(/^hfj_/)
    const body = (name: string, key: string) => ({ token, name, publicKey: key.repeat(43) })
    const first = await ok<{ nodeId: string }>('join', { body: body('n1', 'A') })
    expect(first).toMatchObject({ changed: true, clusterId: cluster.id })
    expect(await ok('join', { body: body('n1', 'A') })).toMatchObject({
      changed: false,
      nodeId: first.nodeId,
    })
    expect(await refused('join', { body: body('n2', 'B') })).toMatchObject({
      code: 'TOKEN_INVALID',
      detail: 'this join token is used up',
    })
    const wrong = { ...body('n2', 'B'), token: 'hfj_nobody-made-this' }
    expect(await refused('join', { body: wrong })).toMatchObject({ code: 'TOKEN_INVALID' })
  })

  test('a name that is taken costs no use', async () => {
    const cluster = await TestCluster.form('standard')
    const { token } = await ok<{ token: string }>('createToken', {
      params: cluster.params,
      body: { uses: 2 },
    })
    const body = (name: string, key: string) => ({ token, name, publicKey: key.repeat(43) })
    await ok('join', { body: body('n1', 'A') })
    expect(await refused('join', { body: body('N1', 'B') })).toMatchObject({ code: 'NAME_TAKEN' })
    await ok('join', { body: body('n2', 'B') })
    expect((await cluster.view()).nodes.map((n) => [n.name, n.position])).toEqual([
      ['n1', 0],
      ['n2', 1],
    ])
  })
})

describe('groups and resources', () => {
  test('made, changed, shown in the hive (S-63, S-65), removed', async () => {
    const cluster = await TestCluster.form('standard')
    const { params } = cluster
    await cluster.group('web')
    const id = await cluster.resource('web', 'db')
    await cluster.resource('web', 'nginx', { dependsOn: ['db'], restart: { attempts: 1 } })
    await ok('changeResource', {
      params: { ...params, resource: 'db' },
      body: { name: 'pg', poll: { isAliveMs: 1_000 } },
    })
    const hive = await ok<{ value: object }>('getHive', {
      params,
      query: { path: `/Cluster/Resources/${id}` },
    })
    expect(hive.value).toMatchObject({
      Name: 'pg',
      PersistentState: 1,
      GroupId: expect.any(String),
    })
    expect(Object.keys(hive.value)).not.toContain('Status')
    expect(
      await ok('getHive', { params, query: { path: `Cluster/Resources/${id}/PersistentState` } }),
    ).toMatchObject({ value: 1 })
    expect(await refused('getHive', { params, query: { path: '/Cluster/X' } })).toMatchObject({
      code: 'NOT_FOUND',
    })
    // S-64: found by name and by GUID.
    for (const resource of ['pg', id])
      expect(await ok('getResource', { params: { ...params, resource } })).toMatchObject({ id })
    expect(await ok('getGroup', { params: { ...params, group: 'web' } })).toMatchObject({
      state: 'waiting',
      waitingReasons: [],
    })
    await ok('offlineGroup', { params: { ...params, group: 'web' } })
    for (const resource of ['nginx', 'pg'])
      await ok('deleteResource', { params: { ...params, resource } })
    await ok('deleteGroup', { params: { ...params, group: 'web' } })
    expect((await cluster.view()).groups).toEqual([])
  })

  test('refusals of the core come through with their words', async () => {
    const cluster = await TestCluster.form('standard')
    const { params } = cluster
    await cluster.group('web')
    await cluster.resource('web', 'nginx')
    const resource = (body: object) =>
      refused('createResource', {
        params,
        body: { name: 'x', group: 'web', type: 'process', properties: { command: '/x' }, ...body },
      })
    expect(await resource({ type: 'teleport' })).toMatchObject({
      code: 'UNKNOWN_TYPE',
      status: 400,
    })
    expect(await resource({ group: 'nosuch' })).toMatchObject({ code: 'NOT_FOUND', status: 404 })
    expect(await resource({ name: 'NGINX' })).toMatchObject({ code: 'NAME_TAKEN', status: 409 })
    expect(await resource({ properties: { command: 'x' } })).toMatchObject({
      code: 'BAD_PROPERTY',
      errors: [{ pointer: '/properties/command' }],
      remedy: expect.any(String),
    })
    expect(
      await refused('moveGroup', { params: { ...params, group: 'web' }, body: {} }),
    ).toMatchObject({ code: 'NO_ELIGIBLE_NODE', status: 409 })
    expect(await refused('deleteGroup', { params: { ...params, group: 'web' } })).toMatchObject({
      code: 'GROUP_NOT_EMPTY',
    })
    expect(await refused('evictNode', { params: { ...params, node: 'n1' } })).toMatchObject({
      code: 'NOT_FOUND',
    })
  })
})

describe('with a node', () => {
  test('S-02: the ordered list, pause and resume; types; events and log with their filters', async () => {
    const cluster = await TestCluster.form('standard')
    const { params } = cluster
    const [n1, n2] = [await TestNode.up(cluster, 'n1'), await TestNode.up(cluster, 'n2')]
    const groupId = await cluster.group('web', ['n2'])
    await n2.take(groupId)
    await ok('pauseNode', { params: { ...params, node: 'n1' } })
    const names = async (query: Record<string, string>) =>
      (await ok<{ nodes: { name: string }[] }>('listNodes', { params, query })).nodes.map(
        (n) => n.name,
      )
    expect(await names({})).toEqual(['n1', 'n2'])
    expect(await names({ available: 'true' })).toEqual(['n2'])
    expect(
      await refused('moveGroup', { params: { ...params, group: 'web' }, body: { to: 'n1' } }),
    ).toMatchObject({ code: 'NODE_PAUSED' })
    await ok('resumeNode', { params: { ...params, node: 'n1' } })
    await ok('moveGroup', { params: { ...params, group: 'web' }, body: { to: 'n1' } })
    await n2.tell({ t: 'released', groupId, epoch: 1, why: 'asked' })
    expect(await n1.take(groupId)).toBe(2)
    const { types } = await ok<{ types: { type: string; nodes: string[] }[] }>('listTypes', {
      params,
    })
    expect(types.find((t) => t.type === 'process')?.nodes).toEqual(['n1', 'n2'])

    const { seq } = await cluster.view()
    const page = await ok<{ events: { seq: number; type: string }[]; next: number }>('listEvents', {
      params,
      query: { after: String(seq - 2), limit: '1' },
    })
    expect(page.events.map((e) => e.seq)).toEqual([seq - 1])
    expect(page.next).toBe(seq - 1)
    // A long poll ends when something comes, not before.
    const waiting = ok<{ events: { type: string }[] }>('listEvents', {
      params,
      query: { after: String(seq), waitMs: '5000' },
    })
    await ok('pauseNode', { params: { ...params, node: 'n2' } })
    expect((await waiting).events.map((e) => e.type)).toEqual(['node.paused'])
    const { entries } = await ok<{ entries: { component: string }[] }>('listLog', {
      params,
      query: { component: 'FM' },
    })
    expect(entries.length).toBeGreaterThan(3)
    expect(new Set(entries.map((e) => e.component))).toEqual(new Set(['FM']))
  })
})
