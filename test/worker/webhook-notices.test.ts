/** Before a webhook is switched off, and when it is, that is told: by mail, by an event, in the list and the log. */
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addSession, fetchApi, ok, pause, TestCluster } from './api.ts'
import { mailed } from './people.ts'
import { playing } from './players.ts'
import { TestNode } from './test-node.ts'

const DAY_MS = 24 * 3_600_000

let played: ReturnType<typeof playing>
let status = 503
let cluster: TestCluster
beforeEach(async () => {
  cluster = await TestCluster.form('wan')
  status = 503
  played = playing({
    'down.example.com': () => new Response(null, { status }),
    'up.example.com': () => new Response(null, { status: 204 }),
  })
  for (const role of ['owner', 'admin', 'operator'] as const)
    await addSession({ token: `hfs_${role.padEnd(32, 'x')}`, email: `${role}@example.com`, role })
  for (const name of ['down', 'up'])
    await ok('createWebhook', { body: { name, url: `https://${name}.example.com/` } })
})
afterEach(async () => {
  for (const webhook of ['down', 'up']) await ok('deleteWebhook', { params: { webhook } })
  played.end()
})

interface Listed {
  name: string
  failingSinceMs: number | null
  offAtMs: number | null
  disabled: { why: string } | null
}
const listed = async (): Promise<Listed | undefined> => {
  const { webhooks } = await ok<{ webhooks: Listed[] }>('listWebhooks')
  return webhooks.find(({ name }) => name === 'down')
}

const failingSince = (atMs: number) =>
  env.DB.prepare("update webhook_endpoints set failing_since_ms = ? where name = 'down'")
    .bind(atMs)
    .run()

const told = (type: string) =>
  played.heard
    .filter(({ url }) => url.includes('//up.'))
    .map(({ body }) => JSON.parse(body))
    .filter((event) => event.type === type)

async function until(what: string, is: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + 20_000; !(await is()); await pause(10))
    if (performance.now() > endMs) throw new Error(`not ${what}`)
}

test('half-way there is a warning, once, whichever cluster notices; then the notice itself', async () => {
  await TestNode.up(cluster, 'n1')
  await until('failing', async () => (await listed())?.failingSinceMs !== null)
  const early = await listed()
  expect((early?.offAtMs ?? 0) - (early?.failingSinceMs ?? 0)).toBe(5 * DAY_MS)
  expect(told('webhook.failing')).toEqual([])

  const warnings = await mailed(async () => {
    await failingSince(Date.now() - 3 * DAY_MS)
    await TestNode.up(cluster, 'n2')
    await until('warned', () => told('webhook.failing').length > 0)
    await TestNode.up(await TestCluster.form('wan'), 'n1')
    await until('told of the other', () =>
      played.heard.some(({ url, body }) => url.includes('//up.') && !body.includes(cluster.id)),
    )
  })
  expect(told('webhook.failing')).toMatchObject([
    { data: { webhook: { name: 'down' }, detail: 'answered 503' } },
  ])
  expect(warnings.map((one) => /^mail to (\S+): (.*)/.exec(one)?.slice(1))).toEqual([
    ['admin@example.com', expect.stringContaining('nothing gets through to webhook down')],
    ['owner@example.com', expect.stringContaining('nothing gets through to webhook down')],
  ])

  const notices = await mailed(async () => {
    await failingSince(Date.now() - 6 * DAY_MS)
    await TestNode.up(cluster, 'n3')
    await until('off', () => told('webhook.disabled').length > 0)
    await pause(50)
  })
  expect(await listed()).toMatchObject({
    offAtMs: null,
    disabled: { why: expect.stringContaining('503') },
  })
  expect(told('webhook.disabled')).toHaveLength(1)
  expect(notices.map((one) => /^mail to (\S+):/.exec(one)?.[1])).toEqual([
    'admin@example.com',
    'owner@example.com',
  ])
  expect(notices[0]).toContain('holdfast webhook change down --on')
  const log = await (await fetchApi(`/v1/clusters/${cluster.name}/log`)).text()
  expect(log).toContain('nothing gets through to webhook down')
  expect(log).toContain('webhook down was switched off')
})

test('once something gets through the warning is forgotten: the next time there is another', async () => {
  await TestNode.up(cluster, 'n1')
  await failingSince(Date.now() - 3 * DAY_MS)
  await mailed(async () => {
    await TestNode.up(cluster, 'n2')
    await until('warned', () => told('webhook.failing').length === 1)
    status = 204
    await until('well', async () => (await listed())?.failingSinceMs === null)
    status = 503
    await TestNode.up(cluster, 'n3')
    await until('failing', async () => (await listed())?.failingSinceMs !== null)
    await failingSince(Date.now() - 3 * DAY_MS)
    await TestNode.up(cluster, 'n4')
    await until('warned again', () => told('webhook.failing').length === 2)
  })
})

test('410 Gone switches it off at once, and that is told', async () => {
  status = 410
  const mails = await mailed(async () => {
    await TestNode.up(cluster, 'n1')
    await until('off', () => told('webhook.disabled').length > 0)
    await pause(50)
  })
  expect(told('webhook.disabled')[0]).toMatchObject({ data: { why: 'it answered 410 Gone' } })
  expect(mails).toHaveLength(2)
})
