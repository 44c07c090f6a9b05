/** One attempt to tell a receiver. */
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import type { WebhookEvent } from '../../schema/webhook-events.ts'
import { countAlert } from '../accounts/attempts.ts'
import { mailerOf } from '../accounts/mail.ts'
import { mailOf } from './kinds/email.ts'
import {
  addressesOf,
  type HttpRequest,
  type Receiver,
  requestOf,
  withoutSecrets,
} from './kinds/kinds.ts'
import { targetProblem } from './target.ts'

export interface Outcome {
  readonly delivered: boolean
  /** HTTP status; null: no answer came. */
  readonly status: number | null
  readonly detail: string
  readonly ms: number
}

/** Never throws: whatever goes wrong is what became of the attempt. Nothing of it says a secret. */
export async function send(
  receiver: Receiver,
  id: string,
  event: WebhookEvent,
  env: Env,
): Promise<Outcome> {
  if (receiver.kind === 'email') return mail(receiver, event, env)
  if (receiver.kind === 'heartbeat') return ping(receiver, env)
  const request = requestOf(receiver, id, event, Date.now())
  if (!request) return { delivered: true, status: null, detail: 'nothing to tell', ms: 0 }
  const outcome = await ask({ method: 'POST', ...request }, env)
  return { ...outcome, detail: withoutSecrets(outcome.detail, receiver.secrets) }
}

/** Of a heartbeat: says that it is alive, and nothing else. Never throws. */
export async function ping({ secrets }: Pick<Receiver, 'secrets'>, env: Env): Promise<Outcome> {
  const [url = ''] = secrets
  const headers = { 'user-agent': 'Holdfast-Heartbeat/1' }
  const outcome = await ask({ method: 'GET', url, headers }, env)
  return { ...outcome, detail: withoutSecrets(outcome.detail, secrets) }
}

interface Asked extends Omit<HttpRequest, 'body'> {
  readonly method: 'GET' | 'POST'
  readonly body?: string
}

async function ask({ url, ...request }: Asked, { WEBHOOK_TARGETS }: Env): Promise<Outcome> {
  const anywhere = WEBHOOK_TARGETS === 'any'
  const problem = targetProblem(url, anywhere)
  if (problem !== null) return { delivered: false, status: null, detail: problem, ms: 0 }
  const startedMs = Date.now()
  const since = () => Math.max(0, Date.now() - startedMs)
  try {
    const answer = await fetch(url, {
      ...{ ...request, redirect: 'manual' },
      signal: AbortSignal.timeout(LIMITS.webhookTimeoutMs),
    })
    const { status } = answer
    // What it says besides is nobody's: not read, however long.
    await answer.body?.cancel().catch(() => {})
    const delivered = status >= 200 && status < 300
    const redirects = status >= 300 && status < 400
    const detail = redirects ? 'it redirects, which is not followed' : `answered ${status}`
    return { delivered, status, detail, ms: since() }
  } catch (error) {
    const { name = '', message = '' } = error instanceof Error ? error : {}
    const late = name === 'TimeoutError' || name === 'AbortError'
    const detail = late ? `no answer within ${LIMITS.webhookTimeoutMs} ms` : message.slice(0, 200)
    return { delivered: false, status: null, detail, ms: since() }
  }
}

/** One mail to each address; if one is not taken, the attempt has failed. */
async function mail({ name, url, organisationId }: Receiver, event: WebhookEvent, env: Env) {
  const startedMs = Date.now()
  const outcome = (delivered: boolean, detail: string): Outcome => ({
    ...{ delivered, status: null, detail, ms: Math.max(0, Date.now() - startedMs) },
  })
  const mailer = mailerOf(env)
  if (!mailer) return outcome(false, 'this control plane sends no mail')
  const addresses = addressesOf(url)
  const letter = mailOf(event, name)
  try {
    for (const to of addresses) {
      await countAlert(env.DB, organisationId, to)
      await mailer.send({ to, ...letter })
    }
    return outcome(true, `mailed to ${addresses.length}`)
  } catch (error) {
    const limited = error instanceof HoldfastError && error.refusal.code === 'RATE_LIMITED'
    return outcome(false, limited ? 'too many mails within an hour' : String(error).slice(0, 200))
  }
}
