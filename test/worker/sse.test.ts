/** Server-sent events of a cluster and of one operation; and that no stream outlives its key. */
import { env, exports } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { STREAM_CLOSE } from '../../schema/api/stream.ts'
import { addKey, as, fetchApi, insertKey, KEY, ok, pause, problemOf, TestCluster } from './api.ts'
import { SseReader } from './sse-reader.ts'
import { TestNode } from './test-node.ts'
import { range, Watcher } from './watcher.ts'

beforeAll(insertKey)

const ACCEPT = { accept: 'text/event-stream' }

async function read(cluster: TestCluster, query = '', headers: Record<string, string> = {}) {
  const path = `/v1/clusters/${cluster.name}/events${query}`
  const response = await fetchApi(path, { headers: { ...ACCEPT, ...headers } })
  if (response.status !== 200) throw new Error(await response.text())
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  expect(response.headers.get('cache-control')).toBe('no-store')
  return new SseReader(response)
}

/** Groups that are made so that there is something to tell. */
async function change(cluster: TestCluster, times: number): Promise<void> {
  for (let n = 0; n < times; n++) await cluster.group(`g${crypto.randomUUID().slice(0, 8)}`)
}

const ids = (reader: SseReader) => reader.of('message').map((one) => Number(one.id))

describe('events of a cluster', () => {
  test('S-11: in order, each with its number as id; who comes back gets what it has missed', async () => {
    const cluster = await TestCluster.form('standard')
    await change(cluster, 2)
    const { seq } = await cluster.view()
    const reader = await read(cluster, '?after=1')
    await reader.until('replayed', () => ids(reader).at(-1) === seq)
    expect(reader.seen[0]).toMatchObject({ id: '1', event: 'hello', data: { seq } })
    await change(cluster, 1)
    await reader.until('told', () => ids(reader).at(-1) === seq + 1)
    expect(ids(reader)).toEqual(range(2, seq + 1))
    const { events } = await ok<{ events: object[] }>('listEvents', {
      params: cluster.params,
      query: { after: '1' },
    })
    expect(reader.of('message').map((one) => one.data)).toEqual(events)
    await reader.stop()
    await change(cluster, 2)
    // The address is that of the first time; what was seen last is newer.
    const again = await read(cluster, '?after=1', { 'last-event-id': String(seq + 1) })
    await again.until('resumed', () => ids(again).at(-1) === seq + 3)
    expect(ids(again)).toEqual([seq + 2, seq + 3])
    await again.stop()
  })

  test('without `after` only what comes; the first event has the id to come back with', async () => {
    const cluster = await TestCluster.form('standard')
    const { seq } = await cluster.view()
    const reader = await read(cluster)
    await reader.until('greeted', () => reader.of('hello').length === 1)
    expect(reader.seen[0]).toMatchObject({ id: String(seq), data: { seq } })
    await change(cluster, 1)
    await reader.until('told', () => ids(reader).length === 1)
    await reader.stop()
  })

  test('a heartbeat every 15 seconds shows that the line is not dead', async () => {
    const cluster = await TestCluster.form('standard')
    const reader = await read(cluster)
    await reader.until('alive', () => reader.comments > 0, 40_000)
    expect(reader.over).toBe(false)
    await reader.stop()
  })

  test('what it cannot be opened with is a problem, and the key comes first', async () => {
    const cluster = await TestCluster.form('standard')
    const ask = (headers: Record<string, string>, query = '') =>
      fetchApi(`/v1/clusters/${cluster.name}/events${query}`, {
        headers: { ...ACCEPT, ...headers },
      })
    expect((await problemOf(await ask({ 'last-event-id': 'no' }))).code).toBe('BAD_REQUEST')
    expect((await problemOf(await ask({}, '?nosuch=1'))).code).toBe('BAD_REQUEST')
    const stranger = { authorization: 'Bearer hfk_nobody-at-all', 'last-event-id': 'no' }
    expect((await problemOf(await ask(stranger))).code).toBe('UNAUTHENTICATED')
  })
})

describe('one operation', () => {
  test('whenever it looks different, until it is over; then it need not be asked for again', async () => {
    const cluster = await TestCluster.form('standard')
    const node = await TestNode.up(cluster, 'n1')
    const groupId = await cluster.group('web')
    const resourceId = await cluster.resource('web', 'nginx')
    const epoch = await node.take(groupId)
    const item = { resourceId, epoch, restarts: 0, gaveUp: false }
    await node.tell({ t: 'status', items: [{ ...item, status: 'online' }] })
    const { operation } = await ok<{ operation: string }>('offlineGroup', {
      params: { ...cluster.params, group: 'web' },
    })
    const path = `/v1/clusters/${cluster.name}/operations/${operation}/events`
    const reader = new SseReader(await fetchApi(path, { headers: ACCEPT }))
    await reader.until('shown', () => reader.of('operation').length > 0)
    expect(reader.of('operation')[0]?.data).toMatchObject({ id: operation, state: 'running' })
    await node.tell({ t: 'status', items: [{ ...item, status: 'offline' }] })
    await reader.until('over', () => reader.over)
    expect(reader.seen.at(-1)).toMatchObject({ id: 'over', data: { state: 'done' } })
    const again = await fetchApi(path, { headers: { ...ACCEPT, 'last-event-id': 'over' } })
    expect(again.status).toBe(204)
  })

  test('one that there is none of is a problem', async () => {
    const cluster = await TestCluster.form('standard')
    const path = `/v1/clusters/${cluster.name}/operations/nosuch/events`
    expect((await problemOf(await fetchApi(path, { headers: ACCEPT }))).code).toBe('NOT_FOUND')
  })
})

