/** `why`: verdict, what led to it, every node with its reason; and the log's filters. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { WhyView } from '../../schema/api/why.ts'
import { insertKey, ok, pause, refused, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const why = (cluster: TestCluster, kind: 'Group' | 'Node' | 'Resource', name: string) =>
  ok<WhyView>(`why${kind}`, { params: { ...cluster.params, [kind.toLowerCase()]: name } })

const rows = (view: WhyView) =>
  view.nodes.map((n) => `${n.node} ${n.eligible ? 'yes' : 'no'}${n.owner ? '*' : ''}: ${n.reason}`)

async function running(profile: 'fast' | 'standard' = 'standard') {
  const cluster = await TestCluster.form(profile)
  const n1 = await TestNode.up(cluster, 'n1')
  const n2 = await TestNode.up(cluster, 'n2')
  const groupId = await cluster.group('web')
  const resourceId = await cluster.resource('web', 'nginx')
  const epoch = await n1.take(groupId)
  const status = (node: TestNode, at: number, state: 'online' | 'failed', gaveUp = false) =>
    node.tell({
      t: 'status',
      items: [
        {
          resourceId,
          epoch: at,
          restarts: 0,
          gaveUp,
          status: state,
          ...(state === 'failed' && { detail: 'exit code 1' }),
        },
      ],
    })
  await status(n1, epoch, 'online')
  return { cluster, n1, n2, groupId, resourceId, epoch, status }
}

describe('as it was', () => {
  test('--at: owner, statuses and reasons of then; before that there was nothing', async () => {
    const { cluster, n1, n2, groupId, epoch, status } = await running()
    await pause(5)
    const beforeMs = Date.now()
    await pause(5)
    await status(n1, epoch, 'failed', true)
    await n1.tell({ t: 'released', groupId, epoch, why: 'asked' })
    await status(n2, await n2.take(groupId), 'online')
    const at = (atMs: number) =>
      ok<WhyView>('whyGroup', {
        params: { ...cluster.params, group: 'web' },
        query: { atMs: String(atMs) },
      })
    const then = await at(beforeMs)
    expect(then.verdict).toMatch(/^web is online on n1: /)
    expect(then.nodes.find((row) => row.owner)?.node).toBe('n1')
    const now = await why(cluster, 'Group', 'web')
    expect(now.verdict).toMatch(/^web is online on n2: /)
    expect(await at(Date.now() + 1_000)).toMatchObject({ verdict: now.verdict, chain: now.chain })
    const early = await refused('whyGroup', {
      params: { ...cluster.params, group: 'web' },
      query: { atMs: '1000' },
    })
    expect(early.code).toBe('NOT_FOUND')
  })
})

describe('a group', () => {
  test('S-83, S-84: where it was placed, who else may take it, in the order of asking', async () => {
    const { cluster } = await running()
    await TestNode.join(cluster, 'n3')
    const view = await why(cluster, 'Group', 'web')
    expect(view.verdict).toBe(
      'web is online on n1: created, by suite; first eligible node, node n1',
    )
    expect(rows(view)).toEqual([
      'n1 yes*: place 1 of the list',
      'n2 yes: place 2 of the list',
      'n3 no: down',
    ])
    expect(view.chain.at(-1)).toMatchObject({ type: 'group.owned', subject: 'web' })
    expect(view.sinceMs).toBe(view.chain.at(-1)?.atMs)
    expect(view.change).toContain('holdfast move web --to n2')
    // What was changed since is not what put it there.
    await ok('changeGroup', {
      params: { ...cluster.params, group: 'web' },
      body: { preferredOwners: ['n2'] },
    })
    const later = await why(cluster, 'Group', 'web')
    expect(later.chain).toEqual(view.chain)
    expect(rows(later)[0]).toBe('n2 yes: preferred owner 1')
  })

  test('S-91: an operator moved it', async () => {
    const { cluster, n1, n2, groupId, epoch, status } = await running()
    await ok('moveGroup', { params: { ...cluster.params, group: 'web' }, body: { to: 'n2' } })
    expect((await why(cluster, 'Group', 'web')).verdict).toBe(
      'web is being stopped on n1: moved by an operator, by suite, to n2',
    )
    await n1.tell({ t: 'released', groupId, epoch, why: 'asked' })
    await status(n2, await n2.take(groupId), 'online')
    const view = await why(cluster, 'Group', 'web')
    expect(view.verdict).toMatch(/^web is online on n2: moved by an operator, by suite, to n2; /)
    expect(view.chain.map((event) => event.type)).toEqual([
      'group.moving',
      'group.free',
      'group.owned',
    ])
  })

  test('S-07: its node was lost; and why that node is down, with the evidence', async () => {
    const { cluster, n1, n2, groupId, status } = await running('fast')
    n1.line.ws.close(1000, 'gone')
    const keep = setInterval(() => n2.line.ws.send('ping'), 200)
    await status(n2, await n2.take(groupId), 'online')
    clearInterval(keep)
    const view = await why(cluster, 'Group', 'web')
    expect(view.verdict).toContain('n1 was declared down (its lease has surely ended')
    expect(rows(view)).toEqual(['n2 yes*: place 2 of the list', 'n1 no: down'])
    const node = await why(cluster, 'Node', 'n1')
    expect(node.verdict).toMatch(/^n1 is down: its lease has surely ended/)
    expect(node.chain[0]?.message).toMatch(/waitedMs \d+, neededMs 1631/)
    expect(node.change.join(' ')).toContain('holdfast node remove n1 --lost')
  })

  test('S-75: it failed and stays: no other node, or the failovers are used up', async () => {
    const { cluster, n1, epoch, status } = await running()
    await ok('pauseNode', { params: { ...cluster.params, node: 'n2' } })
    await status(n1, epoch, 'failed', true)
    const alone = await why(cluster, 'Group', 'web')
    expect(alone.verdict).toBe(
      'web failed on n1: nginx (exit code 1); it stays there, because no other node may take it',
    )
    expect(rows(alone)).toEqual(['n1 yes*: place 1 of the list', 'n2 no: paused'])
    expect(alone.change[0]).toBe('See what it said: holdfast log --resource nginx')
    await ok('changeGroup', {
      params: { ...cluster.params, group: 'web' },
      body: { failoverThreshold: 0 },
    })
    expect((await why(cluster, 'Group', 'web')).verdict).toContain('0 of 0 failovers are used up')
    expect((await why(cluster, 'Resource', 'nginx')).verdict).toBe(
      'nginx is failed on n1 (exit code 1); it is wanted online (created, by suite)',
    )
  })

  test('waiting: one reason a node, and what would help', async () => {
    const { cluster } = await running()
    await ok('createGroup', { params: cluster.params, body: { name: 'db' } })
    for (const node of ['n1', 'n2']) await ok('pauseNode', { params: { ...cluster.params, node } })
    await cluster.group('batch')
    await cluster.resource('batch', 'importer')
    const view = await why(cluster, 'Group', 'batch')
    expect(view.verdict).toMatch(/^batch waits: no node may take it now/)
    expect(rows(view)).toEqual(['n1 no: paused', 'n2 no: paused'])
    expect(view.change).toEqual(['holdfast node resume n1', 'holdfast node resume n2'])
    expect((await why(cluster, 'Node', 'n1')).verdict).toBe(
      'n1 is up, and paused: it takes no new groups: paused by an operator, by suite',
    )
  })

  test('S-67: offline because nobody wants it online, and who said so', async () => {
    const { cluster } = await running()
    await ok('offlineGroup', { params: { ...cluster.params, group: 'web' } })
    const resource = await why(cluster, 'Resource', 'nginx')
    expect(resource.verdict).toBe(
      'nginx is online on n1; it is wanted offline (an operator wants it offline, by suite)',
    )
    expect(resource.change[0]).toBe('holdfast online nginx')
  })
})

describe('the log', () => {
  test('S-98: by resource or GUID, group, node, component, time and cause; also what is deleted', async () => {
    const { cluster, n1, groupId, resourceId } = await running()
    const other = await cluster.group('other')
    const lines = async (query: Record<string, string>) =>
      (
        await ok<{ entries: { message: string; node: string }[] }>('listLog', {
          params: cluster.params,
          query,
        })
      ).entries
    const atMs = Date.now() + 60_000
    n1.line.send({
      t: 'log',
      entries: [
        { atMs, component: 'RHS', resourceId, message: 'online nginx', correlationId: 'c1' },
        { atMs: atMs + 1_000, component: 'RHS', groupId: other, message: 'of another group' },
      ],
    })
    await expect.poll(async () => (await lines({ node: 'n1' })).length).toBe(2)
    const messages = async (query: Record<string, string>) =>
      (await lines(query)).map((entry) => entry.message)
    for (const resource of ['nginx', resourceId])
      expect(await messages({ resource, component: 'RHS' })).toEqual(['online nginx'])
    expect(await messages({ group: 'web', component: 'RHS' })).toEqual(['online nginx'])
    expect(await messages({ group: groupId, node: 'n1' })).toEqual(['online nginx'])
    expect(await messages({ correlationId: 'c1' })).toEqual(['online nginx'])
    expect(await messages({ sinceMs: String(atMs + 1) })).toEqual(['of another group'])
    expect(await messages({ sinceMs: String(atMs - 1), untilMs: String(atMs) })).toEqual([
      'online nginx',
    ])
    expect(new Set((await lines({ node: 'control' })).map((e) => e.node))).toEqual(
      new Set(['control']),
    )
    await ok('offlineResource', { params: { ...cluster.params, resource: 'nginx' } })
    await pause(5)
    await n1.tell({
      t: 'status',
      items: [{ resourceId, epoch: 1, restarts: 0, gaveUp: false, status: 'offline' }],
    })
    await ok('deleteResource', { params: { ...cluster.params, resource: 'nginx' } })
    expect(await messages({ resource: resourceId, component: 'RHS' })).toEqual(['online nginx'])
  })
})
