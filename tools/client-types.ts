/** index.d.ts of `@holdfast/client`: plain types, made from the OpenAPI document. */
import { type OpenApi, type Operation, openApi } from '../schema/api/openapi.ts'
import type { JsonSchema } from '../schema/api/openapi-schemas.ts'
import { ERRORS } from '../schema/errors.ts'

export function renderClientTypes(document: OpenApi = openApi()): string {
  const operations = Object.values(document.paths)
    .flatMap((methods) => Object.values(methods))
    // Streams are opened with what the platform has for that.
    .filter((one) => !one['x-stream'])
  const schemas = Object.entries(document.components.schemas).map(
    ([name, schema]) => `export type ${name} = ${typeOf(schema)}\n`,
  )
  const codes = Object.keys(ERRORS).map((code) => `'${code}'`)
  return [
    HEAD,
    `export type ErrorCode = ${codes.join(' | ')}\n`,
    `/** Every call of the API: what it takes and what it answers. */\nexport interface Operations {\n${operations.map(operationOf).join('\n')}\n}\n`,
    ...schemas,
  ].join('\n')
}

const HEAD = `/** Made from the route table of the control plane. */
export interface ClientOptions {
  /** Base address of the control plane, e.g. \`http://127.0.0.1:8787\`. */
  readonly url: string
  /** API key (\`hfk_…\`); none for \`join\`, \`health\` and \`openapi\`. */
  readonly key?: string | undefined
  readonly fetch?: typeof globalThis.fetch | undefined
  /** A call that takes longer is given up; default 30 s (long polls add their wait). */
  readonly timeoutMs?: number | undefined
}

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

export type OperationName = keyof Operations

/** What has to be given has to be given: the input may be left out where nothing has. */
export type Input<N extends OperationName> = Operations[N]['input'] & {
  signal?: AbortSignal
  /** Of a write about a cluster: only if its hive is still at this update (seq). */
  ifMatch?: number
}
export type Answer<N extends OperationName> = Operations[N]['answer']

export type Client = <N extends OperationName>(
  name: N,
  ...input: {} extends Input<N> ? [input?: Input<N>] : [input: Input<N>]
) => Promise<Answer<N>>

/** Its calls throw a HoldfastError when the control plane refuses, or cannot be reached (UNAVAILABLE). */
export declare function createClient(options: ClientOptions): Client

/** A write that is only tried: the same checks and decision, and nothing is changed. */
export declare function dryRunOf<N extends OperationName>(
  options: ClientOptions,
  name: N,
  input?: Input<N>,
): Promise<DryRun>

export interface Refusal {
  readonly code: ErrorCode
  readonly message: string
  readonly why?: string | undefined
  readonly remedy?: string | undefined
  /** Id of the request at the control plane. */
  readonly request?: string | undefined
  /** JSON pointers into the request, where it is at fault. */
  readonly errors?: readonly { readonly pointer: string; readonly message: string }[] | undefined
}

export declare class HoldfastError extends Error {
  readonly refusal: Refusal
}
`

function operationOf({ operationId, summary, parameters, requestBody, responses }: Operation) {
  const given = parameters.flatMap((one) => ('in' in one ? [one] : []))
  const record = (where: 'path' | 'query') => {
    const all = given.filter((one) => one.in === where)
    const fields = all.map((one) => {
      const optional = one.required ? '' : '?'
      return `${key(one.name)}${optional}: ${where === 'path' ? 'string' : typeOf(one.schema)}`
    })
    return { fields: fields.join('; '), needed: all.some((one) => one.required) }
  }
  const [params, query] = [record('path'), record('query')]
  const body = requestBody?.content['application/json']?.schema
  const parts = [
    ...(params.fields ? [`params: { ${params.fields} }`] : []),
    ...(query.fields ? [`query${query.needed ? '' : '?'}: { ${query.fields} }`] : []),
    ...(body ? [`body${requestBody?.required ? '' : '?'}: ${typeOf(body)}`] : []),
  ]
  // Of a write that is done: a dry run is no call of the client.
  const [, done] = Object.entries(responses).findLast(([status]) => status.startsWith('2')) ?? []
  const [type, answer] = Object.entries(done?.content ?? {})[0] ?? []
  const schema = answer?.schema.anyOf?.[0] ?? answer?.schema
  const isText = type !== 'application/json' || schema?.$ref === undefined
  const told = isText ? 'string' : typeOf(schema)
  return `  /** ${summary}. */\n  ${operationId}: { input: { ${parts.join('; ')} }; answer: ${told} }`
}

/** A JSON Schema as a type. What it cannot say (bounds, patterns) the control plane checks. */
export function typeOf(schema: JsonSchema): string {
  if (schema.$ref) return schema.$ref.split('/').at(-1) ?? 'unknown'
  if ('const' in schema) return JSON.stringify(schema['const'])
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(' | ')
  const some = schema.anyOf ?? (schema['oneOf'] as JsonSchema[] | undefined)
  if (some) return union(some.map(typeOf))
  const all = schema['allOf'] as JsonSchema[] | undefined
  if (all) return all.map(typeOf).join(' & ')
  if (Array.isArray(schema.type))
    return union(schema.type.map((type) => typeOf({ ...schema, type })))
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type
    case 'integer':
    case 'number':
      return 'number'
    case 'array':
      return `(${typeOf(schema.items ?? {})})[]`
    case 'object':
      return objectOf(schema)
    default:
      return 'Json'
  }
}

const union = (types: readonly string[]): string => [...new Set(types)].join(' | ')

function objectOf({ properties, required = [], additionalProperties: rest }: JsonSchema): string {
  if (!properties) return `Record<string, ${typeof rest === 'object' ? typeOf(rest) : 'Json'}>`
  const fields = Object.entries(properties).map(([name, schema]) => {
    const optional = required.includes(name) ? '' : '?'
    const about = schema.description ? `/** ${schema.description.replaceAll('*/', '* /')} */ ` : ''
    return `${about}${key(name)}${optional}: ${typeOf(schema)}`
  })
  return `{ ${fields.join('; ')} }`
}

const key = (name: string): string => (/^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name))