describe('no stream outlives its key', () => {
  const status = async (cluster: TestCluster, key: string) =>
    (await as(key, () => fetchApi(`/v1/clusters/${cluster.name}/events`))).status

  test('revoked: both kinds end at once, whether or not there is anything to tell; others go on', async () => {
    const cluster = await TestCluster.form('standard')
    const name = `watcher-${crypto.randomUUID().slice(0, 8)}`
    const { key } = await ok<{ key: string }>('createKey', {
      body: { name, scopes: [{ role: 'read', cluster: cluster.name }] },
    })
    const other = await Watcher.open(cluster)
    const [socket, reader] = await as(key, async () => [
      await Watcher.open(cluster),
      await read(cluster),
    ])
    await reader.until('greeted', () => reader.of('hello').length === 1)
    await ok('revokeKey', { params: { key: name } })
    expect(await socket.end()).toMatchObject({ code: STREAM_CLOSE.keyEnded })
    await reader.until('over', () => reader.over)
    expect(reader.of('bye')[0]?.data).toMatchObject({ code: 'keyEnded' })
    expect(await status(cluster, key)).toBe(401)
    expect(other.closed).toBeNull()
  })

  test('rotated: whoever has the new secret comes back', async () => {
    const cluster = await TestCluster.form('standard')
    const name = `rotated-${crypto.randomUUID().slice(0, 8)}`
    const { key } = await ok<{ key: string }>('createKey', {
      body: { name, scopes: [{ role: 'read' }] },
    })
    const socket = await as(key, () => Watcher.open(cluster))
    const rotated = await ok<{ key: string }>('rotateKey', {
      params: { key: name },
      body: { overlapMs: 0 },
    })
    expect(await socket.end()).toMatchObject({ code: STREAM_CLOSE.keyEnded })
    expect(await status(cluster, key)).toBe(401)
    const again = await as(rotated.key, () => Watcher.open(cluster))
    expect(again.closed).toBeNull()
  })

  test('expired: nothing more is told', async () => {
    const cluster = await TestCluster.form('standard')
    const key = `hfk_${crypto.randomUUID()}`
    const name = `short-${key.slice(4, 12)}`
    await addKey({ key, name, expiresAtMs: Date.now() + 20_000 })
    const socket = await as(key, () => Watcher.open(cluster))
    await change(cluster, 1)
    const { seq } = await cluster.view()
    await socket.until(seq)
    // The object looks at what it was told when the stream was opened: nothing is asked of D1.
    await env.DB.prepare('update api_keys set expires_at_ms = ? where name = ?')
      .bind(Date.now() + 1_000_000, name)
      .run()
    await pause(20_000)
    await change(cluster, 1)
    expect(await socket.end()).toMatchObject({ code: STREAM_CLOSE.renew })
    expect(socket.seqs).not.toContain(seq + 1)
  })

  test('revoked while it was being opened: it ends as it begins', async () => {
    const cluster = await TestCluster.form('standard')
    const stub = await cluster.stub()
    const at = (query: string) => `https://cluster/watch?${query}`
    await stub.fetch(at('key=k1'), { method: 'DELETE' })
    const untilMs = Date.now() + 60_000
    const open = (seenAtMs: number) =>
      stub.fetch(at(`key=k1&seenAtMs=${seenAtMs}&untilMs=${untilMs}`), {
        headers: { upgrade: 'websocket' },
      })
    const first = async (seenAtMs: number) => {
      const { webSocket } = await open(seenAtMs)
      const told = new Promise((done) =>
        webSocket?.addEventListener('message', (e) => done(e.data)),
      )
      webSocket?.accept()
      return JSON.parse(String(await told))
    }
    expect(await first(Date.now() - 1_000)).toMatchObject({ t: 'bye', code: 'keyEnded' })
    expect(await first(Date.now() + 1)).toMatchObject({ t: 'hello' })
  })
})

test('a page of events is what it was for whoever does not ask for a stream', async () => {
  const cluster = await TestCluster.form('standard')
  const response = await exports.default.fetch(
    `https://holdfast.test/v1/clusters/${cluster.name}/events`,
    { headers: { authorization: `Bearer ${KEY}`, accept: 'application/json' } },
  )
  expect(await response.json()).toMatchObject({ events: expect.any(Array) })
})
