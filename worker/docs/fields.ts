/** Fields of a schema as rows of a table. */
import type { JsonSchema } from '../../schema/api/openapi-schemas.ts'
import { code, el, type Html, html } from './html.ts'

/** Fields of fields follow theirs: `restart.attempts`. What has a name is linked instead. */
export function fieldRows({ properties = {}, required = [] }: JsonSchema, above = ''): Html[][] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const path = `${above}${name}`
    const below = schema.properties ? fieldRows(schema, `${path}.`) : []
    const items = schema.items?.properties ? fieldRows(schema.items, `${path}[].`) : []
    const needed = required.includes(name) && schema['default'] === undefined
    const about = html`${needed && 'required. '}${bounds(schema)}${schema.description ?? ''}`
    return [[code(path), typeOf(schema), about], ...below, ...items]
  })
}

export function typeOf(schema: JsonSchema): Html {
  if (schema.$ref) return linked(schema)
  if ('const' in schema) return code(JSON.stringify(schema['const']))
  if (schema.enum) return joined(schema.enum.map((one) => code(JSON.stringify(one))))
  const some = schema.anyOf ?? (schema['oneOf'] as JsonSchema[] | undefined)
  if (some) return joined(some.map(typeOf))
  if (schema.type === 'array') return html`array of ${typeOf(schema.items ?? {})}`
  if (Array.isArray(schema.type)) return html`${schema.type.join(' or ')}`
  if (schema.type !== 'object' || schema.properties) return html`${schema.type ?? 'any JSON'}`
  const values = schema.additionalProperties
  return typeof values === 'object' ? html`object of ${typeOf(values)}` : html`object`
}

/** The schema by its name, with a link to it; nothing where it has none. */
export function linked({ $ref }: JsonSchema): Html {
  const id = $ref?.split('/').at(-1)
  return id === undefined ? html`` : el('a', { href: `#schema-${id}` }, id)
}

const joined = (all: readonly Html[]): Html => html`${all.map((one, n) => [n > 0 && ' or ', one])}`

function bounds(schema: JsonSchema): Html {
  const inner = schema.anyOf?.find((one) => one.type !== 'null') ?? schema
  const said = [
    ...(inner['minimum'] === undefined ? [] : [`at least ${inner['minimum']}`]),
    ...(inner['maximum'] === undefined ? [] : [`at most ${inner['maximum']}`]),
    ...(inner['maxLength'] === undefined ? [] : [`at most ${inner['maxLength']} characters`]),
    ...(inner['maxItems'] === undefined ? [] : [`at most ${inner['maxItems']} of them`]),
  ]
  const byDefault =
    schema['default'] !== undefined && html`default ${code(JSON.stringify(schema['default']))}. `
  return html`${said.length > 0 && `${said.join(', ')}. `}${byDefault}`
}
