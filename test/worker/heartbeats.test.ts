/** Heartbeats: an address is pinged while the control plane of a cluster is well, and only then. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HiveStore } from '../../worker/hive-store.ts'
import type { Endpoints } from '../../worker/webhooks/endpoints.ts'
import { Heartbeats } from '../../worker/webhooks/heartbeats.ts'
import type { Judge } from '../../worker/webhooks/judge.ts'
import { fetchApi, insertKey, ok, pause, refused, TestCluster } from './api.ts'
import { playing } from './players.ts'

/** In the suite an interval of a minute takes as many milliseconds. */
const INTERVAL_MS = 60_000 * Number(env.WEBHOOK_RETRY_FACTOR)
const URL_OF = (name: string) => `https://heartbeat.example.com/ping/secret-${name}`

let played: ReturnType<typeof playing>
let status = 200
beforeEach(async () => {
  await insertKey()
  status = 200
  played = playing({ 'heartbeat.example.com': () => new Response('OK', { status }) })
})
afterEach(async () => {
  const { webhooks } = await ok<{ webhooks: { name: string }[] }>('listWebhooks')
  for (const { name } of webhooks) await ok('deleteWebhook', { params: { webhook: name } })
  played.end()
})

const pings = (name: string) => played.heard.filter((one) => one.url === URL_OF(name)).length

async function until(what: string, is: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + 20_000; !(await is()); await pause(10))
    if (performance.now() > endMs) throw new Error(`not ${what}`)
}

const create = (name: string, more: object = {}) =>
  ok('createWebhook', {
    body: { name, kind: 'heartbeat', url: URL_OF(name), everyMs: 60_000, ...more },
  })

const view = async (name: string) => {
  const { webhooks } = await ok<{ webhooks: Record<string, unknown>[] }>('listWebhooks')
  return webhooks.find((one) => one['name'] === name)
}

const alarmOf = async (cluster: TestCluster) =>
  runInDurableObject(await cluster.stub(), (_, { storage }) => storage.getAlarm())

test('it is pinged on its interval, until it is switched off; its address is shown to nobody', async () => {
  const cluster = await TestCluster.form('wan')
  const made = await create('a', { clusters: [cluster.name] })
  expect(made).toMatchObject({
    url: 'https://heartbeat.example.com/…',
    everyMs: 60_000,
    secret: null,
  })
  await until('pinged', () => pings('a') >= 4)
  expect(played.heard.every(({ method, body }) => method === 'GET' && body === '')).toBe(true)
  await ok('changeWebhook', { params: { webhook: 'a' }, body: { enabled: false } })
  await pause(INTERVAL_MS)
  const before = pings('a')
  await pause(4 * INTERVAL_MS)
  expect(pings('a')).toBe(before)
  await ok('changeWebhook', { params: { webhook: 'a' }, body: { enabled: true } })
  await until('pinged again', () => pings('a') > before)
  const said = await Promise.all(
    ['/v1/webhooks', '/v1/audit'].map(async (path) => (await fetchApi(path)).text()),
  )
  expect(said.join()).not.toContain('secret-a')
})

test('where nobody asked for one there is no wake for it; nor after the last one is gone', async () => {
  const cluster = await TestCluster.form('wan')
  expect(await alarmOf(cluster)).toBeNull()
  await create('b', { clusters: [cluster.name] })
  await until('pinged', () => pings('b') >= 2)
  expect(await alarmOf(cluster)).not.toBeNull()
  await ok('deleteWebhook', { params: { webhook: 'b' } })
  await until('asleep', async () => (await alarmOf(cluster)) === null)
})

test('several at different intervals: each on its own', async () => {
  const cluster = await TestCluster.form('wan')
  await create('fast', { clusters: [cluster.name] })
  await create('slow', { clusters: [cluster.name], everyMs: 3_600_000 })
  await until('pinged', () => pings('fast') >= 8)
  expect(pings('slow')).toBe(1)
})

test('while the control plane does not reach its database it pings nobody, and goes on afterwards', async () => {
  const cluster = await TestCluster.form('wan')
  await create('c', { clusters: [cluster.name] })
  await until('pinged', () => pings('c') >= 2)
  await env.DB.exec('alter table webhook_endpoints rename to away')
  try {
    await pause(2 * INTERVAL_MS)
    const before = pings('c')
    await pause(5 * INTERVAL_MS)
    expect(pings('c')).toBe(before)
  } finally {
    await env.DB.exec('alter table away rename to webhook_endpoints')
  }
  const after = pings('c')
  await until('pinged again', () => pings('c') > after)
})

test('a cluster that is behind with what it has to decide pings nobody', async () => {
  const cluster = await TestCluster.form('wan')
  await runInDurableObject(await cluster.stub(), async (_, ctx) => {
    const store = new HiveStore(ctx.storage, false)
    const state = store.load()
    const endpoint = {
      ...{ id: 'e', name: 'd', kind: 'heartbeat', organisationId: 'o', url: '' },
      ...{ secrets: [URL_OF('d')], intervalMs: 60_000, failingSinceMs: null, wants: () => false },
    } as const
    const made = () =>
      new Heartbeats({
        ...{ ctx, store, env, factor: 1, state: () => state, arm: () => {} },
        endpoints: { heartbeatsOf: async () => [endpoint] } as unknown as Endpoints,
        judge: { look: async () => {} } as unknown as Judge,
      })
    const heartbeats = made()
    // What a node refused should have been offered to the next one two minutes ago.
    const late = { epoch: 1, sinceMs: 1, retryAtMs: Date.now() - 120_000, reasons: [] }
    state.observed.waiting.set('g', late)
    const row = ['waiting', 'g', JSON.stringify(late)]
    ctx.storage.sql.exec('insert into observed ("table", id, body) values (?, ?, ?)', ...row)
    await heartbeats.changed()
    await pause(50)
    expect(pings('d')).toBe(0)
    // Nor does its alarm stand in the past, where it would fire at once and for ever.
    expect(heartbeats.dueMs()).toBeGreaterThan(Date.now() + 50_000)
    state.observed.waiting.delete('g')
    ctx.storage.sql.exec("delete from observed where id = 'g'")
    ctx.storage.sql.exec("delete from meta where key like 'heartbeat/%'")
    await made().changed()
    await until('pinged', () => pings('d') === 1)
    ctx.storage.sql.exec("delete from meta where key like 'heartbeat/%'")
  })
})

test('one that does not answer is shown as failing, and tried again; once it does it is well', async () => {
  const cluster = await TestCluster.form('wan')
  status = 500
  await create('e', { clusters: [cluster.name] })
  await until('failing', async () => (await view('e'))?.['failingSinceMs'] !== null)
  status = 200
  await until('well', async () => (await view('e'))?.['failingSinceMs'] === null)
  const tested = await ok('testWebhook', { params: { webhook: 'e' } })
  expect(tested).toMatchObject({ delivered: true, status: 200 })
})

test('its interval has bounds, and where it may point to has the same as of any webhook', async () => {
  const body = { name: 'f', kind: 'heartbeat', url: URL_OF('f') }
  for (const everyMs of [59_999, 86_400_001, 1.5])
    expect(await refused('createWebhook', { body: { ...body, everyMs } })).toMatchObject({
      errors: [{ pointer: '/everyMs' }],
    })
  const inside = { ...body, url: 'https://169.254.169.254/' }
  expect(await refused('createWebhook', { body: inside })).toMatchObject({
    code: 'WEBHOOK_TARGET_REFUSED',
  })
})
