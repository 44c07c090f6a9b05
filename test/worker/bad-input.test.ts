/** Bad input to the API: a clear error (what, why, what to do), and nothing is changed. */
import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Problem } from '../../schema/api/bodies.ts'
import type { ErrorCode } from '../../schema/errors.ts'
import { fetchApi, insertKey, KEY, ok, problemOf, refused, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

interface Case {
  readonly what: string
  readonly code: ErrorCode
  readonly ask: () => Promise<Problem>
  /** Words that the error has to have. */
  readonly says?: RegExp
}

/** A cluster with two nodes, one of them paused, a group with a resource on the other. */
async function prepared() {
  const cluster = await TestCluster.form('standard')
  const { params } = cluster
  const [n1, n2] = [await TestNode.up(cluster, 'n1'), await TestNode.up(cluster, 'n2')]
  const down = await TestNode.join(cluster, 'n3')
  const groupId = await cluster.group('web')
  await n1.take(groupId)
  const nginx = await cluster.resource('web', 'nginx')
  const app = await cluster.resource('web', 'app', { dependsOn: ['nginx'] })
  await ok('pauseNode', { params: { ...params, node: 'n2' } })
  return { cluster, params, n1, n2, down, nginx, app }
}

const create = (params: object, body: object) => () =>
  refused('createResource', {
    params: { ...params },
    body: { name: 'x', group: 'web', type: 'process', properties: { command: '/x' }, ...body },
  })

describe('requests of an operator', () => {
  test('each is refused with its code, in words, and leaves the hive as it was', async () => {
    const { cluster, params } = await prepared()
    const move = (to: string) => () =>
      refused('moveGroup', { params: { ...params, group: 'web' }, body: { to } })
    const named = (name: string) => () => refused('createGroup', { params, body: { name } })
    const change = (resource: string, body: object) => () =>
      refused('changeResource', { params: { ...params, resource }, body })
    const remove = (node: string, lost?: string) => () =>
      refused('evictNode', { params: { ...params, node }, query: lost ? { lost } : {} })
    const cases: Case[] = [
      {
        what: 'unknown type',
        code: 'UNKNOWN_TYPE',
        ask: create(params, { type: 'teleport' }),
        says: /teleport/,
      },
      {
        what: 'missing property',
        code: 'BAD_PROPERTY',
        ask: create(params, { properties: {} }),
        says: /command/,
      },
      {
        what: 'ill-typed property',
        code: 'BAD_PROPERTY',
        ask: create(params, { properties: { command: 7 } }),
        says: /command/,
      },
      {
        what: 'unknown property',
        code: 'BAD_PROPERTY',
        ask: create(params, { properties: { command: '/x', colour: 'red' } }),
        says: /colour/,
      },
      {
        what: 'cycle',
        code: 'DEPENDENCY_CYCLE',
        ask: change('nginx', { dependsOn: ['app'] }),
        says: /nginx → app → nginx|nginx.*app.*nginx/,
      },
      {
        what: 'cycle by way of an alternative',
        code: 'DEPENDENCY_CYCLE',
        ask: change('nginx', { dependsOn: 'app or nginx' }),
        says: /nginx → app → nginx|nginx → nginx/,
      },
      {
        what: 'maintenance without a reason',
        code: 'BAD_REQUEST',
        ask: () => refused('startMaintenance', { params, body: { scope: 'cluster', reason: ' ' } }),
        says: /reason/,
      },
      {
        what: 'maintenance of the cluster by another name',
        code: 'BAD_REQUEST',
        ask: () =>
          refused('startMaintenance', {
            params,
            body: { scope: 'cluster', name: 'web', reason: 'x' },
          }),
        says: /the cluster has no name here/,
      },
      {
        what: 'maintenance for longer than a month',
        code: 'BAD_REQUEST',
        ask: () =>
          refused('startMaintenance', {
            params,
            body: { scope: 'group', name: 'web', reason: 'x', forMs: 40 * 86_400_000 },
          }),
        says: /forMs/,
      },
      {
        what: 'maintenance of nothing',
        code: 'NOT_FOUND',
        ask: () => refused('endMaintenance', { params, body: { scope: 'group', name: 'nosuch' } }),
        says: /nosuch/,
      },
      {
        what: 'a cycle between groups',
        code: 'DEPENDENCY_CYCLE',
        ask: () =>
          refused('changeGroup', { params: { ...params, group: 'web' }, body: { after: ['web'] } }),
        says: /web → web/,
      },
      {
        what: 'a group that waits for no group',
        code: 'NOT_FOUND',
        ask: () =>
          refused('createGroup', { params, body: { name: 'late', onlyWhile: ['nosuch'] } }),
        says: /nosuch/,
      },
      {
        what: 'an expression without its end',
        code: 'BAD_EXPRESSION',
        ask: change('app', { dependsOn: '(nginx or' }),
        says: /it ends where the name of a resource is expected/,
      },
      {
        what: 'an expression with a name that nothing has',
        code: 'NOT_FOUND',
        ask: change('app', { dependsOn: 'nginx or nosuch' }),
        says: /nosuch/,
      },
      {
        what: 'depends on itself',
        code: 'DEPENDENCY_CYCLE',
        ask: change('app', { dependsOn: ['app'] }),
      },
      { what: 'unknown node', code: 'NOT_FOUND', ask: move('n9'), says: /n9/ },
      {
        what: 'unknown group',
        code: 'NOT_FOUND',
        ask: create(params, { group: 'nosuch' }),
        says: /nosuch/,
      },
      { what: 'name taken', code: 'NAME_TAKEN', ask: named('web'), says: /web/ },
      {
        what: 'the same but for case',
        code: 'NAME_TAKEN',
        ask: named('WEB'),
        says: /mistaken for the group "web"/,
      },
      {
        what: 'a look-alike in ASCII',
        code: 'NAME_TAKEN',
        ask: create(params, { name: 'ng1nx'.replace('1', 'i').toUpperCase() }),
        says: /nginx/,
      },
      {
        what: 'a look-alike of another script',
        code: 'BAD_REQUEST',
        ask: named('w\u0435b'),
        says: /U\+0435/,
      },
      { what: 'a full-width letter', code: 'BAD_REQUEST', ask: named('\uff57eb'), says: /U\+FF57/ },
      { what: 'a zero-width space', code: 'BAD_REQUEST', ask: named('we\u200bb'), says: /U\+200B/ },
      {
        what: 'right-to-left override',
        code: 'BAD_REQUEST',
        ask: named('we\u202eb'),
        says: /U\+202E/,
      },
      { what: 'a line feed', code: 'BAD_REQUEST', ask: named('we\nb'), says: /U\+000A/ },
      {
        what: 'an escape sequence',
        code: 'BAD_REQUEST',
        ask: named('\u001b[31mweb'),
        says: /U\+001B/,
      },
      { what: 'a combining mark', code: 'BAD_REQUEST', ask: named('we\u0301b'), says: /U\+0301/ },
      { what: 'an empty name', code: 'BAD_REQUEST', ask: named('') },
      { what: 'a long name', code: 'BAD_REQUEST', ask: named('x'.repeat(65)) },
      { what: 'move to a paused node', code: 'NODE_PAUSED', ask: move('n2'), says: /n2/ },
      { what: 'move to a node that is down', code: 'NODE_DOWN', ask: move('n3'), says: /n3/ },
      { what: 'move to where it is', code: 'ALREADY_THERE', ask: move('n1') },
      {
        what: 'remove a node that owns groups',
        code: 'NODE_OWNS_GROUPS',
        ask: remove('n1'),
        says: /web/,
      },
      {
        what: 'remove as lost a node that is up',
        code: 'NODE_NOT_DOWN',
        ask: remove('n1', 'true'),
        says: /lease/,
      },
      { what: 'a body that is not JSON', code: 'BAD_REQUEST', ask: () => post(cluster, '{') },
      {
        what: 'a body over the limit',
        code: 'TOO_LARGE',
        ask: () => post(cluster, `"${'x'.repeat(300_000)}"`),
      },
      {
        what: 'a field that nobody knows',
        code: 'BAD_REQUEST',
        ask: () => post(cluster, '{"name":"a","x":1}'),
      },
    ]
    const before = await cluster.view()
    for (const { what, code, ask, says } of cases) {
      const problem = await ask()
      expect([what, problem.code]).toEqual([what, code])
      expectFourParts(what, problem)
      if (says) expect(`${problem.detail} ${problem.why}`, what).toMatch(says)
    }
    const after = await cluster.view()
    expect([after.seq, after.hash]).toEqual([before.seq, before.hash])
  })

  test('NOT_POSSIBLE_OWNER: a node that may not own it', async () => {
    const { params } = await prepared()
    await ok('resumeNode', { params: { ...params, node: 'n2' } })
    await ok('changeResource', {
      params: { ...params, resource: 'nginx' },
      body: { possibleOwners: ['n1'] },
    })
    const problem = await refused('moveGroup', {
      params: { ...params, group: 'web' },
      body: { to: 'n2' },
    })
    expect(problem).toMatchObject({ code: 'NOT_POSSIBLE_OWNER' })
    expectFourParts('possible owner', problem)
  })

  test('UNAUTHENTICATED: no key, a wrong one, one of another shape', async () => {
    for (const authorization of ['', 'Bearer hfk_somebody-elses-key', 'Bearer x', `Basic ${KEY}`]) {
      const problem = await problemOf(
        await fetchApi('/v1/clusters', { headers: { authorization } }),
      )
      expect(problem).toMatchObject({ code: 'UNAUTHENTICATED', status: 401 })
      expectFourParts(authorization, problem)
    }
  })
})

describe('join tokens', () => {
  const body = (token: string, more: object = {}) => ({
    body: { token, name: 'n9', publicKey: 'Z'.repeat(43), ...more },
  })

  test('unknown, used up, expired: TOKEN_INVALID, and nobody has joined', async () => {
    const { cluster, params } = await prepared()
    const make = async () =>
      (await ok<{ token: string }>('createToken', { params, body: { uses: 1 } })).token
    const used = await make()
    await ok('join', { body: { token: used, name: 'n8', publicKey: 'Y'.repeat(43) } })
    const expired = await make()
    await env.DB.prepare('update join_tokens set expires_at_ms = 1 where uses_left = 1').run()
    const before = await cluster.view()
    const cases: [string, RegExp][] = [
      ['hfj_nobody-made-this', /not known/],
      [used, /used up/],
      [expired, /expired/],
    ]
    for (const [token, says] of cases) {
      const problem = await refused('join', body(token))
      expect(problem).toMatchObject({ code: 'TOKEN_INVALID', status: 403 })
      expect(problem.detail).toMatch(says)
      expectFourParts(token.slice(0, 8), problem)
    }
    expect((await cluster.view()).hash).toBe(before.hash)
  })

  test('JOINED_ELSEWHERE: of another cluster than the host is a member of; costs no use', async () => {
    const { cluster, params } = await prepared()
    const other = await TestCluster.form('standard')
    const { token } = await ok<{ token: string }>('createToken', { params, body: { uses: 1 } })
    const problem = await refused('join', body(token, { memberOf: other.id }))
    expect(problem).toMatchObject({ code: 'JOINED_ELSEWHERE', status: 409 })
    expect(problem.detail).toContain(cluster.name)
    expectFourParts('foreign', problem)
    await ok('join', body(token, { memberOf: cluster.id }))
  })
})

function expectFourParts(what: string, { detail, why, remedy, type }: Problem): void {
  expect(detail.length, what).toBeGreaterThan(10)
  expect(why?.length ?? 0, what).toBeGreaterThan(10)
  expect(remedy?.length ?? 0, what).toBeGreaterThan(10)
  expect(type, what).toMatch(/^https:\/\/.*\/[A-Z_]+$/)
}

const post = async (cluster: TestCluster, text: string) =>
  problemOf(await fetchApi(`/v1/clusters/${cluster.name}/groups`, { method: 'POST', body: text }))
