/**
 * Events as PagerDuty takes them. Pure. One incident for each group and for each node that was lost: what belongs
 * together has one `dedup_key`, and the last word about it resolves it.
 *
 * @see PagerDuty Events API v2: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
 */
import type { WebhookData, WebhookEvent, WebhookEventType } from '../../../schema/webhook-events.ts'
import { wasPlanned, wordsOf } from './words.ts'

/** Where it is, but for accounts of the EU. */
export const PAGERDUTY_URL = 'https://events.pagerduty.com/v2/enqueue'

/** Those that it is told; all others are no incident, nor the end of one. */
export const PAGERDUTY_TYPES: readonly WebhookEventType[] = [
  ...(['node.down', 'node.up', 'node.removed', 'fence.failed'] as const),
  ...(['group.failover.started', 'group.waiting', 'resource.failed'] as const),
  ...(['group.flapping', 'group.recovered', 'webhook.test'] as const),
]

/** Those that end an incident: told whatever else is filtered, or it would stay open. */
export const PAGERDUTY_ENDS: readonly WebhookEventType[] = [
  ...(['node.up', 'node.removed', 'group.recovered'] as const),
]

interface PagerDutyEvent {
  readonly routing_key: string
  readonly event_action: 'trigger' | 'resolve'
  readonly dedup_key: string
  readonly client?: string
  readonly payload?: {
    readonly summary: string
    readonly source: string
    readonly severity: 'critical' | 'error' | 'warning' | 'info'
    readonly timestamp: string
    readonly component?: string
    readonly group: string
    readonly class: string
    readonly custom_details: unknown
  }
}

const SUMMARY_MAX = 1_024

/** @returns null: it is nothing that somebody has to be called for */
export function pagerDutyEvent(event: WebhookEvent, routingKey: string): PagerDutyEvent | null {
  const { type, data, timestamp, sequence } = event
  if (!PAGERDUTY_TYPES.includes(type)) return null
  if (type === 'node.down' && wasPlanned(data as WebhookData<'node.down'>)) return null
  const about = subjectOf(data)
  const cluster = event.cluster ?? { id: 'test', name: 'test' }
  const key = {
    routing_key: routingKey,
    dedup_key: `holdfast/${cluster.id}/${about ? `${about.kind}/${about.id}` : 'test'}`,
  }
  if (PAGERDUTY_ENDS.includes(type)) return { ...key, event_action: 'resolve' }
  const { headline, severity, lines } = wordsOf(event)
  return {
    ...{ ...key, event_action: 'trigger', client: 'Holdfast' },
    payload: {
      summary: `${cluster.name}: ${headline}`.slice(0, SUMMARY_MAX),
      ...{ source: cluster.name, severity, timestamp, group: cluster.name, class: type },
      ...(about && { component: about.name }),
      custom_details: {
        ...{ says: lines, sequence, flapping: type === 'group.flapping' },
        ...(data as object),
      },
    },
  }
}

interface Subject {
  readonly kind: 'group' | 'node'
  readonly id: string
  readonly name: string
}

/** A resource is of its group; what is about no group is about its node. */
function subjectOf(data: unknown): Subject | null {
  const { group, node } = data as { group?: Subject; node?: Subject }
  if (group) return { kind: 'group', id: group.id, name: group.name }
  return node ? { kind: 'node', id: node.id, name: node.name } : null
}
