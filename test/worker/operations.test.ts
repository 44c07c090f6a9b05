/** Operations: what takes its time has an id, steps and an end, and can be taken back where there is a way. */
import { beforeAll, expect, test } from 'vitest'
import type { OperationSummary, OperationView } from '../../schema/api/operations.ts'
import { insertKey, ok, refused, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

interface Began {
  seq: number
  operation: string | null
}

class Work {
  readonly cluster: TestCluster
  readonly n1: TestNode
  readonly n2: TestNode

  private constructor(cluster: TestCluster, n1: TestNode, n2: TestNode) {
    this.cluster = cluster
    this.n1 = n1
    this.n2 = n2
  }

  static async begin(): Promise<Work> {
    const cluster = await TestCluster.form('standard')
    return new Work(cluster, await TestNode.up(cluster, 'n1'), await TestNode.up(cluster, 'n2'))
  }

  /** A group with one resource, online on n1. */
  async group(name: string) {
    const groupId = await this.cluster.group(name)
    const resourceId = await this.cluster.resource(name, `${name}-main`)
    const epoch = await this.n1.take(groupId)
    await this.tell(this.n1, resourceId, epoch, 'online')
    return { groupId, resourceId, epoch }
  }

  tell(node: TestNode, resourceId: string, epoch: number, status: string, gaveUp = false) {
    return node.tell({
      t: 'status',
      items: [{ resourceId, epoch, restarts: 0, gaveUp, status: status as 'online' }],
    })
  }

  async ask(
    route: 'moveGroup' | 'failoverGroup' | 'offlineGroup' | 'onlineGroup',
    group: string,
    body?: object,
  ) {
    const params = { ...this.cluster.params, group }
    return (await ok<Began>(route, { params, ...(body && { body }) })).operation ?? ''
  }

  async drain(node: string) {
    const params = { ...this.cluster.params, node }
    return (await ok<Began>('drainNode', { params })).operation ?? ''
  }

  get(operation: string): Promise<OperationView> {
    return ok<OperationView>('getOperation', { params: { ...this.cluster.params, operation } })
  }

  cancel(operation: string): Promise<Began> {
    return ok<Began>('cancelOperation', {
      params: { ...this.cluster.params, operation },
      body: {},
    })
  }

  cancelRefused(operation: string) {
    return refused('cancelOperation', {
      params: { ...this.cluster.params, operation },
      body: {},
    })
  }

  async list(query: Record<string, string> = {}): Promise<OperationSummary[]> {
    const { params } = this.cluster
    return (await ok<{ operations: OperationSummary[] }>('listOperations', { params, query }))
      .operations
  }

  /** Answers the offer of a group with yes. */
  async accept(node: TestNode, groupId: string): Promise<void> {
    const offer = await node.line.next('offer', (f) => f.groupId === groupId)
    node.line.send({ t: 'accept', groupId, epoch: offer.epoch })
  }
}

test('S-91: a move is accepted with an id, and its steps are told while it goes and when it is over', async () => {
  const work = await Work.begin()
  const { n1, n2 } = work
  const { groupId, resourceId, epoch } = await work.group('web')
  const id = await work.ask('moveGroup', 'web', { to: 'n2', method: 'stop' })
  const under = await work.get(id)
  expect(under).toMatchObject({
    ...{ id, kind: 'move', subject: { kind: 'group', name: 'web' }, by: 'suite', state: 'running' },
    ...{ endedAtMs: null, progress: { done: 0, of: 3 }, summary: 'group web leaves n1' },
    cancel: 'web comes back up on n1',
  })
  expect(under.steps).toMatchObject([
    { what: 'stop', subject: 'web-main', node: 'n1', state: 'running', limitMs: 180_000 },
    { what: 'place', subject: 'web', state: 'pending', ms: null },
    { what: 'start', subject: 'web-main', state: 'pending' },
  ])
  expect(await work.list({ open: 'true' })).toMatchObject([{ id, state: 'running' }])
  await work.accept(n2, groupId)
  await work.tell(n1, resourceId, epoch, 'offline')
  await n1.tell({ t: 'released', groupId, epoch, why: 'asked' })
  const next = await n2.owned(groupId)
  expect(await work.get(id)).toMatchObject({
    state: 'running',
    progress: { done: 2, of: 3 },
    cancel: null,
  })
  await work.tell(n2, resourceId, next, 'online')
  const done = await work.get(id)
  expect(done).toMatchObject({
    ...{ state: 'done', summary: 'group web moved from n1 to n2', progress: { done: 3, of: 3 } },
    groups: [{ group: 'web', from: 'n1', to: 'n2', state: 'done', outage: { is: 'measured' } }],
  })
  expect(done.elapsedMs).toBe((done.endedAtMs ?? 0) - done.beganAtMs)
  expect(done.groups[0]?.outage?.ms).toBeLessThanOrEqual(done.elapsedMs)
  expect(done.steps.map((s) => s.state)).toEqual(['done', 'done', 'done'])
  // How it ended stays so, whatever comes after it.
  await work.tell(n2, resourceId, next, 'failed')
  expect(await work.get(id)).toEqual(done)
  expect(await work.list({ open: 'true' })).toEqual([])
  expect((await work.cancelRefused(id)).code).toBe('OPERATION_OVER')
})

test('S-91: a move that is cancelled comes back up where it was, at the next epoch', async () => {
  const work = await Work.begin()
  const { n1, n2 } = work
  const { groupId, resourceId, epoch } = await work.group('web')
  const id = await work.ask('moveGroup', 'web', { to: 'n2', method: 'stop' })
  await work.accept(n2, groupId)
  await work.cancel(id)
  expect(await work.get(id)).toMatchObject({
    state: 'cancelled',
    summary: 'cancelled by suite: web goes back to n1',
  })
  await n1.tell({ t: 'released', groupId, epoch, why: 'asked' })
  await work.accept(n1, groupId)
  const next = await n1.owned(groupId)
  expect(next).toBe(epoch + 1)
  await work.tell(n1, resourceId, next, 'online')
  const { groups } = await work.cluster.view()
  expect(groups).toMatchObject([{ name: 'web', owner: 'n1', state: 'online' }])
})

test('S-91: a failover is not taken back', async () => {
  const work = await Work.begin()
  await work.group('web')
  const id = await work.ask('failoverGroup', 'web')
  expect(await work.get(id)).toMatchObject({ kind: 'failover', state: 'running', cancel: null })
  expect(await work.cancelRefused(id)).toMatchObject({ code: 'NOT_CANCELLABLE', status: 409 })
})

test('a move that fails where it went has problems, and says which', async () => {
  const work = await Work.begin()
  const { n1, n2 } = work
  const { groupId, resourceId, epoch } = await work.group('web')
  const id = await work.ask('moveGroup', 'web', { to: 'n2', method: 'stop' })
  await work.accept(n2, groupId)
  await n1.tell({ t: 'released', groupId, epoch, why: 'asked' })
  const next = await n2.owned(groupId)
  await work.tell(n2, resourceId, next, 'failed', true)
  expect(await work.get(id)).toMatchObject({
    ...{ state: 'problems', summary: 'group web: web-main failed', cancel: null },
    steps: [{ state: 'done' }, { state: 'done' }, { what: 'start', state: 'failed' }],
  })
})

test('S-18: a drain has a step for each group, and a cancel leaves what has not left', async () => {
  const work = await Work.begin()
  const { n1, n2, cluster } = work
  const web = await work.group('web')
  const db = await work.group('db')
  const id = await work.drain('n1')
  await work.accept(n2, web.groupId)
  await n1.tell({ t: 'released', groupId: web.groupId, epoch: web.epoch, why: 'asked' })
  const next = await n2.owned(web.groupId)
  await work.tell(n2, web.resourceId, next, 'online')
  expect(await work.get(id)).toMatchObject({
    ...{ kind: 'drain', subject: { kind: 'node', name: 'n1' }, state: 'running' },
    ...{ summary: '1 of 2 groups have left n1', progress: { done: 1, of: 2 } },
    cancel: 'what has not left n1 stays there, and it takes groups again',
  })
  const { groups } = await work.get(id)
  const states = groups.map((one) => [one.group, one.to, one.state, one.outage?.is])
  expect(states.sort()).toEqual([
    ['db', 'n2', 'running', undefined],
    ['web', 'n2', 'done', 'measured'],
  ])
  await work.cancel(id)
  expect(await work.get(id)).toMatchObject({
    state: 'cancelled',
    summary: 'cancelled by suite: 1 of 2 groups had left n1',
  })
  const node = (await cluster.view()).nodes.find((n) => n.name === 'n1')
  expect(node).toMatchObject({ paused: false, draining: null })
  // What was on its way already arrives.
  await work.accept(n2, db.groupId)
  await n1.tell({ t: 'released', groupId: db.groupId, epoch: db.epoch, why: 'asked' })
  await n2.owned(db.groupId)
})

test('S-18: to cancel the drain of a node that was paused before leaves it paused', async () => {
  const work = await Work.begin()
  await work.group('web')
  const params = { ...work.cluster.params, node: 'n1' }
  await ok('pauseNode', { params })
  await work.cancel(await work.drain('n1'))
  const { nodes } = await work.cluster.view()
  expect(nodes[0]).toMatchObject({ name: 'n1', paused: true, draining: null })
})

test('S-18: a drain that nobody can help waits, and says for what', async () => {
  const work = await Work.begin()
  await work.group('web')
  await ok('pauseNode', { params: { ...work.cluster.params, node: 'n2' } })
  const id = await work.drain('n1')
  expect(await work.get(id)).toMatchObject({
    ...{ state: 'waiting', limitMs: null, endedAtMs: null },
    steps: [
      {
        what: 'leave',
        subject: 'web',
        state: 'waiting',
        detail: expect.stringContaining('n2 paused'),
      },
    ],
  })
})

test('S-67: offline is over when the owner says so; taken back before that, what was wanted is wanted again', async () => {
  const work = await Work.begin()
  const { n1 } = work
  const { resourceId, epoch } = await work.group('web')
  const first = await work.ask('offlineGroup', 'web')
  expect(await work.get(first)).toMatchObject({
    ...{ kind: 'offline', state: 'running', summary: 'group web goes offline' },
    steps: [{ what: 'stop', subject: 'web-main', node: 'n1', limitMs: 180_000 }],
  })
  await work.cancel(first)
  expect(await work.get(first)).toMatchObject({ state: 'cancelled' })
  const wanted = async () => (await work.cluster.view()).groups[0]?.resources[0]?.persistentState
  expect(await wanted()).toBe(1)
  const second = await work.ask('offlineGroup', 'web')
  await work.tell(n1, resourceId, epoch, 'offlinePending')
  await work.tell(n1, resourceId, epoch, 'offline')
  expect(await work.get(second)).toMatchObject({
    state: 'done',
    summary: 'group web is offline',
    groups: [],
  })
  const third = await work.ask('onlineGroup', 'web')
  const fourth = await work.ask('offlineGroup', 'web')
  expect(await work.get(third)).toMatchObject({ state: 'superseded' })
  // It is offline already, and nobody has to say so.
  expect(await work.get(fourth)).toMatchObject({ state: 'done' })
  expect((await work.list()).map(({ id }) => id)).toEqual([
    fourth,
    third,
    second,
    expect.any(String),
    first,
  ])
})

test('bad input: ids that there are none of, and updates that began nothing', async () => {
  const work = await Work.begin()
  await work.group('web')
  for (const operation of ['u999', 'u1', 'web', 'u1e3', 'u0']) {
    const params = { ...work.cluster.params, operation }
    expect(await refused('getOperation', { params })).toMatchObject({ code: 'NOT_FOUND' })
    expect(await work.cancelRefused(operation)).toMatchObject({ code: 'NOT_FOUND' })
  }
  expect(await work.list()).toEqual([])
  const params = work.cluster.params
  expect(await refused('listOperations', { params, query: { limit: '0' } })).toMatchObject({
    code: 'BAD_REQUEST',
  })
})
