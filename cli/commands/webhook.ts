import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  WEBHOOK_TYPES,
  type WebhookEventType,
  webhookTypeSays,
} from '../../schema/api/webhook-types.ts'
import { type WebhookKind, type WebhookView, webhookKind } from '../../schema/api/webhooks.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { collect, duration, noun, type Runner } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import { formatDuration, formatInstant } from '../duration.ts'
import { readSecret, secretFile } from '../secret-input.ts'
import type { Session } from '../session.ts'
import { nearest } from '../suggest.ts'
import { table } from '../text.ts'
import { addDeliveries } from './webhook-deliveries.ts'
import { addListening } from './webhook-listen.ts'

export function addWebhook(program: Command, runner: Runner): void {
  const webhook = noun('webhook', 'what is told by HTTP when something happens')
  addEndpoints(webhook, runner)
  addDeliveries(webhook, runner)
  addListening(webhook, runner)
  program.addCommand(webhook)
}

function addEndpoints(webhook: Command, runner: Runner): void {
  webhook
    .command('list')
    .description('endpoints of the organisation, what each is told, and whether it gets through')
    .action(runner.action(listWebhooks))
  webhook
    .command('create')
    .description('makes an endpoint; its signing secret is shown once')
    .argument('<name>')
    .addOption(
      new Option('--kind <kind>', 'who it is made ready for')
        .choices(webhookKind.options)
        .default('webhook'),
    )
    .option('--target <url>', 'where it is sent to: https, a public host')
    .addOption(secretFile())
    .option('--to <address>', 'email: who is written to; may be given several times', collect)
    .addOption(duration('--every', 'heartbeat: how often it is pinged; 5m if not said'))
    .addOption(typeOption())
    .option('--only-cluster <name>', 'only of this cluster; may be given several times', collect)
    .option('--group <name>', 'only of this group; may be given several times', collect)
    .action(runner.action(create))
  webhook
    .command('change')
    .description('changes where it points to and what it tells, or switches it off or on')
    .argument('<name>')
    .option('--target <url>', 'where it is sent to from now on')
    .addOption(secretFile())
    .option('--to <address>', 'email: who is written to from now on', collect)
    .addOption(duration('--every', 'heartbeat: how often it is pinged from now on'))
    .addOption(typeOption().conflicts('allTypes'))
    .option('--all-types', 'every type of event')
    .addOption(
      new Option('--only-cluster <name>', 'only of this cluster; may be given several times')
        .argParser(collect)
        .conflicts('allClusters'),
    )
    .option('--all-clusters', 'of every cluster of the organisation')
    .addOption(
      new Option('--group <name>', 'only of this group; may be given several times')
        .argParser(collect)
        .conflicts('allGroups'),
    )
    .option('--all-groups', 'of every group, and what is about none')
    .addOption(new Option('--on', 'switches it on again').conflicts('off'))
    .option('--off', 'nothing is sent to it until it is switched on')
    .action(runner.action(change))
  webhook
    .command('rotate')
    .description(
      'makes a new signing secret, shown once; the one before signs as well for a while yet',
    )
    .argument('<name>')
    .addOption(
      duration('--overlap', 'how long the secret before signs yet').default(86_400_000, '1d'),
    )
    .action(runner.action(rotate))
  webhook
    .command('delete')
    .description('nothing is sent to it any more, and what it has missed is forgotten')
    .argument('<name>')
    .addOption(yesOption())
    .action(runner.action(remove))
  webhook
    .command('types')
    .description('every type of event; asks nobody')
    .action(runner.action(listTypes))
}

const typeOption = (): Option =>
  new Option(
    '--type <type>',
    'only this type of event (webhook types); may be given several times',
  ).argParser(collectType)

function collectType(text: string, before: WebhookEventType[] = []): WebhookEventType[] {
  const type = WEBHOOK_TYPES.find((one) => one === text)
  if (type) return [...before, type]
  const near = nearest(text, WEBHOOK_TYPES)
  throw new InvalidArgumentError(
    near ? `Did you mean ${near}?` : 'All there are: holdfast webhook types',
  )
}

async function listWebhooks(session: Session): Promise<undefined> {
  const answer = await session.call('listWebhooks')
  const rows = answer.webhooks.map((one) => [
    ...[one.name, one.kind, one.url, tellsText(one), stateText(one)],
  ])
  session.out.answer(answer, () => table(['name', 'kind', 'target', 'tells', 'state'], rows))
}

function tellsText({ types, clusters, groups, everyMs }: WebhookView): string {
  const parts = [
    everyMs === null
      ? (types?.join(',') ?? 'everything')
      : `a ping every ${formatDuration(everyMs)}`,
    ...(clusters ? [`of ${clusters.map((one) => one.name).join(',')}`] : []),
    ...(groups ? [`about ${groups.join(',')}`] : []),
  ]
  return parts.join(' ')
}

