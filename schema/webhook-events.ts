/**
 * What webhooks tell: the catalogue. Each event is a fact that was committed; its schema and its example make
 * docs/webhook-events.md, and a test parses every event that the suite has sent by it.
 */
import * as z from 'zod'
import { outage } from './api/operations.ts'
import { timelinePhase } from './api/timeline.ts'
import { epoch, guid, instantMs, name } from './ids.ts'
import { status } from './status.ts'

const thing = z.strictObject({ id: guid, name: z.string() })
const evidence = z.record(z.string(), z.union([z.string(), z.number()]))

const aboutNode = z.strictObject({
  node: thing,
  /** Reason code of the decision. */
  reason: z.string(),
  /** One sentence. */
  message: z.string(),
  evidence,
})

const began = z.strictObject({
  group: thing,
  /** Who had it; null: nobody. */
  from: z.string().nullable(),
  reason: z.string(),
  message: z.string(),
  evidence,
  /** The same in everything that one cause has led to. */
  cause: z.string(),
})

const completed = z.strictObject({
  group: thing,
  from: z.string().nullable(),
  /** Where it is online now. */
  to: z.string().nullable(),
  epoch,
  /** Reason code of the decision, and one sentence; null where the journal no longer has them. */
  reason: z.string().nullable(),
  verdict: z.string().nullable(),
  cause: z.string(),
  /** How long it was away, on the clock of the control plane; null: it is not known. */
  outage: outage.nullable(),
  /** What the time went into, in order. */
  phases: z.array(
    z.strictObject({
      phase: timelinePhase,
      fromMs: instantMs,
      ms: z.number().nonnegative().nullable(),
      what: z.string(),
    }),
  ),
})

const reasons = z.array(z.strictObject({ node: z.string(), reason: z.string() }))

interface Kind {
  readonly says: string
  readonly data: z.ZodType
}

/** By type. What is sent is `webhookEvent` with the `data` of its type. */
export const WEBHOOK_EVENTS = {
  'node.joined': { says: 'A host has become a node of the cluster.', data: aboutNode },
  'node.up': { says: 'A node is up: connected, and taken at its word.', data: aboutNode },
  'node.down': {
    says: 'A node is down: lost, fenced or shut down. Why, and on what evidence, is in it.',
    data: aboutNode,
  },
  'node.paused': { says: 'A node takes no new groups.', data: aboutNode },
  'node.resumed': { says: 'A node takes groups again.', data: aboutNode },
  'node.removed': { says: 'A node is no longer part of the cluster.', data: aboutNode },
  'fence.failed': {
    says: 'A fence agent could not confirm that a node is off: a group may wait for it.',
    data: aboutNode,
  },
  'group.failover.started': {
    says: 'A group leaves its node because something has failed.',
    data: began,
  },
  'group.failover.completed': {
    says: 'It is online again, with what the time went into.',
    data: completed,
  },
  'group.move.started': { says: 'A group leaves its node as it was planned.', data: began },
  'group.move.completed': { says: 'It is online where it was to go.', data: completed },
  'group.waiting': {
    says: 'No node can take a group that should be online; for each node the reason.',
    data: z.strictObject({ group: thing, reasons }),
  },
  'resource.failed': {
    says: 'A resource has failed on its node. What is done about it follows.',
    data: z.strictObject({
      resource: thing,
      group: thing,
      node: z.string().nullable(),
      status,
      detail: z.string().nullable(),
      /** Restarts on this node within the restart period. */
      restarts: z.int().nonnegative(),
    }),
  },
  'group.flapping': {
    says: 'A group goes back and forth between trouble and being well.',
    data: z.strictObject({
      group: thing,
      /** How often trouble has begun within `windowMs`. */
      troubles: z.int().positive(),
      windowMs: z.int().positive(),
      /** When the trouble of now began. */
      sinceMs: instantMs,
    }),
  },
  'group.recovered': {
    says: 'What was wrong with a group is over, and it has been well for a while.',
    data: z.strictObject({
      group: thing,
      /** What it is now: `offline` because nobody wants it online any more. */
      is: z.enum(['online', 'offline', 'deleted']),
      /** When the trouble began, and since when it has been well. */
      sinceMs: instantMs,
      wellSinceMs: instantMs,
      flapping: z.boolean(),
    }),
  },
  'webhook.failing': {
    says: 'Nothing has got through to a webhook for so long that it will be switched off before long.',
    data: z.strictObject({
      webhook: thing,
      /** Since when nothing has got through, and when it is switched off if that goes on. */
      failingSinceMs: instantMs,
      offAtMs: instantMs,
      /** What became of the last attempt. */
      detail: z.string(),
    }),
  },
  'webhook.disabled': {
    says: 'A webhook was switched off: it is told nothing until somebody switches it on again.',
    data: z.strictObject({
      webhook: thing,
      why: z.string(),
    }),
  },
  'webhook.test': {
    says: 'Sent by `holdfast webhook test`: nothing has happened.',
    data: z.strictObject({ message: z.string() }),
  },
} as const satisfies Record<string, Kind>

export type WebhookEventType = keyof typeof WEBHOOK_EVENTS
export const webhookEventType = z.enum(
  Object.keys(WEBHOOK_EVENTS) as [WebhookEventType, ...WebhookEventType[]],
)
export type WebhookData<T extends WebhookEventType> = z.input<(typeof WEBHOOK_EVENTS)[T]['data']>

/** The body of a delivery. */
export const webhookEvent = z.strictObject({
  type: webhookEventType,
  /** When it was committed, ISO 8601, on the clock of the control plane. */
  timestamp: z.iso.datetime(),
  /** Null in a test. */
  cluster: z.strictObject({ id: guid, name }).nullable(),
  /** Grows by one with each event of the cluster: sort by it, and see by it what is missing. 0 in a test. */
  sequence: z.int().nonnegative(),
  data: z.unknown(),
})
export type WebhookEvent = z.infer<typeof webhookEvent>

/** @throws {z.ZodError} it is none, or its data are not of its type */
export function parseWebhookEvent(body: unknown): WebhookEvent {
  const event = webhookEvent.parse(body)
  WEBHOOK_EVENTS[event.type].data.parse(event.data)
  return event
}
