/** The HTTP API as an OpenAPI 3.1 document, made from the route table: nothing in it is said twice. */
import { ERRORS, type ErrorCode } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Access } from './access.ts'
import { errorPage } from './docs.ts'
import { EXAMPLES } from './examples.ts'
import { type Components, components, type JsonSchema, refTo, schemaOf } from './openapi-schemas.ts'
import type { Route } from './route.ts'
import { errorsOf, takesIdempotencyKey, writes, writesHive } from './route-errors.ts'
import { type RouteName, routes } from './routes.ts'
import { operationStreamPath, streamAccess, streamPath, streamQuery } from './stream.ts'
import { API_VERSION } from './version.ts'

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly description?: string
  readonly schema: JsonSchema
}

interface Answer {
  readonly description: string
  readonly headers?: Record<string, unknown>
  readonly content?: Record<string, { schema: JsonSchema }>
}

export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly tags: readonly string[]
  /** Who may call it; `security` says whether a key is needed at all. */
  readonly 'x-access': Access
  /** It is held open, and no call of the client. */
  readonly 'x-stream'?: true
  readonly security: readonly Record<string, readonly string[]>[]
  readonly parameters: readonly (Parameter | { readonly $ref: string })[]
  readonly requestBody?: {
    readonly required: boolean
    readonly content: Record<string, { schema: JsonSchema; example: unknown }>
  }
  readonly responses: Readonly<Record<string, Answer>>
}

export interface OpenApi {
  readonly openapi: '3.1.0'
  readonly info: Readonly<Record<string, unknown>>
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: Readonly<{
    schemas: Readonly<Record<string, JsonSchema>>
    parameters: Readonly<Record<string, Parameter>>
    headers: Readonly<Record<string, unknown>>
    securitySchemes: Readonly<Record<string, unknown>>
  }>
}

/** By the first thing that a path names, or the first below the cluster. */
const TAGS = [
  {
    name: 'Clusters',
    of: ['clusters', 'hive', 'tokens', 'join', 'backup', 'restores', 'delete'],
    about: 'Clusters and who joins',
  },
  { name: 'Nodes', of: ['nodes'], about: 'Hosts of a cluster, and how they are fenced' },
  {
    name: 'Groups',
    of: ['groups', 'rules'],
    about: 'What moves together, and rules between groups',
  },
  { name: 'Resources', of: ['resources', 'types'], about: 'What is kept running, and its types' },
  { name: 'Operations', of: ['operations'], about: 'What takes its time: looked at, taken back' },
  { name: 'Configuration', of: ['config'], about: 'A cluster as one document: plan, apply' },
  {
    name: 'Planning',
    of: ['simulate', 'survivability', 'replay', 'timelines'],
    about: 'What would happen, and how it went',
  },
  {
    name: 'Accounts',
    of: ['auth', 'organisations', 'organisation', 'members', 'invitations'],
    about: 'People, how they get in, and where they belong',
  },
  { name: 'Maintenance', of: ['maintenance'], about: 'What is observed only' },
  { name: 'Events', of: ['events', 'log'], about: 'What was committed, and the cluster log' },
  {
    name: 'Monitoring',
    of: ['health', 'metrics', 'healthz', 'usage', 'status-page'],
    about: 'Health, metrics, usage and the public status page',
  },
  { name: 'Keys', of: ['keys', 'whoami'], about: 'API keys of the organisation' },
  {
    name: 'Webhooks',
    of: ['webhooks', 'webhook-events'],
    about: 'Being called when something happens',
  },
  { name: 'Audit', of: ['audit'], about: 'Who has changed what' },
  { name: 'This document', of: ['openapi.json'], about: 'The API described' },
] as const

function tagOf(path: string): string {
  const [first = '', ...rest] = path.split('/').filter((part) => part !== '' && part !== 'v1')
  const below = first === 'clusters' && rest[1] ? rest[1] : first
  const tag = TAGS.find(({ of }) => (of as readonly string[]).includes(below))
  if (!tag) throw new Error(`no tag for ${path}`)
  return tag.name
}

