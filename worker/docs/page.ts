/**
 * The API to read: one page made from the OpenAPI document, in plain HTML. No script and nothing from
 * elsewhere, so that its Content-Security-Policy can forbid both.
 */
import type { OpenApi, Operation, Parameter } from '../../schema/api/openapi.ts'
import type { JsonSchema } from '../../schema/api/openapi-schemas.ts'
import { fieldRows, linked, typeOf } from './fields.ts'
import { code, el, escaped, type Html, html, table } from './html.ts'

export function docsPage(document: OpenApi): string {
  const all = operationsOf(document)
  const { title, version, description } = document.info as Record<string, string>
  const ofTag = (tag: string) => all.filter((one) => one.operation.tags.includes(tag))
  const areas = document.tags.map(
    ({ name, description: about }) =>
      html`<section>${el('h2', { id: anchor(name) }, name)}${el('p', {}, about)}${ofTag(name).map(
        (one) => section(document, one),
      )}</section>`,
  )
  const body = html`<nav aria-label="Areas">${document.tags.map(({ name }) => navOf(name, ofTag(name)))}<p><a href="#schemas">Schemas</a></p></nav>
<main>
<h1>${title} ${el('small', {}, version ?? '')}</h1>
<p>${description} The document that this page is made from: <a href="/v1/openapi.json">openapi.json</a>.</p>
${intro}
${areas}
<section><h2 id="schemas">Schemas</h2>${Object.entries(document.components.schemas).map(schemaSection)}</section>
</main>`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title ?? '').text}</title><link rel="stylesheet" href="/docs/style.css"></head>
<body>${body.text}</body></html>
`
}

interface Placed {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

const operationsOf = ({ paths }: OpenApi): Placed[] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...{ method: method.toUpperCase(), path, operation },
    })),
  )

const anchor = (name: string) => name.toLowerCase().replaceAll(/\W+/g, '-')

const intro = html`<p>Send an API key as <code>Authorization: Bearer hfk_…</code>. The examples take it and the address of the control plane from the environment:</p>
<pre><code>export HOLDFAST_URL=https://… HOLDFAST_API_KEY=hfk_…</code></pre>
<p>Bodies and answers are JSON; a field that is not known is refused. Answers may get more fields in time. Every error is
<code>application/problem+json</code> with a <code>code</code> that has a page of its own.</p>`

const navOf = (tag: string, all: readonly Placed[]): Html =>
  html`<p>${link(`#${anchor(tag)}`, tag)}</p><ul>${all.map(
    ({ operation }) => html`<li>${link(`#${operation.operationId}`, operation.operationId)}</li>`,
  )}</ul>`

const link = (href: string, text: string) => el('a', { href }, text)

function section(document: OpenApi, { method, path, operation }: Placed): Html {
  const { operationId, summary, description, parameters, requestBody, responses } = operation
  const body = requestBody?.content['application/json']
  const given = parameters.map((one) => ('$ref' in one ? shared(document, one.$ref) : one))
  return html`<article>${el('h3', { id: operationId }, html`${code(`${method} ${path}`)} ${link(`#${operationId}`, operationId)}`)}
<p>${summary}. <em>${description}</em></p>
${table(['Parameter', 'In', 'Type', ''], given.map(parameterRow))}
${body && html`<h4>Body</h4><p>${linked(body.schema)}</p>${fieldsOf(document, body.schema)}`}
<h4>Example</h4><pre><code>${curl(method, path, operation, body?.example)}</code></pre>
<h4>Answers</h4>
${table(
  ['Status', 'What', ''],
  Object.entries(responses).map(([status, answer]) => answerRow(status, answer)),
)}
</article>`
}

const shared = ({ components }: OpenApi, ref: string): Parameter =>
  components.parameters[ref.split('/').at(-1) ?? ''] as Parameter

const parameterRow = ({ name, in: where, required, schema, description = '' }: Parameter) => [
  ...[code(name), escaped(where), typeOf(schema)],
  html`${required ? 'required. ' : ''}${description}`,
]

function fieldsOf({ components }: OpenApi, schema: JsonSchema): Html {
  const named = components.schemas[schema.$ref?.split('/').at(-1) ?? ''] ?? schema
  return table(['Field', 'Type', ''], fieldRows(named))
}

function answerRow(status: string, { description, content = {} }: Operation['responses'][string]) {
  const [[type, { schema }] = ['', { schema: {} }]] = Object.entries(content)
  const codes = type === 'application/problem+json' ? codesOf(description) : null
  const what = codes ?? html`${description} ${type && html`${code(type)} `}${linked(schema)}`
  return [escaped(status), what]
}

/** `[CODE](page): title; …` as links. */
const codesOf = (description: string): Html =>
  html`<ul>${[...description.matchAll(/\[(\w+)\]\(([^)]+)\): ([^;]+)/g)].map(
    ([, name = '', page = '', title = '']) => html`<li>${link(page, name)} ${title}</li>`,
  )}</ul>`

const schemaSection = ([id, schema]: [string, JsonSchema]): Html =>
  html`<article>${el('h3', { id: `schema-${id}` }, id)}${
    schema.properties
      ? table(['Field', 'Type', ''], fieldRows(schema))
      : el('p', {}, typeOf(schema))
  }</article>`

/** Values of the path as they are in the examples of bodies. */
const THINGS: Readonly<Record<string, string>> = {
  ...{ cluster: 'prod', node: 'n1', group: 'web', resource: 'web-server', rule: 'apart' },
  ...{ key: 'ci', webhook: 'pager', operation: 'u42' },
}

export function curl(method: string, path: string, operation: Operation, example: unknown): string {
  const at = path.replaceAll(/\{([a-z]+)\}/g, (_, name: string) => THINGS[name] ?? name)
  const lines = [`curl${method === 'GET' ? '' : ` -X ${method}`} "$HOLDFAST_URL${at}"`]
  if (operation.security.length > 0) lines.push('-H "Authorization: Bearer $HOLDFAST_API_KEY"')
  if (operation.parameters.some((one) => '$ref' in one && one.$ref.endsWith('IdempotencyKey')))
    lines.push('-H "Idempotency-Key: $(uuidgen)"')
  if (example !== undefined) lines.push(`-d '${JSON.stringify(example)}'`)
  return lines.join(' \\\n  ')
}
