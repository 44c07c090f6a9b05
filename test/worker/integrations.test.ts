/** Ready-made integrations from a real cluster object to players of PagerDuty and Slack, and to the mail sender. */
import { env } from 'cloudflare:workers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { fetchApi, ok, pause, problemOf, refused, TestCluster } from './api.ts'
import { mailed } from './people.ts'
import { PagerDutyPlayed, playing } from './players.ts'
import { TestNode } from './test-node.ts'

const KEY = 'R0123456789abcdef0123456789abcde'
const SLACK = 'https://hooks.slack.com/services/T000/B000/very-secret-path'

let cluster: TestCluster
let node: TestNode
let pings: ReturnType<typeof setInterval>
let web = { groupId: '', resourceId: '', epoch: 0 }
let pagerDuty = new PagerDutyPlayed()
let slackSays = 200
let played: ReturnType<typeof playing>

beforeAll(async () => {
  cluster = await TestCluster.form('wan')
  node = await TestNode.up(cluster, 'n1')
  pings = setInterval(() => node.line.ws.send('ping'), 500)
  const groupId = await cluster.group('web')
  const resourceId = await cluster.resource('web', 'nginx', { restart: { attempts: 50 } })
  web = { groupId, resourceId, epoch: await node.take(groupId) }
  await is('online')
})
afterAll(() => clearInterval(pings))

beforeEach(() => {
  pagerDuty = new PagerDutyPlayed()
  slackSays = 200
  played = playing({
    'events.pagerduty.com': (heard) => pagerDuty.answer(heard),
    'hooks.slack.com': () =>
      new Response(slackSays === 200 ? 'ok' : 'no_service', { status: slackSays }),
  })
})
afterEach(async () => {
  const { webhooks } = await ok<{ webhooks: { name: string }[] }>('listWebhooks')
  for (const { name } of webhooks) await ok('deleteWebhook', { params: { webhook: name } })
  played.end()
})

let restarts = 0

async function is(status: 'online' | 'failed'): Promise<void> {
  if (status === 'failed') restarts += 1
  const { resourceId, epoch } = web
  await node.tell({
    t: 'status',
    items: [{ resourceId, epoch, restarts, gaveUp: false, status }],
  })
}

async function until(what: string, is: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + 20_000; !(await is()); await pause(10))
    if (performance.now() > endMs)
      throw new Error(`not ${what}: ${JSON.stringify(played.heard.map((one) => one.body))}`)
}

const deliveries = async (webhook: string) =>
  (
    await ok<{ deliveries: { type: string; state: string; log: { detail: string }[] }[] }>(
      'listDeliveries',
      { params: { ...cluster.params, webhook } },
    )
  ).deliveries

describe('pagerduty', () => {
  test('one incident for what has failed, resolved once it has been well for a while', async () => {
    await ok('createWebhook', { body: { name: 'pd', kind: 'pagerduty', routingKey: KEY } })
    await is('failed')
    await until('called', () => pagerDuty.incidents.length > 0)
    await is('online')
    await until('resolved', () => pagerDuty.incidents.every(({ open }) => !open))
    expect(pagerDuty.incidents).toEqual([
      {
        key: `holdfast/${cluster.id}/group/${web.groupId}`,
        summary: [`${cluster.name}: nginx of group web has failed on n1`],
        open: false,
      },
    ])
  })

  test('a group that goes back and forth twenty times is one incident, which says so', async () => {
    await ok('createWebhook', { body: { name: 'pd', kind: 'pagerduty', routingKey: KEY } })
    for (let n = 0; n < 20; n += 1) {
      await is('failed')
      await is('online')
    }
    await until('resolved', () => pagerDuty.incidents.some(({ open }) => !open))
    const all = async () => (await deliveries('pd')).every(({ state }) => state === 'delivered')
    await until('over', all)
    expect(pagerDuty.incidents).toHaveLength(1)
    const [incident] = pagerDuty.incidents
    expect(incident?.open).toBe(false)
    expect(incident?.summary).toContain(`${cluster.name}: group web goes back and forth (flapping)`)
    expect(incident?.summary.filter((one) => one.includes('flapping'))).toHaveLength(1)
  })

  test('while it answers with errors nothing is lost, and an end is never overtaken by what it ended', async () => {
    let fails = true
    played.end()
    played = playing({
      'events.pagerduty.com': (heard) => {
        // The first call is refused for as long as the end of it has not come.
        if (heard.body.includes('"trigger"') && fails) return new Response(null, { status: 500 })
        fails = false
        return pagerDuty.answer(heard)
      },
    })
    await ok('createWebhook', { body: { name: 'pd', kind: 'pagerduty', routingKey: KEY } })
    await is('failed')
    await is('online')
    const done = async () => {
      const all = await deliveries('pd')
      return all.length >= 2 && all.every(({ state }) => state !== 'pending')
    }
    await until('done', done)
    expect(pagerDuty.incidents.filter(({ open }) => open)).toEqual([])
  })

  test('its end comes whatever the filter is; what is no incident does not', async () => {
    const body = { name: 'pd', kind: 'pagerduty', routingKey: KEY, types: ['resource.failed'] }
    await ok('createWebhook', { body })
    await ok('pauseNode', { params: { ...cluster.params, node: 'n1' } })
    await ok('resumeNode', { params: { ...cluster.params, node: 'n1' }, body: {} })
    await is('failed')
    await is('online')
    await until('resolved', () => pagerDuty.incidents.some(({ open }) => !open))
    const types = (await deliveries('pd')).map(({ type }) => type)
    expect(types).toEqual(['group.recovered', 'resource.failed'])
  })
})

