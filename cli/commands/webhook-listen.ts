/** Webhooks without an endpoint that the control plane could reach: followed from here, and forwarded. */
import { createHmac, randomBytes } from 'node:crypto'
import { Argument, type Command, InvalidArgumentError } from 'commander'
import {
  WEBHOOK_TYPES,
  type WebhookEventType,
  webhookExample,
} from '../../schema/api/webhook-types.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { type Runner, wholeNumber } from '../command.ts'
import { formatDuration } from '../duration.ts'
import { EXIT } from '../exit-codes.ts'
import { readText } from '../read-text.ts'
import type { Session } from '../session.ts'
import { nearest } from '../suggest.ts'
import { untilBack } from '../wait.ts'

/** The server waits so long for something to come. */
const WAIT_MS = 25_000
const TIMEOUT_MS = 10_000

export function addListening(webhook: Command, runner: Runner): void {
  webhook
    .command('listen')
    .description('forwards what webhooks tell of the cluster to a URL that this machine reaches')
    .requiredOption('--forward-to <url>', 'where it is sent to, signed: http://localhost:3000/hook')
    .option('--after <sequence>', 'from behind this event on; else from now on', wholeNumber)
    .option('--signing-file <path>', 'file with the secret that signs (whsec_…); else one is made')
    .action(runner.action(listen))
  webhook
    .command('trigger')
    .description('sends the example of a type of event to a webhook, or to a URL from here')
    .addArgument(new Argument('<type>', 'type of event: webhook types').argParser(parseType))
    .argument('[name]', 'the webhook')
    .option('--forward-to <url>', 'from here to there instead, signed')
    .option('--signing-file <path>', 'file with the secret that signs (whsec_…); else one is made')
    .action(runner.action(trigger))
}

function parseType(text: string): WebhookEventType {
  const type = WEBHOOK_TYPES.find((one) => one === text)
  if (type) return type
  const near = nearest(text, WEBHOOK_TYPES)
  throw new InvalidArgumentError(
    near ? `Did you mean ${near}?` : 'All there are: holdfast webhook types',
  )
}

interface Forwarding {
  readonly forwardTo: string
  readonly signingFile?: string
}

async function listen(session: Session, options: Forwarding & { after?: number }): Promise<number> {
  const url = checked(options.forwardTo)
  const secret = await secretOf(session, options)
  try {
    let next = options.after ?? (await session.inCluster('listWebhookEvents')).next
    const begun = { forwardingTo: url, after: next, ...(options.signingFile ? {} : { secret }) }
    if (session.out.json) session.out.item(begun, () => '')
    else session.out.note(`forwarding to ${url}, from event ${next + 1} on; end with Ctrl-C`)
    for (;;) {
      const query = { after: next, waitMs: WAIT_MS }
      const page = await untilBack(session, () => session.inCluster('listWebhookEvents', { query }))
      const first = page.events[0]?.event.sequence ?? next + 1
      if (first > next + 1) session.out.note(`Events ${next + 1} to ${first - 1} are not kept.`)
      for (const one of page.events) await tell(session, url, secret, one)
      next = page.next
    }
  } catch (error) {
    if (session.signal.aborted) return EXIT.interrupted
    throw error
  }
}

async function trigger(
  session: Session,
  options: Partial<Forwarding>,
  type: WebhookEventType,
  name?: string,
): Promise<number> {
  const { forwardTo } = options
  if ((name === undefined) === (forwardTo === undefined))
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: 'say where it is to be sent',
      why: 'It goes to a webhook, by its name, or from here to a URL: to one of both.',
      remedy:
        'holdfast webhook trigger TYPE NAME, or: holdfast webhook trigger TYPE --forward-to URL',
    })
  if (forwardTo !== undefined) {
    const url = checked(forwardTo)
    const secret = await secretOf(session, options)
    const id = `msg_${randomBytes(16).toString('hex')}`
    const event = webhookExample(type, new Date().toISOString())
    return (await tell(session, url, secret, { id, event })) ? EXIT.done : EXIT.problems
  }
  const input = { params: { webhook: name ?? '' }, body: { type } }
  const done = await session.call('triggerWebhook', input)
  const { delivered, detail, ms } = done
  session.out.answer(
    done,
    () => `${delivered ? 'delivered' : 'NOT delivered'}: ${detail} (${formatDuration(ms)})`,
  )
  return delivered ? EXIT.done : EXIT.problems
}

/** @throws {HoldfastError} BAD_REQUEST */
function checked(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.href
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: `${text} is no URL to forward to`,
    remedy: 'Write it in full: http://localhost:3000/hook',
  })
}

const SECRET = /^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/

/** @throws {HoldfastError} BAD_REQUEST */
async function secretOf(session: Session, { signingFile }: Partial<Forwarding>): Promise<string> {
  if (signingFile === undefined) {
    const made = `whsec_${randomBytes(32).toString('base64')}`
    if (!session.out.json) session.out.note(`signed with ${made}, made for this run`)
    return made
  }
  const remedy = 'Name the file with the signing secret of the receiver.'
  const secret = (await readText(session.surroundings, signingFile, remedy)).trim()
  if (SECRET.test(secret)) return secret
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: `there is no signing secret in ${signingFile}`,
    why: 'It begins with whsec_ and goes on in base64.',
    remedy,
  })
}

interface Forwarded {
  readonly id: string
  readonly event: { readonly type: string; readonly sequence: number }
}

/** One attempt, as the control plane would make it. @returns whether it was taken */
async function tell(
  session: Session,
  url: string,
  secret: string,
  { id, event }: Forwarded,
): Promise<boolean> {
  const body = JSON.stringify(event)
  const atS = Math.floor(Date.now() / 1_000)
  const startedMs = performance.now()
  const { status, detail } = await post(
    session,
    url,
    {
      ...{ 'content-type': 'application/json', 'user-agent': 'Holdfast-Webhooks/1' },
      ...{ 'webhook-id': id, 'webhook-timestamp': String(atS) },
      'webhook-signature': signature(secret, `${id}.${atS}.${body}`),
    },
    body,
  )
  const ms = Math.round(performance.now() - startedMs)
  const { type, sequence } = event
  const line = { atMs: Date.now(), sequence, type, message: id, status, detail, ms }
  session.out.item(
    line,
    () =>
      `${new Date(line.atMs).toISOString()}  ${sequence}  ${type}  ${detail} (${formatDuration(ms)})`,
  )
  return status !== null && status >= 200 && status < 300
}

async function post(
  { signal }: Session,
  url: string,
  headers: Record<string, string>,
  body: string,
): Promise<{ status: number | null; detail: string }> {
  try {
    const answer = await fetch(url, {
      ...{ method: 'POST', headers, body, redirect: 'manual' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    await answer.body?.cancel()
    return { status: answer.status, detail: `answered ${answer.status}` }
  } catch (error) {
    signal.throwIfAborted()
    const { cause } = error as { cause?: { code?: string } }
    return { status: null, detail: `not reached: ${cause?.code ?? (error as Error).message}` }
  }
}

/** By the Standard Webhooks scheme. */
function signature(secret: string, text: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(text).digest('base64')}`
}