const header = (description: string) => ({ description, schema: { type: 'string' } })
const headers = {
  'X-Request-Id': header('Id of the request: the one in the cluster log and the audit log.'),
  ETag: header('Version of the hive, for `If-Match`.'),
  'Idempotency-Replayed': header('`true`: the answer is that of the first write with this key.'),
}
const parameters: Readonly<Record<string, Parameter>> = {
  RequestId: {
    ...{ name: 'X-Request-Id', in: 'header', required: false },
    description: 'An id of your own for the request; else one is made.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,64}$' },
  },
  IdempotencyKey: {
    ...{ name: 'Idempotency-Key', in: 'header', required: false },
    description:
      'Sent again with the same key within 24 hours, the write is not carried out again.',
    schema: { type: 'string', pattern: '^[\\x21-\\x7e]{8,128}$' },
  },
  IfMatch: {
    ...{ name: 'If-Match', in: 'header', required: false },
    description: 'The ETag of what was read: refused (412) if anything was changed since then.',
    schema: { type: 'string', pattern: '^(\\*|"[0-9]{1,15}")$' },
  },
  DryRun: {
    ...{ name: 'dry_run', in: 'query', required: false },
    description: '`true`: decided like any other write, and nothing is changed or sent.',
    schema: { enum: ['true', 'false'] },
  },
}
const parameter = (name: string) => ({ $ref: `#/components/parameters/${name}` })
const ref = (name: string) => ({ $ref: `#/components/headers/${name}` })

export function openApi(): OpenApi {
  const known = components()
  const paths: Record<string, Record<string, Operation>> = {}
  const add = (method: string, path: string, operation: Operation) => {
    const at = path.replaceAll(/:([a-z]+)/g, '{$1}')
    paths[at] = { ...paths[at], [method.toLowerCase()]: operation }
  }
  for (const [name, route] of Object.entries<Route>(routes))
    add(route.method, route.path, operationOf(name as RouteName, route, known))
  for (const one of streams()) add('GET', one.path, one.operation)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast API',
      version: API_VERSION,
      description:
        'Failover clustering for Linux hosts. Everything that the command `holdfast` does it does by this API.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    // Where the document is served from.
    servers: [{ url: '/' }],
    tags: TAGS.map(({ name, about }) => ({ name, description: about })),
    paths,
    components: {
      ...{ schemas: known.schemas, parameters, headers },
      securitySchemes: {
        apiKey: {
          ...{ type: 'http', scheme: 'bearer', bearerFormat: 'hfk_… or hfs_…' },
          description:
            'An API key (`holdfast key create NAME --scope ROLE[:CLUSTER]`), or the session of a person (`logIn`)',
        },
      },
    },
  }
}

const NEEDS: Readonly<Record<Access, string>> = {
  read: 'Needs scope `read`',
  operate: 'Needs scope `operate`',
  admin: 'Needs scope `admin`',
  anyKey: 'Needs any valid key, or the session of a member.',
  person: 'Needs the session of a person; keys are refused.',
  joinToken: 'Needs the join token in its body, and no key.',
  anyone: 'Needs no key.',
}

function needs(access: Access, path: string): string {
  if (access !== 'read' && access !== 'operate' && access !== 'admin') return NEEDS[access]
  const where = path.includes(':cluster') ? 'in this cluster' : 'in the whole organisation'
  return `${NEEDS[access]} ${where}.`
}

const securityOf = (access: Access) =>
  access === 'anyone' || access === 'joinToken' ? [] : [{ apiKey: [] }]

function operationOf(name: RouteName, route: Route, known: Components): Operation {
  const { access, path, body, query, summary, status = 200, produces } = route
  const isWrite = writes(name)
  const hasKey = takesIdempotencyKey(name)
  const canBeTried = isWrite && route.noDryRun === undefined
  const type = produces?.split(';')[0] ?? 'application/json'
  const isText = type !== 'application/json'
  const schema = produces ? { type: isText ? 'string' : 'object' } : refTo(known.response(name))
  return {
    operationId: name,
    summary,
    description: needs(access, path),
    tags: [tagOf(path)],
    'x-access': access,
    security: securityOf(access),
    parameters: [
      ...pathParameters(path),
      ...(query ? queryParameters(schemaOf(query)) : []),
      parameter('RequestId'),
      ...(hasKey ? [parameter('IdempotencyKey')] : []),
      ...(writesHive(name) ? [parameter('IfMatch')] : []),
      ...(canBeTried ? [parameter('DryRun')] : []),
      ...(name === 'listEvents' ? [lastEventId] : []),
    ],
    ...(body && {
      requestBody: {
        required: body.safeParse({}).success === false,
        content: {
          'application/json': {
            schema: refTo(known.body(name)),
            example: EXAMPLES[name as keyof typeof EXAMPLES],
          },
        },
      },
    }),
    responses: {
      [status]: {
        description: status === 202 ? 'Accepted: it goes on under the id in `operation`.' : 'Done.',
        headers: {
          'X-Request-Id': ref('X-Request-Id'),
          ...((route.versioned || writesHive(name)) && { ETag: ref('ETag') }),
          ...(hasKey && { 'Idempotency-Replayed': ref('Idempotency-Replayed') }),
        },
        content: {
          [type]: { schema: canBeTried && status === 200 ? orTried(schema) : schema },
          ...(name === 'listEvents' && { [SSE]: { schema: { type: 'string' } } }),
        },
      },
      ...(canBeTried && status !== 200 && { 200: TRIED }),
      ...problems(errorsOf(name)),
    },
  }
}

