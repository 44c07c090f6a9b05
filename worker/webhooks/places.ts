/** Where an endpoint of each kind is told, and what of that is secret: as it is asked for, kept and shown. */
import type * as z from 'zod'
import type { changeWebhook, WebhookKind } from '../../schema/api/webhooks.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { requireMailer } from '../accounts/mail.ts'
import type { EndpointRow } from './endpoints.ts'
import { PAGERDUTY_URL } from './kinds/pagerduty.ts'
import { requireTarget } from './target.ts'

type Asked = {
  readonly [F in 'url' | 'routingKey' | 'to' | 'everyMs']:
    | z.output<typeof changeWebhook>[F]
    | undefined
}

/** What each kind is given; the first of them it cannot do without. */
const FIELDS: Readonly<Record<WebhookKind, readonly (keyof Asked)[]>> = {
  webhook: ['url'],
  pagerduty: ['routingKey', 'url'],
  slack: ['url'],
  email: ['to'],
  heartbeat: ['url', 'everyMs'],
}

/**
 * @param row as it is by now; undefined: it is being made
 * @returns what is to be kept of what was asked for
 * @throws {HoldfastError} BAD_REQUEST, WEBHOOK_TARGET_REFUSED, UNAVAILABLE
 */
export function placeOf(
  env: Env,
  kind: WebhookKind,
  asked: Asked,
  row?: EndpointRow,
): Partial<Pick<EndpointRow, 'url' | 'secret' | 'intervalMs'>> {
  for (const field of ['url', 'routingKey', 'to', 'everyMs'] as const)
    if (asked[field] !== undefined && !FIELDS[kind].includes(field)) throw notOf(kind, field)
  const [first] = FIELDS[kind]
  if (!row && first && asked[first] === undefined) throw lacking(kind)
  const { url, routingKey, to, everyMs } = asked
  if (url !== undefined) requireTarget(url, env.WEBHOOK_TARGETS === 'any')
  if (kind === 'slack' || kind === 'heartbeat')
    return {
      ...(url !== undefined && { url: shownOf(url), secret: url }),
      ...(everyMs !== undefined && { intervalMs: everyMs }),
    }
  if (kind === 'email') {
    if (to === undefined) return {}
    requireMailer(env)
    return { url: `mailto:${[...new Set(to)].join(',')}` }
  }
  const place = url ?? (row || kind === 'webhook' ? undefined : PAGERDUTY_URL)
  return {
    ...(place !== undefined && { url: place }),
    ...(routingKey !== undefined && { secret: routingKey }),
  }
}

/** Whoever knows the path may write there. */
const shownOf = (url: string): string => `${new URL(url).origin}/…`

/** As it may stand in the audit log. */
export function askedOf(body: object | undefined, kind: WebhookKind): Record<string, unknown> {
  const { routingKey, ...asked } = { ...body } as Record<string, unknown>
  if (routingKey !== undefined) asked['routingKey'] = '[secret]'
  if (kind !== 'webhook' && typeof asked['url'] === 'string') asked['url'] = shownOf(asked['url'])
  return asked
}

/** What makes one without which there is nowhere to tell anything. */
export function lacking(kind: WebhookKind): HoldfastError {
  const [field = 'url'] = FIELDS[kind]
  const message = `a webhook of kind ${kind} needs \`${field}\``
  return new HoldfastError({
    ...{ code: 'BAD_REQUEST', message },
    remedy: `Send it: ${HOW[field]}`,
    errors: [{ pointer: `/${field}`, message }],
  })
}

const HOW: Readonly<Record<keyof Asked, string>> = {
  url: 'where it is sent to (holdfast webhook create NAME --target URL, or --secret-file for Slack)',
  routingKey: 'the integration key of a PagerDuty service (--secret-file PATH)',
  to: 'who is written to (--to ADDRESS)',
  everyMs: 'how often it is pinged (--every TIME)',
}

function notOf(kind: WebhookKind, field: keyof Asked): HoldfastError {
  const message = `a webhook of kind ${kind} has no \`${field}\``
  return new HoldfastError({
    ...{ code: 'BAD_REQUEST', message },
    remedy: `What it has: ${FIELDS[kind].join(', ')}.`,
    errors: [{ pointer: `/${field}`, message }],
  })
}

export const signsNothing = ({ name, kind }: EndpointRow): HoldfastError =>
  new HoldfastError({
    code: 'BAD_REQUEST',
    message: `webhook "${name}" has no signing secret to rotate`,
    why: `It is of kind ${kind}, which is not signed.`,
    remedy: `Give it what it is let in with instead: holdfast webhook change ${name} --secret-file PATH`,
  })