function stateText({ disabled, failingSinceMs, offAtMs }: WebhookView): string {
  const at = (ms: number) => formatInstant(ms, Date.now())
  if (disabled) return `off since ${at(disabled.atMs)}: ${disabled.why}`
  if (failingSinceMs === null) return 'on'
  const end = offAtMs === null ? '' : `, switched off at ${at(offAtMs)} if that goes on`
  return `on, failing since ${at(failingSinceMs)}${end}`
}

interface Filter {
  type?: WebhookEventType[]
  onlyCluster?: string[]
  group?: string[]
}

interface Place {
  target?: string
  secretFile?: string
  to?: string[]
  every?: number
}

/** What is secret of it comes from a file, and is in no list of processes. */
async function placeOf(session: Session, kind: WebhookKind, place: Place) {
  const { target, to, every } = place
  const needs = kind === 'pagerduty' || kind === 'slack' || kind === 'heartbeat'
  const secret = needs ? await readSecret(session, place.secretFile) : undefined
  const url = needs && kind !== 'pagerduty' ? secret : target
  return {
    ...(url !== undefined && { url }),
    ...(kind === 'pagerduty' && secret !== undefined && { routingKey: secret }),
    ...(to !== undefined && { to }),
    ...(every !== undefined && { everyMs: every }),
  }
}

async function create(
  session: Session,
  options: Filter & Place & { kind: WebhookKind },
  name: string,
): Promise<undefined> {
  const { kind, type: types, onlyCluster: clusters, group: groups } = options
  const filter = {
    ...(types && { types }),
    ...(clusters && { clusters }),
    ...(groups && { groups }),
  }
  const place = await placeOf(session, kind, options)
  const made = await session.call('createWebhook', { body: { name, kind, ...place, ...filter } })
  const { secret } = made
  // The secret alone is the data: it can go straight into a file or a pipe.
  session.out.answer(made, () => secret ?? `webhook ${made.name} (${kind}): ${made.url}`)
  if (secret !== null) session.out.note(`signing secret of webhook ${made.name}, shown once`)
  session.out.note(`try it: holdfast webhook test ${made.name}`)
}

interface ChangeOptions extends Filter, Place {
  allTypes?: true
  allClusters?: true
  allGroups?: true
  on?: true
  off?: true
}

async function change(session: Session, options: ChangeOptions, name: string): Promise<undefined> {
  const { on, off } = options
  const types = options.allTypes ? null : options.type
  const clusters = options.allClusters ? null : options.onlyCluster
  const groups = options.allGroups ? null : options.group
  const place =
    options.secretFile === undefined
      ? {
          ...(options.target && { url: options.target }),
          ...(options.to && { to: options.to }),
          ...(options.every !== undefined && { everyMs: options.every }),
        }
      : await placeOf(session, await kindOf(session, name), options)
  const body = {
    ...place,
    ...(types !== undefined && { types }),
    ...(clusters !== undefined && { clusters }),
    ...(groups !== undefined && { groups }),
    ...((on || off) && { enabled: on === true }),
  }
  if (Object.keys(body).length === 0)
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `nothing to change of webhook "${name}"`,
      why: 'No option says what is to be different.',
      remedy: 'All options: holdfast webhook change --help',
    })
  const done = await session.call('changeWebhook', { params: { webhook: name }, body })
  session.out.answer(
    done,
    () => `webhook ${done.name}: ${done.url}, tells ${tellsText(done)}, ${stateText(done)}`,
  )
}

/** What a secret is for depends on it. @throws {HoldfastError} NOT_FOUND */
async function kindOf(session: Session, name: string): Promise<WebhookKind> {
  const { webhooks } = await session.call('listWebhooks')
  const found = webhooks.find((one) => one.name === name || one.id === name)
  if (found) return found.kind
  throw new HoldfastError({
    code: 'NOT_FOUND',
    message: `there is no webhook "${name}"`,
    remedy: 'List what there is: holdfast webhook list',
  })
}

async function rotate(
  session: Session,
  options: { overlap: number },
  name: string,
): Promise<undefined> {
  const body = { overlapMs: options.overlap }
  const made = await session.call('rotateWebhook', { params: { webhook: name }, body })
  session.out.answer(made, () => made.secret)
  const until = formatInstant(made.overlapUntilMs, Date.now())
  session.out.note(
    `new signing secret of webhook ${made.name}, shown once; the one before signs as well until ${until}`,
  )
}

async function remove(session: Session, options: YesOption, name: string): Promise<undefined> {
  await confirm(
    session,
    `delete webhook ${name}: what it has not got by now it never gets`,
    options,
  )
  const done = await session.call('deleteWebhook', { params: { webhook: name } })
  session.out.answer(done, () => `webhook ${done.name} deleted`)
}

async function listTypes(session: Session): Promise<undefined> {
  const types = WEBHOOK_TYPES.map((type) => ({ type, says: webhookTypeSays(type) }))
  const rows = types.map(({ type, says }) => [type, says])
  session.out.answer({ types }, () => table(['type', 'says'], rows))
}
