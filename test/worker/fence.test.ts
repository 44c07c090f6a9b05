/** Fencing in the Durable Object: who is asked, what closes which socket, what survives a restart. */
import { abortAllDurableObjects, evictDurableObject } from 'cloudflare:test'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { FenceOrder } from '../../schema/fencing.ts'
import { CLOSE } from '../../schema/session.ts'
import { insertKey, ok, pause, refused, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)
/** n2 is there: what it does not ping for, the control plane may have missed itself. */
const pings: ReturnType<typeof setInterval>[] = []
afterEach(() => {
  for (const one of pings.splice(0)) clearInterval(one)
})

const FENCE = { agent: 'fence_dummy', options: { plug: '1' }, timeoutMs: 2_000, delayMs: 0 }

/** `web` runs on n1, which has a fence agent; n2 is there to help. */
async function fenced(profile: 'fast' | 'standard' = 'standard', fence: object = FENCE) {
  const cluster = await TestCluster.form(profile)
  const n1 = await TestNode.up(cluster, 'n1')
  const groupId = await cluster.group('web')
  const resourceId = await cluster.resource('web', 'nginx')
  const epoch = await n1.take(groupId)
  const item = { resourceId, epoch, restarts: 0, gaveUp: false, status: 'online' as const }
  await n1.tell({ t: 'status', items: [item] })
  const n2 = await TestNode.up(cluster, 'n2')
  pings.push(
    setInterval(() => {
      if (n2.line.ws.readyState === WebSocket.OPEN) n2.line.ws.send('ping')
    }, 100),
  )
  const of = (node: string) => ({ ...cluster.params, node })
  await ok('setFence', { params: of('n1'), body: { ...fence } })
  return { cluster, n1, n2, groupId, epoch, of, held: [{ groupId, epoch }] }
}

async function result(helper: TestNode, order: FenceOrder, over: { boot?: string } = {}) {
  const { request, target, boot } = order
  await helper.tell({
    t: 'fenced',
    target: target.id,
    request,
    boot: over.boot ?? boot ?? '',
    outcome: 'off',
    detail: 'off',
  })
}

describe('a confirmed fence', () => {
  test('F1, F2, D4: n1 is lost, n2 fences it, and has its group at once; then it is switched on', async () => {
    const { cluster, n1, n2, groupId } = await fenced()
    n1.line.ws.close(1000, 'gone')
    const { order } = await n2.line.next('fence')
    expect(order).toMatchObject({
      action: 'off',
      target: { id: n1.id, name: 'n1' },
      boot: 'boot-n1-1',
      agent: 'fence_dummy',
      options: { plug: '1' },
    })
    n2.line.send({ t: 'fenceBegun', target: n1.id, request: order.request })
    expect((await cluster.view()).nodes[0]).toMatchObject({ state: 'up', lost: { helper: 'n2' } })
    await result(n2, order)
    expect(await n2.take(groupId)).toBe(2)
    const on = await n2.line.next('fence')
    expect(on.order).toMatchObject({ action: 'on', boot: null, target: { name: 'n1' } })
    const view = await cluster.view()
    expect(view.nodes[0]).toMatchObject({
      state: 'down',
      lost: null,
      lastFence: { boot: 'boot-n1-1', outcome: 'off', by: 'n2' },
    })
    // F3: that boot is over; the next one is welcome.
    const challenge = await n1.connect()
    n1.line.send(await n1.report(challenge))
    expect(await n1.line.next('bye')).toMatchObject({ code: 'bootOver' })
    await n1.begin({ boot: 'boot-n1-2' })
  })

  test('D1, F4: the socket that is still open is closed before its node is Down', async () => {
    const { cluster, n1, n2 } = await fenced()
    const order = { request: 'r', target: { id: n1.id }, boot: 'boot-n1-1' } as FenceOrder
    await result(n2, order)
    expect(await n1.line.end()).toMatchObject({ code: CLOSE.fenced })
    // D1: nothing that was said to it after the close; so nothing of the takeover either.
    expect(n1.line.frames.at(-1)).toMatchObject({ t: 'bye', code: 'fenced' })
    expect((await cluster.view()).nodes[0]).toMatchObject({ state: 'down', connected: false })
  })

  test('F2: of an earlier boot, of no boot of it, of a node that is not there: nothing changes', async () => {
    const { cluster, n1, n2 } = await fenced()
    const { seq, hash } = await cluster.view()
    const about = (id: string) => ({ request: 'r', target: { id } }) as FenceOrder
    await result(n2, about(n1.id), { boot: 'boot-n1-0' })
    await result(n2, about(n2.id), { boot: 'boot-n1-1' })
    await result(n2, about(crypto.randomUUID()), { boot: 'boot-n1-1' })
    expect(await cluster.view()).toMatchObject({ seq, hash })
    expect(n1.line.closed).toBeNull()
    const { entries } = await ok<{ entries: { message: string }[] }>('listLog', {
      params: cluster.params,
    })
    const said = entries.filter((e) => e.message.includes('fence result of n2 ignored'))
    expect(said).toHaveLength(3)
    expect(said[0]?.message).toContain(
      'boot boot-n1-0 of n1 is over, and the node is up, boot boot-n1-1',
    )
  })

  test('F6: it comes back before it is asked for; and nobody is asked', async () => {
    const { cluster, n1, n2, held } = await fenced('standard', { ...FENCE, delayMs: 400 })
    n1.line.ws.close(1000, 'gone')
    await cluster.until('lost', (v) => v.nodes[0]?.lost?.waitsFor === 'fence')
    await n1.begin({ held })
    await pause(700)
    expect(n2.line.frames.filter((f) => f.t === 'fence')).toEqual([])
    expect((await cluster.view()).nodes[0]).toMatchObject({ state: 'up', lost: null })
    // It can fail: the same without coming back.
    n1.line.ws.close(1000, 'gone')
    await n2.line.next('fence')
  })
})

