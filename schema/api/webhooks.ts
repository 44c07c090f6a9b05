/** Bodies about webhooks: endpoints of an organisation, and what was sent to them. */
import * as z from 'zod'
import { instantMs, name } from '../ids.ts'
import { LIMITS } from '../limits.ts'
import { webhookEvent, webhookEventType } from '../webhook-events.ts'
import { reference } from './reference.ts'

/** What it may point to is judged by worker/webhooks/target.ts. */
const url = z.string().min(1).max(2_048)

/** Null: all. */
const filter = {
  types: z.array(webhookEventType).min(1).max(LIMITS.webhookFilterMax).nullable().optional(),
  clusters: z.array(reference).min(1).max(LIMITS.webhookFilterMax).nullable().optional(),
  /** Names of groups, in whichever cluster; events that are about no group are left out then. */
  groups: z.array(name).min(1).max(LIMITS.webhookFilterMax).nullable().optional(),
}

/** What it is made ready for; `webhook` is told the event as it is, signed. */
export const webhookKind = z.enum(['webhook', 'pagerduty', 'slack', 'email', 'heartbeat'])
export type WebhookKind = z.infer<typeof webhookKind>

const place = {
  /** `webhook`, `slack`, `heartbeat`: required, and a secret but for `webhook`. `pagerduty`: where its Events API is, if elsewhere. */
  url: url.optional(),
  /** `pagerduty`: the integration key of a service, a secret. */
  routingKey: z
    .string()
    .regex(/^[A-Za-z0-9_-]{16,64}$/)
    .optional(),
  /** `email`: who is written to. */
  to: z
    .array(z.email().max(LIMITS.emailLengthMax).toLowerCase())
    .min(1)
    .max(LIMITS.webhookAddressesMax)
    .optional(),
  /** `heartbeat`: how often it is pinged. */
  everyMs: z.int().min(LIMITS.heartbeatMinMs).max(LIMITS.heartbeatMaxMs).optional(),
}

export const createWebhook = z.strictObject({
  name,
  kind: webhookKind.default('webhook'),
  ...place,
  ...filter,
})

export const changeWebhook = z.strictObject({
  ...place,
  ...filter,
  /** True: switched on again, after it was switched off. */
  enabled: z.boolean().optional(),
})

export const rotateWebhook = z.strictObject({
  /** How long what is sent is signed with the secret before as well. */
  overlapMs: z
    .int()
    .min(0)
    .max(LIMITS.keyOverlapMaxMs)
    .default(24 * 3_600_000),
})

export const webhookView = z.object({
  id: z.string(),
  name: z.string(),
  kind: webhookKind,
  /** Where it is sent to, without what of it is secret. */
  url: z.string(),
  /** Of a heartbeat: how often each of its clusters pings it. */
  everyMs: z.number().nullable(),
  types: z.array(z.string()).nullable(),
  clusters: z.array(z.object({ id: z.string(), name: z.string() })).nullable(),
  groups: z.array(z.string()).nullable(),
  createdAtMs: instantMs,
  /** Since when nothing has got through; null: the last attempt did. */
  failingSinceMs: instantMs.nullable(),
  /** When it is switched off if nothing gets through by then; null: nothing is wrong, or it is off. */
  offAtMs: instantMs.nullable(),
  /** Null: it is on. */
  disabled: z.object({ atMs: instantMs, why: z.string() }).nullable(),
})
export type WebhookView = z.infer<typeof webhookView>

/** `secret` is shown this once; null: it is of a kind that signs nothing. */
export const webhookCreated = webhookView.extend({ secret: z.string().nullable() })
export const webhookRotated = z.object({
  ...{ id: z.string(), name: z.string(), secret: z.string() },
  /** Until when the secret before signs as well. */
  overlapUntilMs: instantMs,
})
export const webhookDeleted = z.object({ id: z.string(), name: z.string() })

export const webhookTested = z.object({
  delivered: z.boolean(),
  /** HTTP status of the answer; null: none came. */
  status: z.int().nullable(),
  detail: z.string(),
  ms: z.number().nonnegative(),
})

const attempt = z.object({
  atMs: instantMs,
  status: z.int().nullable(),
  detail: z.string(),
  ms: z.number().nonnegative(),
})

export const deliveryView = z.object({
  /** Id of the message, as in the header `webhook-id`. */
  message: z.string(),
  sequence: z.int().positive(),
  type: z.string(),
  /** When it was committed. */
  atMs: instantMs,
  state: z.enum(['pending', 'delivered', 'gaveUp']),
  attempts: z.int().nonnegative(),
  /** When it is tried the next time; null: not again. */
  nextAtMs: instantMs.nullable(),
  /** The newest first; the oldest may be gone. */
  log: z.array(attempt),
})
export type DeliveryView = z.infer<typeof deliveryView>

/** An example of the catalogue, sent as if it had happened. */
export const triggerWebhook = z.strictObject({ type: webhookEventType })

/** What webhooks tell of a cluster, as it is sent. */
export const toldEvents = z.object({
  events: z.array(z.object({ id: z.string(), event: webhookEvent.extend({ data: z.json() }) })),
  /** To go on behind them. */
  next: z.int().nonnegative(),
})
export type ToldEvents = z.infer<typeof toldEvents>

export const replayWebhook = z.union([
  /** One message, whatever has become of it. */
  z.strictObject({ message: z.string().min(1).max(64) }),
  /** All that were committed since then and did not get through, also those that were never meant for it before. */
  z.strictObject({ sinceMs: instantMs }),
])

/** How many messages are to be sent. */
export const webhookReplayed = z.object({ messages: z.int().nonnegative() })
