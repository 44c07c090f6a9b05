/** What can be set and to what, read from the schemas: `holdfast explain`, `describe type`. */
import * as z from 'zod'
import {
  DEFAULT_FAILOVER_PERIOD_MS,
  DEFAULT_RESTART,
  RESOURCE_TYPES,
} from '../resource-types/index.ts'
import { createCluster, createGroup, createResource, createToken } from './bodies.ts'

export interface FieldInfo {
  readonly name: string
  /** In words, e.g. `whole number`, `one of a, b`, `list of text`. */
  readonly type: string
  /** Bounds in words; empty when there are none. */
  readonly bounds: string
  readonly required: boolean
  /** As JSON; undefined when there is none. */
  readonly default: string | undefined
  readonly description: string
  readonly fields: readonly FieldInfo[]
}

interface JsonSchema {
  type?: string | string[]
  description?: string
  default?: unknown
  enum?: unknown[]
  const?: unknown
  anyOf?: JsonSchema[]
  items?: JsonSchema
  properties?: Record<string, JsonSchema>
  additionalProperties?: JsonSchema | boolean
  required?: string[]
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  maxItems?: number
  pattern?: string
}

interface Topic {
  readonly about: string
  readonly schema: z.ZodType
  /** Values that the cluster puts in where nothing is said. */
  readonly defaults?: Record<string, unknown>
}

const TOPICS: ReadonlyMap<string, Topic> = new Map<string, Topic>([
  ['cluster', { about: 'a cluster, when it is formed', schema: createCluster }],
  ['token', { about: 'a join token', schema: createToken }],
  [
    'group',
    {
      about: 'resources that live together on one node',
      schema: createGroup,
      defaults: { failoverPeriodMs: DEFAULT_FAILOVER_PERIOD_MS },
    },
  ],
  [
    'resource',
    {
      about: 'one process, virtual machine or other thing that is kept up',
      schema: createResource,
      defaults: {
        restart: DEFAULT_RESTART,
        poll: RESOURCE_TYPES.get('process')?.poll,
        separateMonitor: false,
      },
    },
  ],
  ...[...RESOURCE_TYPES.values()].map((info): [string, Topic] => [
    info.type,
    { about: `properties of type ${info.type}: ${info.title}`, schema: info.properties },
  ]),
])

/** Everything that can be asked about, with what it is. */
export const topics = (): { name: string; about: string }[] =>
  [...TOPICS].map(([name, { about }]) => ({ name, about }))

/**
 * A topic or a field of one: `group`, `group.failoverThreshold`, `resource.restart.attempts`,
 * `process.command`.
 *
 * @returns the names that there are at the place where it is not found
 */
export function explainField(path: readonly string[]): FieldInfo | { known: string[] } {
  const [name = '', ...rest] = path
  const topic = TOPICS.get(name)
  if (!topic) return { known: [...TOPICS.keys()] }
  let found: FieldInfo = {
    name,
    type: 'record',
    bounds: '',
    required: true,
    default: undefined,
    description: topic.about,
    fields: fieldsOf(toJson(topic.schema), topic.defaults),
  }
  for (const part of rest) {
    const next = found.fields.find((field) => field.name === part)
    if (!next) return { known: found.fields.map((field) => field.name) }
    found = next
  }
  return found
}

/** Fields of a JSON Schema as the API publishes it. */
export function typeFields(schema: unknown): FieldInfo[] {
  return fieldsOf(schema as JsonSchema)
}

const toJson = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema

function fieldsOf(schema: JsonSchema, defaults: Record<string, unknown> = {}): FieldInfo[] {
  return Object.entries(schema.properties ?? {}).map(([name, one]) => {
    const below = defaults[name]
    const nested = typeof below === 'object' && below !== null && one.properties
    const value = one.default ?? (nested ? undefined : below)
    return {
      name,
      type: typeOf(one),
      bounds: boundsOf(one),
      required: schema.required?.includes(name) ?? false,
      default: value === undefined ? undefined : JSON.stringify(value),
      description: one.description ?? '',
      fields: fieldsOf(one, nested ? (below as Record<string, unknown>) : {}),
    }
  })
}

function typeOf(one: JsonSchema): string {
  if (one.enum) return `one of ${one.enum.join(', ')}`
  if (one.const !== undefined) return JSON.stringify(one.const)
  if (one.anyOf) return [...new Set(one.anyOf.map(typeOf))].join(' or ')
  if (Array.isArray(one.type)) return one.type.map((type) => typeOf({ ...one, type })).join(' or ')
  switch (one.type) {
    case 'integer':
      return 'whole number'
    case 'string':
      return 'text'
    case 'array':
      return `list of ${one.items ? typeOf(one.items) : 'anything'}`
    case 'object':
      return 'record'
    case 'boolean':
      return 'true or false'
    default:
      return one.type ?? 'anything'
  }
}

function boundsOf(one: JsonSchema): string {
  const inner = one.anyOf?.find((part) => part.type !== 'null') ?? one
  const { minimum, maximum, minLength, maxLength, maxItems, pattern } = inner
  const said: string[] = []
  if (minimum !== undefined && maximum !== undefined) said.push(`${minimum} to ${maximum}`)
  else if (minimum !== undefined) said.push(`at least ${minimum}`)
  if (minLength) said.push(`at least ${minLength} characters`)
  if (maxLength !== undefined) said.push(`at most ${maxLength} characters`)
  if (maxItems !== undefined) said.push(`at most ${maxItems} of them`)
  if (pattern !== undefined) said.push(`like ${pattern}`)
  return said.join(', ')
}
