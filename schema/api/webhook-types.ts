/** The catalogue of webhook events, as whoever chooses among them needs it. */
import {
  WEBHOOK_EVENTS,
  type WebhookEvent,
  type WebhookEventType,
  webhookEventType,
} from '../webhook-events.ts'
import { WEBHOOK_EXAMPLES } from '../webhook-examples.ts'

export type { WebhookEventType }

export const WEBHOOK_TYPES: readonly WebhookEventType[] = webhookEventType.options

/** What an event of this type says, in a sentence. */
export const webhookTypeSays = (type: WebhookEventType): string => WEBHOOK_EVENTS[type].says

/** What is sent of it where nothing has happened: the example of the catalogue, of now and without a number. */
export const webhookExample = (type: WebhookEventType, timestamp: string): WebhookEvent => ({
  ...WEBHOOK_EXAMPLES[type],
  ...{ timestamp, sequence: 0 },
})