test('slack: the message, to an address that is never shown again', async () => {
  const made = await ok('createWebhook', { body: { name: 'chat', kind: 'slack', url: SLACK } })
  expect(made).toMatchObject({ kind: 'slack', url: 'https://hooks.slack.com/…', secret: null })
  await is('failed')
  await is('online')
  await until('told', () => played.heard.length > 0)
  const [first] = played.heard
  expect(first).toMatchObject({ url: SLACK, method: 'POST' })
  expect(JSON.parse(first?.body ?? '{}')).toMatchObject({
    text: `:warning: ${cluster.name}: nginx of group web has failed on n1`,
    blocks: [{ type: 'section' }, { type: 'context' }],
  })
  slackSays = 404
  const tested = await ok('testWebhook', { params: { webhook: 'chat' } })
  expect(tested).toMatchObject({ delivered: false, status: 404 })
})

test('email: a mail to each address, within its limits', async () => {
  const to = [`ana-${crypto.randomUUID()}@example.com`, 'BEN@example.com']
  const made = await ok<{ url: string }>('createWebhook', {
    body: { name: 'post', kind: 'email', to },
  })
  expect(made.url).toBe(`mailto:${to[0]},ben@example.com`)
  const mails = await mailed(async () => {
    await is('failed')
    await until('mailed', async () =>
      (await deliveries('post')).some((d) => d.state === 'delivered'),
    )
  })
  await is('online')
  expect(mails.slice(0, 2)).toEqual([
    expect.stringMatching(
      /^mail to ana-.*: \[holdfast warning\] .*nginx of group web has failed on n1/,
    ),
    expect.stringMatching(/^mail to ben@example.com: /),
  ])
  const tests = await mailed(async () => {
    for (let n = 0; n < 35; n += 1) await ok('testWebhook', { params: { webhook: 'post' } })
  })
  expect(tests.filter((one) => one.startsWith('mail to ana-')).length).toBeLessThanOrEqual(30)
  const last = await ok<{ detail: string }>('testWebhook', { params: { webhook: 'post' } })
  expect(last).toMatchObject({ delivered: false, detail: 'too many mails within an hour' })
})

describe('what it is told by, and what of that is secret', () => {
  test('each kind needs its own, and has nothing of another', async () => {
    const of = (body: object) => refused('createWebhook', { body: { name: 'x', ...body } })
    for (const [body, pointer] of [
      [{}, '/url'],
      [{ kind: 'pagerduty' }, '/routingKey'],
      [{ kind: 'pagerduty', routingKey: 'short' }, '/routingKey'],
      [{ kind: 'pagerduty', routingKey: KEY, to: ['a@example.com'] }, '/to'],
      [{ kind: 'slack' }, '/url'],
      [{ kind: 'email', to: [] }, '/to'],
      [{ kind: 'email', to: ['nobody'] }, '/to/0'],
      [{ kind: 'email', to: ['a@example.com'], url: SLACK }, '/url'],
      [{ kind: 'pigeon', url: SLACK }, '/kind'],
    ] as const) {
      const found = await of(body)
      expect([found.code, found.errors?.[0]?.pointer]).toEqual(['BAD_REQUEST', pointer])
    }
    for (const kind of ['slack', 'pagerduty'])
      expect(
        await of({
          kind,
          ...(kind === 'pagerduty' && { routingKey: KEY }),
          url: 'https://10.0.0.1/',
        }),
      ).toMatchObject({ code: 'WEBHOOK_TARGET_REFUSED' })
  })

  test('what signs nothing has no secret to rotate; it is given another', async () => {
    await ok('createWebhook', { body: { name: 'pd', kind: 'pagerduty', routingKey: KEY } })
    const params = { webhook: 'pd' }
    expect(await refused('rotateWebhook', { params, body: {} })).toMatchObject({
      code: 'BAD_REQUEST',
    })
    const other = KEY.replace('R', 'S')
    await ok('changeWebhook', { params, body: { routingKey: other } })
    await ok('testWebhook', { params })
    expect(played.heard.at(-1)?.body).toContain(other)
  })

  test('secrets are in no answer, no list, no audit log and no record of an attempt', async () => {
    const bodies = [
      { name: 'chat', kind: 'slack', url: SLACK },
      { name: 'pd', kind: 'pagerduty', routingKey: KEY },
    ]
    const said: string[] = []
    for (const body of bodies) {
      said.push(await (await fetchApi('/v1/webhooks?dry_run=true', post(body))).text())
      said.push(await (await fetchApi('/v1/webhooks', post(body))).text())
      said.push(JSON.stringify(await problemOf(await fetchApi('/v1/webhooks', post(body)))))
    }
    await ok('changeWebhook', { params: { webhook: 'chat' }, body: { url: `${SLACK}2` } })
    await is('failed')
    await is('online')
    await until('told', () => played.heard.length > 1)
    for (const webhook of ['chat', 'pd']) said.push(JSON.stringify(await deliveries(webhook)))
    for (const path of ['/v1/webhooks', '/v1/audit', `/v1/clusters/${cluster.name}/log`])
      said.push(await (await fetchApi(path)).text())
    const all = said.join('\n')
    expect(all).toContain('hooks.slack.com')
    expect(all).not.toMatch(/very-secret-path|R0123456789abcdef/)
    const { results } = await env.DB.prepare('select body from audit').all()
    expect(JSON.stringify(results)).not.toMatch(/very-secret-path|R0123456789abcdef/)
  })
})

const post = (body: object): RequestInit => ({ method: 'POST', body: JSON.stringify(body) })
