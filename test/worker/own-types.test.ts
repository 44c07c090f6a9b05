/** Types of the cluster's own at the control plane, by hand-written frames (S-54 to S-57). */
import { beforeAll, expect, test } from 'vitest'
import type { ClusterView, ResourceView } from '../../schema/api/bodies.ts'
import type { TypeView } from '../../schema/api/types.ts'
import type { Refusal } from '../../schema/errors.ts'
import { moduleManifest } from '../../schema/module-manifest.ts'
import type { TypeChange } from '../../schema/type-asks.ts'
import { insertKey, ok, pause, refused, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const [ONE, TWO] = ['1'.repeat(64), '2'.repeat(64)]
const manifest = (version = '1.0.0', required: string[] = []) =>
  moduleManifest.parse({
    ...{ type: 'my-db', version, title: 'A database', way: 'child', example: { port: 1 } },
    properties: {
      type: 'object',
      properties: { port: { type: 'integer', minimum: 1 }, more: { type: 'string' } },
      required,
      additionalProperties: false,
    },
  })

async function ask(node: TestNode, what: TypeChange): Promise<Refusal | null> {
  const request = crypto.randomUUID()
  node.line.send({ t: 'typeAsk', request, ask: what })
  return (await node.line.next('typeAnswer', (f) => f.request === request)).refusal
}
const register = (node: TestNode, sha256: string, what = manifest()) =>
  ask(node, { do: 'register', manifest: what, sha256 })
/** A resource of group `web` that is wanted online. */
async function nginx(cluster: TestCluster) {
  const params = { cluster: cluster.name, resource: 'nginx' }
  const { id: resourceId } = await ok<{ id: string }>('createResource', {
    params,
    body: {
      ...{ name: 'nginx', group: 'web', type: 'process', persistentState: 1 },
      properties: { command: '/bin/true' },
    },
  })
  return { params, resourceId }
}
const hosting = (sha256: string, problem?: string) => ({
  ...{ type: 'my-db', version: '1.0.0', sha256 },
  ...(problem !== undefined && { problem }),
})
const typeOf = async (cluster: TestCluster) => {
  const { types } = await ok<{ types: TypeView[] }>('listTypes', { params: cluster.params })
  return types.find((t) => t.type === 'my-db')
}

test('S-55, S-56: what counts as a type is in the hive, by hash; asked again nothing changes', async () => {
  const cluster = await TestCluster.form('standard')
  const node = await TestNode.up(cluster, 'n1')
  expect(await typeOf(cluster)).toBeUndefined()
  expect(await register(node, ONE)).toBeNull()
  const { seq } = await cluster.view()
  expect(await register(node, ONE)).toBeNull()
  expect((await cluster.view()).seq).toBe(seq)
  expect(await typeOf(cluster)).toMatchObject({ shipped: false, host: 'rhs', nodes: [] })

  // The same version with other bytes, a name that is taken, and none of that name.
  expect(await register(node, TWO)).toMatchObject({ code: 'TYPE_CONFLICT' })
  const process = moduleManifest.parse({ ...manifest(), type: 'process' })
  expect(await register(node, TWO, process)).toMatchObject({ code: 'TYPE_CONFLICT' })
  expect(await ask(node, { do: 'unregister', type: 'process' })).toMatchObject({
    code: 'NOT_FOUND',
  })
  expect((await cluster.view()).seq).toBe(seq)
})

test('a node is eligible with a registered file alone, and the catalogue says why another is not', async () => {
  const cluster = await TestCluster.form('standard')
  const [n1, n2] = [await TestNode.up(cluster, 'n1'), await TestNode.up(cluster, 'n2')]
  await register(n1, ONE)
  await n1.tell({ t: 'types', types: [hosting(ONE)] })
  await n2.tell({ t: 'types', types: [hosting(TWO)] })
  expect(await typeOf(cluster)).toMatchObject({
    nodes: ['n1'],
    unable: [{ node: 'n2', why: expect.stringContaining('is not registered in this cluster') }],
  })
  await n2.tell({ t: 'types', types: [hosting(ONE, 'it is corrupt')] })
  expect((await typeOf(cluster))?.unable).toEqual([{ node: 'n2', why: 'it is corrupt' }])
  const view = await ok<ClusterView>('getCluster', { params: cluster.params })
  expect(view.problems.map((p) => p.message)).toContain(
    'node n2 cannot host type my-db: it is corrupt',
  )
  await n2.tell({ t: 'types', types: [hosting(ONE)] })
  expect(await typeOf(cluster)).toMatchObject({ nodes: ['n1', 'n2'], unable: [] })
})

test('S-55: properties are held to it; in use it is neither unregistered nor made unfit', async () => {
  const cluster = await TestCluster.form('standard')
  const node = await TestNode.up(cluster, 'n1')
  await register(node, ONE)
  await cluster.group('web')
  const params = { cluster: cluster.name, resource: 'db' }
  const made = (properties: object) => ({
    params,
    body: { name: 'db', group: 'web', type: 'my-db', properties, persistentState: 0 },
  })
  for (const bad of [{ port: 0 }, { prot: 1 }])
    expect(await refused('createResource', made(bad))).toMatchObject({ code: 'BAD_PROPERTY' })
  await ok('createResource', made({ port: 1 }))
  expect(await register(node, TWO, manifest('2.0.0', ['more']))).toMatchObject({
    code: 'TYPE_CONFLICT',
    why: expect.stringContaining('"db"'),
  })
  expect(await ask(node, { do: 'unregister', type: 'my-db' })).toMatchObject({
    code: 'RESOURCE_IN_USE',
    message: expect.stringContaining('"db" is of it'),
  })
  expect(await register(node, TWO, manifest('2.0.0'))).toBeNull()
  expect((await typeOf(cluster))?.versions).toEqual(['1.0.0', '2.0.0'])
  await ok('deleteResource', { params })
  expect(await ask(node, { do: 'unregister', type: 'my-db' })).toBeNull()
  expect(await typeOf(cluster)).toBeUndefined()
})

test('S-51: degraded is a problem of the cluster, and no failure', async () => {
  const cluster = await TestCluster.form('standard')
  const node = await TestNode.up(cluster, 'n1')
  const groupId = await cluster.group('web')
  const epoch = await node.take(groupId)
  const { params, resourceId } = await nginx(cluster)
  const say = (detail?: string) =>
    node.tell({
      t: 'status',
      items: [
        {
          ...{ resourceId, epoch, status: 'online', restarts: 0, gaveUp: false },
          ...(detail !== undefined && { detail }),
        },
      ],
    })
  await say('degraded: the data is 40 s old')
  expect(await ok<ResourceView>('getResource', { params })).toMatchObject({ degraded: true })
  const bad = await ok<ClusterView>('getCluster', { params: cluster.params })
  expect(bad.groups[0]?.state).toBe('online')
  expect(bad.problems.map((p) => p.message)).toContain(
    'nginx on n1 is degraded: the data is 40 s old',
  )
  await say()
  expect(await ok<ResourceView>('getResource', { params })).toMatchObject({ degraded: false })
})

test('S-56: a file comes from a node that has it intact, asked one after the other', async () => {
  const cluster = await TestCluster.form('standard')
  const [n1, n2, n3] = [
    await TestNode.up(cluster, 'n1'),
    await TestNode.up(cluster, 'n2'),
    await TestNode.up(cluster, 'n3'),
  ]
  await register(n1, ONE)
  await n1.tell({ t: 'types', types: [hosting(ONE)] })
  await n2.tell({ t: 'types', types: [hosting(ONE, 'it is corrupt')] })
  await n3.tell({ t: 'types', types: [hosting(ONE)] })
  const request = crypto.randomUUID()
  n2.line.send({ t: 'fetchModule', request, type: 'my-db', sha256: ONE })
  const first = await n1.line.next('moduleWanted')
  // Counts only from the node that was asked.
  n3.line.send({ t: 'module', request: first.request, text: 'ZXZpbA==' })
  await pause(50)
  n1.line.send({ t: 'module', request: first.request, text: null })
  const second = await n3.line.next('moduleWanted')
  n3.line.send({ t: 'module', request: second.request, text: 'Z29vZA==' })
  expect(await n2.line.next('module')).toEqual({ t: 'module', request, text: 'Z29vZA==' })
  // Nobody has that one, and the one that asks is not asked itself.
  const none = crypto.randomUUID()
  n3.line.send({ t: 'fetchModule', request: none, type: 'my-db', sha256: TWO })
  expect(await n3.line.next('module')).toEqual({ t: 'module', request: none, text: null })
  expect(n2.line.frames.filter((f) => f.t === 'moduleWanted')).toEqual([])
})

test('control codes: typed, handed to the node that has the group, answered by it alone', async () => {
  const cluster = await TestCluster.form('standard')
  const [n1, n2] = [await TestNode.up(cluster, 'n1'), await TestNode.up(cluster, 'n2')]
  const groupId = await cluster.group('web')
  const epoch = await n1.take(groupId)
  const { params, resourceId } = await nginx(cluster)
  const refuse = (body: object) => refused('controlResource', { params, body })
  expect(await refuse({ code: 'explode' })).toMatchObject({
    code: 'BAD_REQUEST',
    why: 'it has: reload',
  })
  expect(await refuse({ code: 'constructor' })).toMatchObject({ why: 'it has: reload' })
  expect(await refuse({ code: '__proto__' })).toMatchObject({ code: 'BAD_REQUEST' })
  expect(await refuse({ code: 'reload', input: { hard: true } })).toMatchObject({
    code: 'BAD_REQUEST',
    why: expect.stringContaining('hard'),
  })
  expect(n1.line.frames.filter((f) => f.t === 'control')).toEqual([])

  const asked = ok('controlResource', { params, body: { code: 'reload' } })
  const frame = await n1.line.next('control')
  expect(frame).toMatchObject({ resourceId, groupId, epoch, code: 'reload', input: {} })
  const { request } = frame
  n2.line.send({ t: 'controlled', request, outcome: { answer: '"lie"' } })
  await pause(50)
  n1.line.send({ t: 'controlled', request, outcome: { answer: '{"pid":7}' } })
  expect(await asked).toEqual({ node: 'n1', answer: { pid: 7 } })

  const fails = refuse({ code: 'reload' })
  const again = await n1.line.next('control')
  const outcome = { error: 'it does not run' }
  n1.line.send({ t: 'controlled', request: again.request, outcome })
  expect(await fails).toMatchObject({ code: 'CONTROL_FAILED', why: 'it does not run' })
  const { entries } = await ok<{ entries: { message: string }[] }>('listLog', {
    params: cluster.params,
  })
  expect(entries.map((e) => e.message).join('\n')).toMatch(
    /control reload of nginx by .*: done\ncontrol reload of nginx by .*: it does not run/,
  )
})

test('a manifest that is too deep or too large ends the session, before it costs anything', async () => {
  const cluster = await TestCluster.form('standard')
  for (const [name, depth, says] of [
    ['n1', 15_000, 'larger than'],
    ['n2', 500, 'too deep'],
  ] as const) {
    const node = await TestNode.up(cluster, name)
    const manifest = `${'{"type":"array","items":'.repeat(depth)}{}${'}'.repeat(depth)}`
    const ask = `{"do":"register","manifest":${manifest},"sha256":"${ONE}"}`
    node.line.ws.send(`{"t":"typeAsk","request":"${crypto.randomUUID()}","ask":${ask}}`)
    expect((await node.line.end()).code).toBe(4003)
    const bye = node.line.frames.find((f) => f.t === 'bye')
    expect(bye).toMatchObject({ code: 'badFrame', detail: expect.stringContaining(says) })
  }
})

test('the target of a move is asked before anything is stopped; its no is the refusal', async () => {
  const cluster = await TestCluster.form('standard')
  const [n1, n2] = [await TestNode.up(cluster, 'n1'), await TestNode.up(cluster, 'n2')]
  const groupId = await cluster.group('web')
  await n1.take(groupId)
  const { seq } = await cluster.view()
  n2.line.couldNot = 'db: there is no /dev/sdb on this host'
  const params = { cluster: cluster.name, group: 'web' }
  expect(await refused('moveGroup', { params, body: { to: 'n2' } })).toMatchObject({
    code: 'NOT_POSSIBLE_OWNER',
    detail: expect.stringContaining('cannot move web to n2: db: there is no /dev/sdb on this host'),
  })
  expect((await cluster.view()).seq).toBe(seq)
  n2.line.couldNot = null
  await ok('moveGroup', { params, body: { to: 'n2' } })
  expect((await cluster.view()).seq).toBeGreaterThan(seq)
})
