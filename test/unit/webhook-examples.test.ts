/** The catalogue of webhook events: each type has an example, and each example is what would be sent. */
import { describe, expect, test } from 'vitest'
import {
  parseWebhookEvent,
  WEBHOOK_EVENTS,
  type WebhookEvent,
  webhookEventType,
} from '../../schema/webhook-events.ts'
import { WEBHOOK_EXAMPLES } from '../../schema/webhook-examples.ts'

test('every type has an example, and there is none of another', () => {
  expect(Object.keys(WEBHOOK_EXAMPLES).sort()).toEqual(Object.keys(WEBHOOK_EVENTS).sort())
})

describe.each(webhookEventType.options)('%s', (type) => {
  const example: WebhookEvent = WEBHOOK_EXAMPLES[type]

  test('is of its type, and parses as it is after the way through JSON', () => {
    const event = parseWebhookEvent(JSON.parse(JSON.stringify(example)))
    expect(event).toEqual(example)
    expect(event.type).toBe(type)
  })

  test('with a field too many or too few it does not', () => {
    const data = example.data as Record<string, unknown>
    expect(() => parseWebhookEvent({ ...example, nosuch: 1 })).toThrow()
    expect(() => parseWebhookEvent({ ...example, data: { ...data, nosuch: 1 } })).toThrow()
    for (const name of Object.keys(data))
      expect(() => parseWebhookEvent({ ...example, data: omit(data, name) })).toThrow()
  })
})

const omit = (record: Record<string, unknown>, name: string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).filter(([key]) => key !== name))

test('only a test has no cluster, and sequence 0', () => {
  for (const { type, cluster, sequence } of Object.values(WEBHOOK_EXAMPLES))
    expect([type, cluster === null, sequence === 0]).toEqual([
      type,
      ...(type === 'webhook.test' ? [true, true] : [false, false]),
    ])
})

test('the phases of an example follow each other, and its outage is no longer than they are', () => {
  for (const type of ['group.failover.completed', 'group.move.completed'] as const) {
    const { phases, outage } = WEBHOOK_EVENTS[type].data.parse(WEBHOOK_EXAMPLES[type].data)
    const [first, ...later] = phases
    let atMs = first?.fromMs ?? 0
    for (const { fromMs, ms } of phases) {
      expect(fromMs).toBe(atMs)
      atMs += ms ?? 0
    }
    expect(later.length).toBeGreaterThan(1)
    expect(outage?.ms).toBeLessThanOrEqual(atMs - (first?.fromMs ?? 0))
    expect(Date.parse(WEBHOOK_EXAMPLES[type].timestamp)).toBe(atMs)
  }
})