describe('what fails', () => {
  test('F1: nothing is taken, it is seen in events and why, the lease goes on being waited for', async () => {
    const { cluster, n1, n2, of } = await fenced('fast', { ...FENCE, attempts: 1 })
    const other = await TestNode.up(cluster, 'n3')
    n1.line.ws.close(1000, 'gone')
    const { order } = await n2.line.next('fence')
    const { request, target, boot } = order
    const said = { t: 'fenced' as const, target: target.id, request, boot: boot ?? '' }
    await n2.tell({ ...said, outcome: 'failed', detail: 'no route to the device' })
    const view = await cluster.view()
    expect(view.groups[0]).toMatchObject({ owner: 'n1', epoch: 1 })
    expect((await other.line.next('fence')).order.target.name).toBe('n1')
    const { events } = await ok<{ events: { type: string; subject: string; message: string }[] }>(
      'listEvents',
      { params: cluster.params, query: { limit: '500' } },
    )
    const failed = events.filter((e) => e.type === 'fence.failed')
    expect(failed).toMatchObject([{ subject: 'n1' }])
    expect(failed[0]?.message).toContain('no route to the device')
    const why = await ok<{ verdict: string; change: string[] }>('whyNode', { params: of('n1') })
    expect(why.verdict).toContain('no route to the device')
    await cluster.until('down', (v) => v.nodes[0]?.state === 'down', 4_000)
  })

  test('a request survives the instance that made it, and so does one that was not made yet', async () => {
    const { cluster, n1, n2, groupId } = await fenced('fast')
    n1.line.ws.close(1000, 'gone')
    const first = await n2.line.next('fence')
    // As with kill -9: nothing of the instance is left, whatever it had under way.
    await abortAllDurableObjects()
    await cluster.view()
    await n2.begin()
    const again = await n2.line.next('fence')
    expect(again.order).toMatchObject({ boot: 'boot-n1-1', target: { name: 'n1' } })
    // F2: the answer to the first one, by another session and to another instance, is as good.
    await result(n2, first.order)
    expect(await n2.take(groupId)).toBe(2)
  })

  test('D5: after a restart nobody is fenced before all had the time to come back', async () => {
    const { cluster, n1, n2, held } = await fenced('fast')
    await evictDurableObject(await cluster.stub(), { webSockets: 'close' })
    await cluster.view()
    await n2.begin()
    await pause(1_000)
    expect(n2.line.frames.filter((f) => f.t === 'fence')).toEqual([])
    await n1.begin({ held })
    await pause(900)
    expect(n2.line.frames.filter((f) => f.t === 'fence')).toEqual([])
  })
})

