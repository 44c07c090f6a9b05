/** Ready-made integrations: what each kind makes of every event of the catalogue, in the documented shape of whom it is for. */
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type WebhookEvent, webhookEventType } from '../../schema/webhook-events.ts'
import { WEBHOOK_EXAMPLES } from '../../schema/webhook-examples.ts'
import { mailOf } from '../../worker/webhooks/kinds/email.ts'
import {
  type Receiver,
  requestOf,
  toldTo,
  withoutSecrets,
} from '../../worker/webhooks/kinds/kinds.ts'
import {
  PAGERDUTY_ENDS,
  PAGERDUTY_TYPES,
  pagerDutyEvent,
} from '../../worker/webhooks/kinds/pagerduty.ts'
import { slackMessage } from '../../worker/webhooks/kinds/slack.ts'
import { wordsOf } from '../../worker/webhooks/kinds/words.ts'

const KEY = 'R0123456789abcdef0123456789abcde'

/** As PagerDuty documents the body of POST /v2/enqueue. */
const ofPagerDuty = z.discriminatedUnion('event_action', [
  z.strictObject({
    event_action: z.literal('trigger'),
    routing_key: z.literal(KEY),
    dedup_key: z.string().min(1).max(255),
    client: z.string(),
    payload: z.strictObject({
      summary: z.string().min(1).max(1_024),
      source: z.string().min(1),
      severity: z.enum(['critical', 'error', 'warning', 'info']),
      timestamp: z.iso.datetime(),
      component: z.string().optional(),
      group: z.string(),
      class: z.string(),
      custom_details: z.record(z.string(), z.unknown()),
    }),
  }),
  z.strictObject({
    event_action: z.literal('resolve'),
    routing_key: z.literal(KEY),
    dedup_key: z.string().min(1).max(255),
  }),
])

const mrkdwn = z.strictObject({ type: z.literal('mrkdwn'), text: z.string().min(1).max(3_000) })
/** As Slack documents messages of incoming webhooks, with the limits of its blocks. */
const ofSlack = z.strictObject({
  text: z.string().min(1).max(4_000),
  blocks: z
    .array(
      z.discriminatedUnion('type', [
        z.strictObject({ type: z.literal('section'), text: mrkdwn }),
        z.strictObject({ type: z.literal('context'), elements: z.array(mrkdwn).max(10) }),
      ]),
    )
    .max(50),
})

describe.each(webhookEventType.options)('%s', (type) => {
  const example = WEBHOOK_EXAMPLES[type]

  test('has words that name what it is about', () => {
    const { headline, lines } = wordsOf(example)
    const data = example.data as Partial<Record<'group' | 'node' | 'webhook', { name: string }>>
    const about = data.group ?? data.node ?? data.webhook
    expect(headline).toContain(about?.name ?? 'test')
    expect(lines.every((line) => line !== '')).toBe(true)
  })

  test('PagerDuty: the documented shape, or nothing where nobody has to be called', () => {
    const made = pagerDutyEvent(example, KEY)
    expect(made !== null).toBe(PAGERDUTY_TYPES.includes(type))
    if (!made) return expect(toldTo('pagerduty', type)).toBe(false)
    ofPagerDuty.parse(JSON.parse(JSON.stringify(made)))
    expect(made.event_action).toBe(PAGERDUTY_ENDS.includes(type) ? 'resolve' : 'trigger')
    // Whatever is filtered, an incident is ended.
    expect(toldTo('pagerduty', type)).toBe(PAGERDUTY_ENDS.includes(type) ? true : null)
  })

  test('Slack: the documented shape', () => {
    const made = ofSlack.parse(JSON.parse(JSON.stringify(slackMessage(example))))
    expect(made.text).toContain(wordsOf(example).headline)
  })

  test('mail: one line of subject, and what to do to get no more', () => {
    const { subject, text } = mailOf(example, 'ops')
    expect(subject).toMatch(/^\[holdfast (critical|error|warning|info)\] [^\n]{5,130}$/)
    expect(text).toContain(example.timestamp)
    expect(text).toContain('holdfast webhook delete ops')
  })

  test('webhook: the event as it is, signed', () => {
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    const receiver: Receiver = {
      ...{ name: 'ops', kind: 'webhook', organisationId: 'o', url: 'https://example.com/' },
      secrets: [secret],
    }
    const made = requestOf(receiver, 'msg_1', example, 1_796_038_278_604)
    expect(JSON.parse(made?.body ?? '')).toEqual(example)
    expect(made?.headers['webhook-signature']).toMatch(/^v1,/)
  })
})

test('one key for each group, whatever has happened to it; another for its node', () => {
  const key = (type: keyof typeof WEBHOOK_EXAMPLES) =>
    pagerDutyEvent(WEBHOOK_EXAMPLES[type], KEY)?.dedup_key
  const group = key('group.failover.started')
  for (const type of [
    'group.waiting',
    'resource.failed',
    'group.flapping',
    'group.recovered',
  ] as const)
    expect(key(type)).toBe(group)
  expect(key('node.down')).toBe(key('node.up'))
  expect(key('node.down')).not.toBe(group)
})

test('a host that was shut down calls nobody', () => {
  const { data, ...rest } = WEBHOOK_EXAMPLES['node.down']
  for (const reason of ['saidGoodbye', 'hostShutsDown'])
    expect(pagerDutyEvent({ ...rest, data: { ...(data as object), reason } }, KEY)).toBeNull()
})

test('what somebody has called a thing is no markup, no mention and no second header', () => {
  const { data, ...rest } = WEBHOOK_EXAMPLES['resource.failed']
  const event: WebhookEvent = {
    ...rest,
    data: { ...(data as object), detail: '<!channel> & <https://evil.example|click>\nx' },
  }
  expect(JSON.stringify(slackMessage(event))).not.toMatch(/<!channel>|<https/)
  const cluster = { id: 'c', name: 'prod\r\nBcc: eve@example.com' }
  expect(mailOf({ ...event, cluster }, 'ops').subject).not.toMatch(/[\r\n]/)
})

test('however long it is, it fits', () => {
  const { data, ...rest } = WEBHOOK_EXAMPLES['group.waiting']
  const reasons = Array.from({ length: 500 }, (_, n) => ({ node: `n${n}`, reason: 'x'.repeat(60) }))
  const event: WebhookEvent = { ...rest, data: { ...(data as object), reasons } }
  ofSlack.parse(slackMessage(event))
  ofPagerDuty.parse(JSON.parse(JSON.stringify(pagerDutyEvent(event, KEY))))
})

test('an error that quotes a secret is told without it', () => {
  const url = 'https://hooks.slack.com/services/T0/B0/secret'
  expect(withoutSecrets(`cannot reach ${url}: refused`, [url, ''])).toBe(
    'cannot reach [secret]: refused',
  )
})
