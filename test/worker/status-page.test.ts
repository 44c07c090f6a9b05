/** Public status pages and badges: only what was allowed, for whoever has the link, without waking the object each time. */
import { env } from 'cloudflare:workers'
import { beforeAll, expect, test, vi } from 'vitest'
import { LIMITS } from '../../schema/limits.ts'
import { app } from '../../worker/app.ts'
import { stubOf } from '../../worker/calls.ts'
import { fetchApi, insertKey, ok, refused, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

interface Page {
  url: string
  badgeUrl: string
  groups: string[] | 'all'
}

let cluster: TestCluster
beforeAll(async () => {
  await insertKey()
  cluster = await TestCluster.form('wan')
  const node = await TestNode.up(cluster, 'host-name-of-a-node')
  setInterval(() => node.line.ws.send('ping'), 500)
  const groupId = await cluster.group('shop')
  const resourceId = await cluster.resource('shop', 'resource-name')
  const epoch = await node.take(groupId)
  await node.tell({
    t: 'status',
    items: [{ resourceId, epoch, restarts: 0, gaveUp: false, status: 'online' }],
  })
  await cluster.group('secret-group')
})

const publish = (body: object = {}) =>
  ok<Page>('publishStatusPage', { params: cluster.params, body })

/** As anybody would: without a key. */
const visit = (url: string) => fetchApi(new URL(url).pathname, { headers: { authorization: '' } })

/** What was kept of it is too old. */
async function later<T>(work: () => Promise<T>): Promise<T> {
  const now = Date.now
  const spy = vi.spyOn(Date, 'now').mockImplementation(() => now() + LIMITS.statusPageKeptMs + 1)
  try {
    return await work()
  } finally {
    spy.mockRestore()
  }
}

test('names that were not allowed are counted; nodes, resources, addresses and the cluster are never there', async () => {
  const { url, badgeUrl, groups } = await publish({ groups: ['shop'] })
  expect(groups).toEqual(['shop'])
  expect(url).toMatch(/^https:\/\/holdfast\.test\/status\/[A-Za-z0-9_-]{22}$/)
  const page = await visit(url)
  expect(page.status).toBe(200)
  const text = await page.text()
  expect(text).toContain('Everything is as it should be')
  expect(text).toMatch(/<td>shop<\/td><td><span class="b0">online</)
  expect(text).toMatch(/<td>1 other group<\/td><td><span class="b0">offline, as intended</)
  for (const hidden of [
    'secret-group',
    'host-name-of-a-node',
    'resource-name',
    cluster.name,
    cluster.id,
  ])
    expect(text).not.toContain(hidden)
  const svg = await (await visit(badgeUrl)).text()
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
  expect(svg).toContain('status: operational')
  for (const hidden of ['shop', cluster.name]) expect(svg).not.toContain(hidden)
})

test('none by default, all if asked for, also those that are made later', async () => {
  const none = await publish({ renew: true })
  expect(await (await visit(none.url)).text()).not.toContain('shop')
  const all = await publish({ groups: 'all', renew: true })
  expect(all).toMatchObject({ groups: 'all' })
  const text = await (await visit(all.url)).text()
  expect(text).toContain('shop')
  expect(text).toContain('secret-group')
})

test('no script, nothing from elsewhere, no frame, no cookie; and it may be kept for some seconds', async () => {
  const { url, badgeUrl } = await publish()
  for (const response of [
    await visit(url),
    await visit(badgeUrl),
    await visit('https://x/status/style.css'),
  ]) {
    const { headers } = response
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'self';/)
    expect(headers.get('content-security-policy')).not.toMatch(/unsafe|script-src|https?:/)
    expect(headers.get('cache-control')).toMatch(/^public, max-age=\d+$/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-robots-tag')).toContain('noindex')
    expect(headers.get('set-cookie')).toBeNull()
    expect(await response.text()).not.toMatch(
      /<script|javascript:|\son\w+=|style=|https?:\/\/(?!www\.w3)/,
    )
  }
})

test('a hundred views ask the object once; what has changed is seen some seconds later', async () => {
  const { url } = await publish({ renew: true })
  let asked = 0
  const CLUSTER = {
    idFromString: (id: string) => env.CLUSTER.idFromString(id),
    get: (id: DurableObjectId) => ({
      read: (what: { what: 'cluster' }) => {
        asked += 1
        return stubOf(env, id.toString()).read(what)
      },
    }),
  }
  const look = async () => app.fetch(new Request(url), { ...env, CLUSTER } as never)
  const all = await Promise.all(Array.from({ length: 100 }, look))
  expect(all.map(({ status }) => status)).toEqual(Array(100).fill(200))
  expect(asked).toBe(1)
  await later(look)
  expect(asked).toBe(2)
})

test('revoked, or renewed, the link leads nowhere once what was kept is too old; nor does one that is guessed', async () => {
  const before = await publish({ renew: true })
  expect((await publish({ groups: ['shop'] })).url).toBe(before.url)
  const after = await publish({ renew: true })
  expect(after.url).not.toBe(before.url)
  expect((await visit(before.url)).status).toBe(404)
  expect((await visit(after.url)).status).toBe(200)
  expect(await ok('getStatusPage', { params: cluster.params })).toMatchObject({
    page: { url: after.url },
  })
  expect(await ok('unpublishStatusPage', { params: cluster.params })).toEqual({ was: true })
  expect(await ok('unpublishStatusPage', { params: cluster.params })).toEqual({ was: false })
  expect(await ok('getStatusPage', { params: cluster.params })).toEqual({ page: null })
  expect((await later(() => visit(after.url))).status).toBe(404)
  for (const path of [
    `/status/${'A'.repeat(22)}`,
    '/status/x',
    `/status/${cluster.id}`,
    `/status/${cluster.name}`,
  ])
    expect((await visit(`https://x${path}`)).status).toBe(404)
})

test('a group that is not there is refused; the link is in no audit log', async () => {
  expect(
    await refused('publishStatusPage', { params: cluster.params, body: { groups: ['nosuch'] } }),
  ).toMatchObject({ code: 'NOT_FOUND' })
  const { url } = await publish({ renew: true })
  const audit = await (await fetchApi('/v1/audit')).text()
  expect(audit).toContain('publishStatusPage')
  expect(audit).not.toContain(url.slice(-22))
})

test('views are limited by address, and while D1 or the object are away the page says no more than that', async () => {
  const { url } = await publish({ renew: true })
  const settings = { ...env, RATE_FACTOR: '0.002', ADDRESS_HEADER: 'x-address' }
  const from = (address: string) =>
    app.fetch(new Request(url, { headers: { 'x-address': address } }), settings)
  const statuses: number[] = []
  for (let n = 0; n < 4; n += 1) statuses.push((await from('192.0.2.7')).status)
  expect(statuses).toEqual([200, 200, 429, 429])
  expect((await from('192.0.2.8')).status).toBe(200)
  const away = {
    ...env,
    CLUSTER: {
      idFromString: () => null,
      get: () => ({ read: () => Promise.reject(new Error('away')) }),
    },
  }
  const text = await later(async () => (await app.fetch(new Request(url), away as never)).text())
  expect(text).toContain('The state is not known at the moment')
})