describe('takeover policy fence', () => {
  test('D3 is closed, F5 opens it: the groups wait until an operator confirms the boot of now', async () => {
    const { cluster, n1, n2, groupId, of } = await fenced('fast', { ...FENCE, helpers: ['n2'] })
    await ok('removeFence', { params: of('n1') })
    await ok('changeCluster', { params: cluster.params, body: { takeover: 'fence' } })
    expect(await n1.line.next('policy')).toMatchObject({ policy: { takeover: 'fence', number: 1 } })
    await refused('confirmFence', { params: of('n1'), body: { boot: 'boot-n1-1' } }).then((p) =>
      expect(p).toMatchObject({ code: 'FENCE_CONNECTED', status: 409 }),
    )
    n1.line.ws.close(1000, 'gone')
    // Twice W(TTL) = 1.64 s.
    await pause(3_300)
    const view = await cluster.view()
    expect(view.nodes[0]).toMatchObject({ state: 'up', lost: { waitsFor: 'confirmation' } })
    expect(view.groups[0]).toMatchObject({ state: 'waiting', owner: 'n1', epoch: 1 })
    expect(view.problems.find((p) => p.subject === 'n1')).toMatchObject({
      message: 'n1 is unreachable and takeover needs a confirmed fence; web waits',
      remedy: expect.stringContaining('holdfast fence confirm n1'),
    })
    const { seq, hash } = view
    const wrong = await refused('confirmFence', { params: of('n1'), body: { boot: 'boot-n1-0' } })
    expect(wrong).toMatchObject({ code: 'FENCE_CONFLICT', status: 409 })
    expect(await cluster.view()).toMatchObject({ seq, hash })
    await ok('confirmFence', { params: of('n1'), body: { boot: 'boot-n1-1', view: view.view } })
    expect(await n2.take(groupId)).toBe(2)
  })

  test('back to lease: D3 opens with the acknowledgement of this change, not before', async () => {
    const { cluster, n1, of, held } = await fenced('fast')
    await ok('removeFence', { params: of('n1') })
    const turn = (takeover: string) =>
      ok('changeCluster', { params: cluster.params, body: { takeover } })
    await turn('fence')
    await turn('lease')
    await n1.tell({ t: 'policyTaken', number: 1 })
    expect((await cluster.view()).nodes[0]).toMatchObject({ under: 'fence' })
    n1.line.ws.close(1000, 'gone')
    await pause(2_500)
    expect((await cluster.view()).nodes[0]).toMatchObject({ state: 'up' })
    const welcome = await n1.begin({ held })
    expect(welcome.policy).toEqual({ takeover: 'lease', number: 2 })
    await n1.tell({ t: 'policyTaken', number: 2 })
    expect((await cluster.view()).nodes[0]).toMatchObject({ under: 'lease' })
    n1.line.ws.close(1000, 'gone')
    await cluster.until('down', (v) => v.nodes[0]?.state === 'down', 4_000)
  })
})

describe('trying it', () => {
  test('the helpers are asked, and only they may answer', async () => {
    const { cluster, n1, n2, of } = await fenced()
    const asked = ok<{ helpers: unknown[] }>('testFence', { params: of('n1'), body: {} })
    const { order } = await n2.line.next('fence')
    expect(order).toMatchObject({ action: 'test', boot: null, target: { name: 'n1' } })
    const answer = { t: 'fenceTested' as const, request: order.request, probes: [] }
    n1.line.send({ ...answer, fault: 'not from the one that was asked' })
    await pause(50)
    n2.line.send({ ...answer, fault: 'fence_dummy is missing' })
    expect(await asked).toMatchObject({
      node: 'n1',
      helpers: [{ helper: 'n2', fault: 'fence_dummy is missing' }],
    })
    const not = await refused('testFence', { params: of('n2'), body: {} })
    expect(not).toMatchObject({ code: 'FENCE_NOT_SET' })
    n2.line.ws.close(1000, 'gone')
    await cluster.until('n2 is away', (v) => v.nodes[1]?.connected === false)
    const nobody = await refused('testFence', { params: of('n1'), body: {} })
    expect(nobody).toMatchObject({ code: 'FENCE_NO_HELPER' })
  })

  test.each([
    [{ agent: '/bin/sh' }, '/agent'],
    [{ agent: 'fence_x', options: { action: 'reboot' } }, '/options'],
    [{ agent: 'fence_x', options: { plug: '1\nx=2' } }, '/options/plug'],
    [{ agent: 'fence_x', timeoutMs: 1e9 }, '/timeoutMs'],
    [{ agent: 'fence_x', password: 'x' }, '/'],
  ])('bad input is refused and changes nothing: %j', async (body, pointer) => {
    const cluster = await TestCluster.form('standard')
    await TestNode.up(cluster, 'n1')
    const { seq } = await cluster.view()
    const problem = await refused('setFence', { params: { ...cluster.params, node: 'n1' }, body })
    expect(problem).toMatchObject({ code: 'BAD_REQUEST', status: 400 })
    expect(problem.errors?.[0]?.pointer).toBe(pointer)
    expect((await cluster.view()).seq).toBe(seq)
  })
})