/** With `dry_run`: what would be changed. */
const orTried = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, refTo('DryRun')] })
const TRIED: Answer = {
  description: 'With `dry_run`: what would be changed.',
  content: { 'application/json': { schema: refTo('DryRun') } },
}

/** What is held open, and no call of the client; what they tell is in docs/api.md. */
function streams(): { path: string; operation: Operation }[] {
  const events = { [SSE]: { schema: { type: 'string' } } }
  const stream = (
    path: string,
    {
      operationId,
      summary,
      given,
    }: Pick<Operation, 'operationId' | 'summary'> & { given: Parameter[] },
    answers: Record<string, Answer>,
  ): { path: string; operation: Operation } => ({
    path,
    operation: {
      ...{ operationId, summary, description: needs(streamAccess, path), tags: [tagOf(path)] },
      ...{ 'x-access': streamAccess, 'x-stream': true, security: securityOf(streamAccess) },
      parameters: [...pathParameters(path), ...given, parameter('RequestId')],
      responses: { ...answers, ...problems(STREAM_ERRORS) },
    },
  })
  return [
    stream(
      streamPath,
      {
        operationId: 'streamEvents',
        summary: 'WebSocket: what is committed, as it comes',
        given: queryParameters(schemaOf(streamQuery)),
      },
      { '101': { description: 'The stream is open: one JSON object a frame.' } },
    ),
    stream(
      operationStreamPath,
      {
        operationId: 'watchOperation',
        summary: 'Server-sent events: the operation whenever it looks different, until it is over',
        given: [lastEventId],
      },
      {
        '200': {
          description: 'Events named `operation`, with the operation as data.',
          content: events,
        },
        '204': { description: 'It is over, and whoever asks has been told.' },
      },
    ),
  ]
}

const SSE = 'text/event-stream'
const STREAM_ERRORS = [
  ...(['BAD_REQUEST', 'UNAUTHENTICATED', 'FORBIDDEN', 'NOT_FOUND', 'LIMIT_REACHED'] as const),
  ...(['INTERNAL', 'UNAVAILABLE'] as const),
]
const lastEventId: Parameter = {
  ...{ name: 'Last-Event-ID', in: 'header', required: false },
  description: 'With server-sent events: the id of the last event that was seen.',
  schema: { type: 'string', maxLength: 64 },
}

function pathParameters(path: string): Parameter[] {
  return [...path.matchAll(/:([a-z]+)/g)].map(([, name = '']) => ({
    ...{ name, in: 'path' as const, required: true },
    description: name === 'operation' ? 'Id of the operation.' : `Name or GUID of the ${name}.`,
    schema: { type: 'string', minLength: 1, maxLength: LIMITS.nameLengthMax },
  }))
}

function queryParameters({ properties = {}, required = [] }: JsonSchema): Parameter[] {
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    ...{ name, in: 'query' as const, required: required.includes(name), schema },
    ...(description && { description }),
  }))
}

/** By status: a problem (RFC 9457) whose `code` is one of these. */
function problems(codes: readonly ErrorCode[]): Record<string, Answer> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) {
    const { http } = ERRORS[code]
    byStatus.set(http, [...(byStatus.get(http) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      String(status),
      {
        description: same
          .map((code) => `[${code}](${errorPage(code)}): ${ERRORS[code].title}`)
          .join('; '),
        headers: { 'X-Request-Id': ref('X-Request-Id') },
        content: {
          'application/problem+json': {
            schema: { ...refTo('Problem'), properties: { code: { enum: same } } },
          },
        },
      },
    ]),
  )
}
