/** The schemas of all bodies and answers as JSON Schema, each once, under `components/schemas`. */
import * as z from 'zod'
import * as audit from './audit.ts'
import * as bodies from './bodies.ts'
import * as config from './config.ts'
import * as fencing from './fencing.ts'
import * as health from './health.ts'
import * as keys from './keys.ts'
import * as maintenance from './maintenance.ts'
import * as management from './management.ts'
import * as operations from './operations.ts'
import * as placement from './placement.ts'
import * as replay from './replay.ts'
import type { Route } from './route.ts'
import { routes } from './routes.ts'
import * as simulate from './simulate.ts'
import * as timeline from './timeline.ts'
import * as types from './types.ts'
import * as webhooks from './webhooks.ts'
import * as why from './why.ts'

export interface JsonSchema {
  [key: string]: unknown
  $ref?: string
  type?: string | string[]
  description?: string
  properties?: Record<string, JsonSchema>
  required?: string[]
  items?: JsonSchema
  anyOf?: JsonSchema[]
  enum?: unknown[]
  additionalProperties?: JsonSchema | boolean
}

const NAMED: Readonly<Record<string, unknown>> = {
  ...{ ...audit, ...bodies, ...config, ...fencing, ...health, ...keys, ...maintenance },
  ...{ ...management, ...operations, ...placement, ...replay, ...simulate, ...timeline },
  ...{ ...types, ...webhooks, ...why },
}

const AT = '#/components/schemas/'
const pascal = (name: string) => name.charAt(0).toUpperCase() + name.slice(1)
export const refTo = (id: string): JsonSchema => ({ $ref: `${AT}${id}` })

type Io = 'input' | 'output'

export interface Components {
  readonly schemas: Readonly<Record<string, JsonSchema>>
  /** Ids of what a route takes and gives. */
  body(name: string): string
  response(name: string): string
}

/** Bodies as they are sent, answers as they come: a default is optional in the one, there in the other. */
export function components(): Components {
  const table = Object.entries<Route>(routes)
  const made = { input: registry(), output: registry() }
  const idOf = (io: Io, schema: z.ZodType, id: string) => {
    if (!made[io].has(schema)) made[io].add(schema, { id })
    return (made[io].get(schema) as { id: string }).id
  }
  const bodyIds = table.flatMap(([name, { body }]) =>
    body ? [[name, idOf('input', body, `${pascal(name)}Body`)] as const] : [],
  )
  const responseIds = table.flatMap(([name, { response, produces }]) =>
    produces ? [] : [[name, idOf('output', response, `${pascal(name)}Answer`)] as const],
  )
  idOf('output', bodies.problem, 'Problem')
  idOf('output', audit.dryRun, 'DryRun')
  const sent = reachable(schemasOf(made.input, 'input'), new Set(bodyIds.map(([, id]) => id)))
  const given = reachable(
    schemasOf(made.output, 'output'),
    new Set([...responseIds.map(([, id]) => id), 'Problem', 'DryRun']),
  )
  const other = Object.keys(sent).filter(
    (id) => given[id] && JSON.stringify(given[id]) !== JSON.stringify(sent[id]),
  )
  if (other.length > 0) throw new Error(`sent otherwise than given: ${other.join(', ')}`)
  const [asBody, asAnswer] = [new Map(bodyIds), new Map(responseIds)]
  return {
    schemas: sorted({ ...given, ...sent }),
    body: (name) => asBody.get(name as never) as string,
    response: (name) => asAnswer.get(name as never) as string,
  }
}

function registry() {
  const made = z.registry<{ id: string }>()
  for (const [name, one] of Object.entries(NAMED))
    if (isNamed(one) && !made.has(one)) made.add(one, { id: pascal(name) })
  return made
}

/** What has fields or a list of values is told once, by its name; text and numbers where they are. */
const isNamed = (one: unknown): one is z.ZodType =>
  one instanceof z.ZodObject || one instanceof z.ZodEnum || one instanceof z.ZodUnion

function schemasOf(from: ReturnType<typeof registry>, io: Io): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(from, {
    ...{ io, unrepresentable: 'any', uri: (id) => AT + id },
    // Any JSON: what it is made of tells nobody anything.
    override({ zodSchema, jsonSchema }) {
      if (zodSchema._zod.def.type !== 'lazy') return
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key]
    },
  })
  return Object.fromEntries(
    Object.entries(schemas).map(([id, one]) => [id, tidied(one as JsonSchema, io)]),
  )
}

/** A schema of its own, for parameters. */
export const schemaOf = (schema: z.ZodType): JsonSchema =>
  tidied(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, 'input')

/** Without what says nothing. Answers may get more fields, so nothing is said against others. */
function tidied<T>(schema: T, io: Io): T {
  if (Array.isArray(schema)) return schema.map((one) => tidied(one, io)) as T
  if (typeof schema !== 'object' || schema === null) return schema
  const found = schema as JsonSchema
  if (found.$ref?.startsWith(`${AT}__shared`)) return {} as T
  return Object.fromEntries(
    Object.entries(found)
      .filter(([key, value]) => !saysNothing(key, value, io))
      .map(([key, value]) => [key, tidied(value, io)]),
  ) as T
}

function saysNothing(key: string, value: unknown, io: Io): boolean {
  if (key === '$schema' || key === '$id') return true
  if (key === 'maximum') return value === Number.MAX_SAFE_INTEGER
  if (key === 'minimum') return value === Number.MIN_SAFE_INTEGER
  if (key === 'additionalProperties') return value === false && io === 'output'
  return key === 'propertyNames' && JSON.stringify(value) === '{"type":"string"}'
}

function reachable(all: Record<string, JsonSchema>, from: ReadonlySet<string>) {
  const found = new Set<string>()
  const visit = (id: string): void => {
    const schema = all[id]
    if (!schema || found.has(id)) return
    found.add(id)
    for (const [, ref = ''] of JSON.stringify(schema).matchAll(/"#\/components\/schemas\/(\w+)"/g))
      visit(ref)
  }
  for (const id of from) visit(id)
  return Object.fromEntries([...found].map((id) => [id, all[id] as JsonSchema]))
}

const sorted = <T>(record: Record<string, T>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
