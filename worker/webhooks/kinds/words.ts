/** One sentence for each event, and how bad it is: for kinds that are read by people. Pure. */
import type { WebhookData, WebhookEvent, WebhookEventType } from '../../../schema/webhook-events.ts'

export type Severity = 'critical' | 'error' | 'warning' | 'info'

export interface Words {
  readonly severity: Severity
  /** Without the cluster, which is told beside it. */
  readonly headline: string
  /** What there is to say besides, a line each. */
  readonly lines: readonly string[]
}

type Worded = { readonly [T in WebhookEventType]: (data: WebhookData<T>) => Words }

/** @param event has been parsed, or was made here */
export const wordsOf = ({ type, data }: WebhookEvent): Words =>
  (WORDS[type] as (data: unknown) => Words)(data)

/** A host that says goodbye is no failure. */
export const wasPlanned = ({ reason }: WebhookData<'node.down'>): boolean =>
  reason === 'saidGoodbye' || reason === 'hostShutsDown'

const words = (severity: Severity, headline: string, ...lines: string[]): Words => ({
  ...{ severity, headline },
  lines: lines.filter((line) => line !== ''),
})

const instant = (ms: number): string => new Date(ms).toISOString()

const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`

const away = ({ outage }: WebhookData<'group.failover.completed'>): string =>
  outage === null
    ? ''
    : `Away for ${outage.is === 'atMost' ? 'at most ' : ''}${seconds(outage.ms)}.`

const WORDS: Worded = {
  'node.joined': (d) => words('info', `host ${d.node.name} has joined`),
  'node.up': (d) => words('info', `node ${d.node.name} is up`),
  'node.down': (d) =>
    wasPlanned(d)
      ? words('info', `node ${d.node.name} was shut down`, d.message)
      : words('error', `node ${d.node.name} is down`, d.message),
  'node.paused': (d) => words('info', `node ${d.node.name} is paused`, d.message),
  'node.resumed': (d) => words('info', `node ${d.node.name} takes groups again`),
  'node.removed': (d) => words('info', `node ${d.node.name} was removed`, d.message),
  'fence.failed': (d) =>
    words('critical', `nobody could confirm that node ${d.node.name} is off`, d.message),
  'group.failover.started': (d) =>
    words('error', `group ${d.group.name} fails over from ${d.from ?? 'nowhere'}`, d.message),
  'group.failover.completed': (d) =>
    words(
      'info',
      `group ${d.group.name} is online on ${d.to ?? 'a node'} after a failover`,
      ...[d.verdict ?? '', away(d)],
    ),
  'group.move.started': (d) =>
    words('info', `group ${d.group.name} leaves ${d.from ?? 'its node'} as planned`, d.message),
  'group.move.completed': (d) =>
    words('info', `group ${d.group.name} is online on ${d.to ?? 'a node'}`, away(d)),
  'group.waiting': (d) =>
    words(
      'critical',
      `no node can take group ${d.group.name}`,
      ...d.reasons.map((one) => `${one.node}: ${one.reason}`),
    ),
  'group.flapping': (d) =>
    words(
      'error',
      `group ${d.group.name} goes back and forth (flapping)`,
      `In trouble ${d.troubles} times within ${Math.round(d.windowMs / 60_000)} min.`,
    ),
  'group.recovered': (d) =>
    words(
      'info',
      d.is === 'online'
        ? `group ${d.group.name} has recovered`
        : `group ${d.group.name} is ${d.is}`,
      `The trouble lasted ${seconds(d.wellSinceMs - d.sinceMs)}${d.flapping ? ', back and forth' : ''}.`,
    ),
  'resource.failed': (d) =>
    words(
      'warning',
      `${d.resource.name} of group ${d.group.name} has failed on ${d.node ?? 'its node'}`,
      d.detail ?? '',
    ),
  'webhook.failing': (d) =>
    words(
      'warning',
      `nothing gets through to webhook ${d.webhook.name}`,
      `Since ${instant(d.failingSinceMs)}; the last time: ${d.detail}.`,
      `At ${instant(d.offAtMs)} it is switched off if nothing has got through by then.`,
    ),
  'webhook.disabled': (d) =>
    words(
      'error',
      `webhook ${d.webhook.name} was switched off`,
      `Because ${d.why}.`,
      `Switch it on again: holdfast webhook change ${d.webhook.name} --on`,
      `Then send what it has missed: holdfast webhook recover ${d.webhook.name} --since TIME`,
    ),
  'webhook.test': (d) => words('info', 'a test of Holdfast', d.message),
}
