/** The catalogue of webhook events, as whoever chooses among them needs it. */
import { WEBHOOK_EVENTS, type WebhookEventType, webhookEventType } from '../webhook-events.ts'

export type { WebhookEventType }

export const WEBHOOK_TYPES: readonly WebhookEventType[] = webhookEventType.options

/** What an event of this type says, in a sentence. */
export const webhookTypeSays = (type: WebhookEventType): string => WEBHOOK_EVENTS[type].says
