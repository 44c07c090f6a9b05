/** docs/webhook-events.md, made from the catalogue of events and their examples. */
import * as z from 'zod'
import { typeFields } from '../schema/api/fields.ts'
import {
  WEBHOOK_EVENTS,
  type WebhookEventType,
  webhookEvent,
  webhookEventType,
} from '../schema/webhook-events.ts'
import { WEBHOOK_EXAMPLES } from '../schema/webhook-examples.ts'
import { table } from './commands-text.ts'

export function renderWebhookDocs(): string {
  const types = webhookEventType.options
  const parts = [
    HEAD,
    '## What every event has',
    fieldTable(webhookEvent, '', null),
    'Types that a receiver does not know may be added, and fields to any of these: pass over both.',
    '## Types',
    table(
      ['type', 'says'],
      types.map((type) => [
        `[\`${type}\`](#${type.replaceAll('.', '')})`,
        WEBHOOK_EVENTS[type].says,
      ]),
    ),
    ...types.flatMap(section),
  ]
  return `${parts.join('\n\n')}\n`
}

const HEAD = `# Events of webhooks

<!-- Made from schema/webhook-events.ts by \`npm run docs\`; a test fails when it is stale. -->

Every type of event that a [webhook](webhooks.md) can be told, with its fields and an example. The same list as a
command: \`holdfast webhook types\`.`

const section = (type: WebhookEventType): string[] => [
  `### ${type}`,
  WEBHOOK_EVENTS[type].says,
  fieldTable(WEBHOOK_EVENTS[type].data, 'data.', type),
  `\`\`\`json\n${JSON.stringify(WEBHOOK_EXAMPLES[type], null, 2)}\n\`\`\``,
]

interface Part {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Part>>
  readonly items?: Part
  readonly anyOf?: readonly Part[]
}

function fieldTable(schema: z.ZodType, above: string, of: WebhookEventType | null): string {
  const rows = rowsOf(z.toJSONSchema(schema) as Part, above).map(([path = '', type = '']) => {
    const name = path.replace(/^data\./, '')
    const is = MEANS[`${of} ${name}`] ?? MEANS[name]
    if (is === undefined)
      throw new Error(`tools/webhook-docs.ts does not say what ${path} of ${of} means`)
    return [`\`${path}\``, TYPES[path] ?? type, is]
  })
  return table(['field', 'type', 'is'], rows)
}

/** Path and type of each field. */
const rowsOf = (record: Part, above: string): string[][] =>
  typeFields(record).flatMap(({ name, type }) => {
    const path = above + name
    return [[path, type], ...below(record.properties?.[name] ?? {}, path)]
  })

/** Fields of what may be null too, and of each one in a list. */
function below(one: Part, path: string): string[][] {
  const record = one.items ?? one.anyOf?.find(({ type }) => type === 'object') ?? one
  return record.properties ? rowsOf(record, `${path}${one.items ? '[]' : ''}.`) : []
}

/** Where the section of each type says more. */
const TYPES: Readonly<Record<string, string>> = { type: 'text', data: 'record' }

/** A field means the same in every type of event that has it, but where that is named. */
const MEANS: Readonly<Record<string, string>> = {
  type: 'what has happened: one of the types below',
  timestamp: 'when it was committed, by the clock of the control plane: ISO 8601, UTC',
  cluster: 'which cluster it happened in; null in a test',
  'cluster.id': 'GUID, which never changes',
  'cluster.name': 'name when it was sent',
  sequence:
    'grows by one with each event of the cluster, whichever of them this endpoint is told; 0 in a test',
  data: 'what there is to say about it: see its type',
  node: 'the node it is about',
  'resource.failed node': 'name of the node that it has failed on; null: not known',
  'node.id': 'GUID, which never changes',
  'node.name': 'name at the time',
  group: 'the group it is about',
  'group.id': 'GUID, which never changes',
  'group.name': 'name at the time',
  resource: 'the resource it is about',
  'resource.id': 'GUID, which never changes',
  'resource.name': 'name at the time',
  reason: 'reason code of the decision, for machines: it does not change with the words',
  'group.failover.completed reason':
    'reason code of the decision, for machines; null: the journal no longer has it',
  'group.move.completed reason':
    'reason code of the decision, for machines; null: the journal no longer has it',
  message: 'one sentence for people; not meant to be parsed',
  'webhook.test message': 'that nothing has happened',
  evidence: 'what the decision was made on; fields that end in `Ms` are milliseconds',
  from: 'name of the node that had the group; null: none had',
  to: 'name of the node where it is online now',
  cause:
    'the same in everything that one cause has led to: `holdfast timeline CAUSE` tells all of it',
  epoch: 'epoch that it came up with: the later one is the owner',
  verdict:
    'one sentence for people: from where to where, and why; null: the journal no longer has it',
  outage: 'how long it was away; null: not known',
  'outage.ms': 'milliseconds, by the clock of the control plane',
  'outage.is': '`atMost`: of a host that was lost, nobody saw when it ended there',
  phases: 'what the time went into, in order: see [timelines](timelines.md)',
  'phases[].phase': 'which part of the way it is',
  'phases[].fromMs': 'when it began, in milliseconds since 1970 by the clock of the control plane',
  'phases[].ms': 'how long it took, in milliseconds; null: not known',
  'phases[].what': 'what was done in it',
  webhook: 'the webhook it is about',
  'webhook.id': 'GUID, which never changes',
  'webhook.name': 'name at the time',
  failingSinceMs: 'since when nothing has got through, in milliseconds since 1970',
  offAtMs: 'when it is switched off if that goes on, in milliseconds since 1970',
  why: 'why it was switched off',
  'webhook.failing detail': 'what became of the last attempt',
  troubles: 'how often trouble has begun within `windowMs`',
  windowMs: 'how far back that is counted, in milliseconds',
  is: '`online`; `offline`, because nobody wants it online any more; or `deleted`',
  sinceMs: 'when the trouble began, in milliseconds since 1970 by the clock of the control plane',
  wellSinceMs: 'since when it has been well again, in milliseconds since 1970',
  flapping: 'whether it went back and forth by then',
  reasons: 'each node, and why it cannot take the group',
  'reasons[].node': 'name of the node',
  'reasons[].reason': 'why not',
  status: 'what it was seen to be',
  detail: 'what its module has said about it',
  restarts: 'how often it was restarted on this node within the restart period',
}
