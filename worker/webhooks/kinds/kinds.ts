/** What makes one kind of endpoint another than the next: what it is told, and as what request. */
import type { WebhookKind } from '../../../schema/api/webhooks.ts'
import type { WebhookEvent, WebhookEventType } from '../../../schema/webhook-events.ts'
import { signedHeaders } from '../signing.ts'
import { PAGERDUTY_ENDS, PAGERDUTY_TYPES, pagerDutyEvent } from './pagerduty.ts'
import { slackMessage } from './slack.ts'

export interface Receiver {
  readonly name: string
  readonly kind: WebhookKind
  readonly organisationId: string
  /** Of `email`: `mailto:` and addresses with commas between. */
  readonly url: string
  /** Of `webhook` those that sign; of other kinds what lets it in. */
  readonly secrets: readonly string[]
}

export interface HttpRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** @returns null: it is nothing for this kind */
export function requestOf(
  { kind, url, secrets }: Receiver,
  id: string,
  event: WebhookEvent,
  nowMs: number,
): HttpRequest | null {
  const [secret = ''] = secrets
  if (kind === 'pagerduty') {
    const made = pagerDutyEvent(event, secret)
    return made && { url, headers: JSON_HEADERS, body: JSON.stringify(made) }
  }
  if (kind === 'slack')
    return { url: secret, headers: JSON_HEADERS, body: JSON.stringify(slackMessage(event)) }
  const body = JSON.stringify(event)
  return { url, headers: signedHeaders(secrets, id, body, nowMs), body }
}

const JSON_HEADERS = { 'content-type': 'application/json', 'user-agent': 'Holdfast-Webhooks/1' }

/**
 * Whether a kind is told of a type at all; and whether a filter by types may keep it from it.
 *
 * @returns null: the filter says
 */
export function toldTo(kind: WebhookKind, type: WebhookEventType): boolean | null {
  if (kind === 'heartbeat') return false
  if (kind !== 'pagerduty') return null
  if (!PAGERDUTY_TYPES.includes(type)) return false
  return PAGERDUTY_ENDS.includes(type) ? true : null
}

/** Whether what was said later makes what was said before void: the end of an incident must not be overtaken. */
export const lastWordCounts = (kind: WebhookKind): boolean => kind === 'pagerduty'

export const addressesOf = (url: string): string[] => url.replace(/^mailto:/, '').split(',')

/** Of what somebody else has said, or the platform: an error may quote the address that it could not reach. */
export const withoutSecrets = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((said, secret) => (secret ? said.replaceAll(secret, '[secret]') : said), text)
