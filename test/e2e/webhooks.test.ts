/** Webhooks against a real receiver: what real hosts do is told, in order, and gets through restarts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { killPid } from '../../demo/host.ts'
import type { WebhookData } from '../../schema/webhook-events.ts'
import { Receiver } from '../webhooks/receiver.ts'
import { endDemo, startDemo } from './demo.ts'

const params = { cluster: CLUSTER }

describe('webhooks', () => {
  let demo: Demo
  let receiver: Receiver
  beforeAll(async () => {
    demo = await startDemo({ profile: 'standard', webhookRetryFactor: 0.01 })
    await demo.addGroup('ledger')
    await demo.addWitness('ledger', 'ledger')
    await demo.online('ledger', 'n1')
    receiver = await Receiver.start()
  })
  afterAll(async () => {
    await endDemo(demo)
    await receiver?.close()
  })

  const made = async (name: string, more: object = {}) => {
    const body = { name, url: receiver.url, ...more }
    return demo.api('createWebhook', { body })
  }
  const pause = (node: string, paused: boolean) =>
    paused
      ? demo.api('pauseNode', { params: { ...params, node } })
      : demo.api('resumeNode', { params: { ...params, node }, body: {} })

  test('a test event is signed, and says what became of it', async () => {
    const { secret } = await made('pager')
    expect(secret).toMatch(/^whsec_/)
    receiver.secret = secret ?? ''
    const tested = await demo.api('testWebhook', { params: { webhook: 'pager' } })
    expect(tested).toMatchObject({ delivered: true, status: 204 })
    expect(receiver.calls.map((c) => c.event.type)).toEqual(['webhook.test'])
    receiver.answer = () => 302
    const redirected = await demo.api('testWebhook', { params: { webhook: 'pager' } })
    expect(redirected).toMatchObject({ delivered: false, status: 302 })
    receiver.answer = () => 204
  })

  test('the death of a host: what has happened is told in the order of its commits', async () => {
    receiver.calls.length = 0
    demo.host('n1').powerCut()
    const of = (type: string) => receiver.accepted.filter((event) => event.type === type)
    await receiver.until(() => of('group.failover.completed').length > 0)
    const types = receiver.accepted.map((event) => event.type)
    expect(types.indexOf('node.down')).toBeLessThan(types.indexOf('group.failover.completed'))
    expect(types).toContain('group.failover.started')
    const [completed] = of('group.failover.completed')
    const data = completed?.data as WebhookData<'group.failover.completed'>
    expect(data.from).toBe('n1')
    expect(data.to).toMatch(/^n[23]$/)
    expect(data.outage?.ms).toBeGreaterThan(0)
    expect(data.phases.map((p) => p.phase)).toEqual(expect.arrayContaining(['wait', 'start']))
    const sequences = receiver.accepted.map((event) => event.sequence)
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
    demo.host('n1').start()
    await demo.allUp(30_000)
  })

  test('first attempts are in order, and a retry holds up nothing; each comes through', async () => {
    receiver.calls.length = 0
    // Every third fails twice.
    receiver.answer = ({ event }, nth) => (event.sequence % 3 === 0 && nth <= 2 ? 500 : 204)
    for (let i = 0; i < 15; i += 1) await pause('n3', i % 2 === 0)
    await pause('n3', false)
    await receiver.until(() => receiver.accepted.length >= 16)
    const first = receiver.firstAttempts
    expect(first).toEqual(first.toSorted((a, b) => a - b))
    expect(receiver.calls.some((c) => c.status === 500)).toBe(true)
    receiver.answer = () => 204
  })

  test('killed in between, the control plane goes on where it was', async () => {
    receiver.calls.length = 0
    receiver.answer = () => 500
    const types = ['node.paused', 'node.resumed']
    await pause('n2', true)
    await pause('n2', false)
    const both = async () => {
      const asked = { params: { ...params, webhook: 'pager' }, query: { limit: 2 } }
      return (await demo.api('listDeliveries', asked)).deliveries
    }
    const failed = async () =>
      (await both()).every(({ type, log }) => types.includes(type) && log[0]?.status === 500)
    await expect.poll(failed, { timeout: 20_000 }).toBe(true)
    killPid(demo.control.workerdPid() as number)
    receiver.answer = () => 204
    await receiver.until(
      () => types.every((t) => receiver.accepted.some((e) => e.type === t)),
      60_000,
    )
    await expect
      .poll(async () => (await both()).map((d) => d.state), { timeout: 20_000 })
      .toEqual(['delivered', 'delivered'])
  })

  test('a replay sends one again; what was missed while it was off is recovered', async () => {
    const webhook = { webhook: 'pager' }
    const { deliveries } = await demo.api('listDeliveries', { params: { ...params, ...webhook } })
    const [newest] = deliveries
    if (!newest) throw new Error('nothing was delivered')
    receiver.calls.length = 0
    await demo.api('replayWebhook', {
      params: { ...params, ...webhook },
      body: { message: newest.message },
    })
    await receiver.until(() => receiver.calls.some((c) => c.id === newest.message))
    const sinceMs = Date.now()
    receiver.answer = () => 410
    await pause('n2', true)
    await receiver.until(() => receiver.calls.some((c) => c.status === 410))
    await expect
      .poll(async () => (await demo.api('listWebhooks')).webhooks[0]?.disabled?.why, {
        timeout: 10_000,
      })
      .toContain('410')
    await pause('n2', false)
    receiver.answer = () => 204
    const refused = demo.api('replayWebhook', {
      params: { ...params, ...webhook },
      body: { sinceMs },
    })
    await expect(refused).rejects.toMatchObject({ refusal: { code: 'WEBHOOK_OFF' } })
    await demo.api('changeWebhook', { params: webhook, body: { enabled: true } })
    const again = await demo.api('replayWebhook', {
      params: { ...params, ...webhook },
      body: { sinceMs },
    })
    // That it was switched off is told as well, to whoever listens again.
    expect(again.messages).toBe(3)
    await receiver.until(() => receiver.accepted.some((e) => e.type === 'webhook.disabled'))
    await receiver.until(() => receiver.accepted.filter((e) => e.type === 'node.paused').length > 0)
    await receiver.until(
      () => receiver.accepted.filter((e) => e.type === 'node.resumed').length > 0,
    )
  })

  test('with a new secret, both sign for a while', async () => {
    const old = receiver.secret
    const { secret } = await demo.api('rotateWebhook', { params: { webhook: 'pager' }, body: {} })
    expect(secret).not.toBe(old)
    for (const one of [old, secret]) {
      receiver.secret = one
      const done = await demo.api('testWebhook', { params: { webhook: 'pager' } })
      expect(done.delivered).toBe(true)
    }
  })
})
