/** `docs/resource-types/`: what each type takes, from its schema. Made, not written. */
import { type FieldInfo, typeFields } from '../schema/api/fields.ts'
import { jsonSchemaOf, RESOURCE_TYPES, type TypeInfo } from '../schema/resource-types/index.ts'
import { writePages } from './pages.ts'

const NOTE = '<!-- Made from schema/resource-types/ by `npm run docs`. -->'
const NO_TYPES = new Map()

/** File name in `docs/resource-types/` → its text. */
export function typePages(): Map<string, string> {
  const pages = [...RESOURCE_TYPES.values()].map((info): [string, string] => [
    `${info.type}.md`,
    page(info),
  ])
  return new Map([['README.md', list()], ...pages])
}

export const writeTypePages = (): void => writePages('docs/resource-types', typePages())

function page(info: TypeInfo): string {
  const { type, title, host, poll, startsNothing } = info
  const rows = rowsOf(typeFields(jsonSchemaOf(NO_TYPES, info)), '')
  const starts = startsNothing ? 'starts nothing' : 'has the guard start something'
  return `${NOTE}
# ${type}

${title}. Hosted by \`${host}\`; it ${starts}. What it does with all this, and what the host policy has to say:
[resource types](../resource-types.md#${type}).

    holdfast resource create NAME --group GROUP --type ${type} --prop PROPERTY=VALUE

| property | is | bounds | default | |
|---|---|---|---|---|
${rows.join('\n')}

| interval | milliseconds |
|---|---|
${Object.entries(poll)
  .map(([name, ms]) => `| \`${name}\` | ${ms} |`)
  .join('\n')}

[All types](README.md)
`
}

function rowsOf(fields: readonly FieldInfo[], above: string): string[] {
  return fields.flatMap((field) => {
    const name = `${above}${field.name}`
    const value = field.default === undefined ? (field.required ? 'required' : '–') : field.default
    const bounds = field.bounds.replace(/like (.*)$/, (_, pattern) => `like \`${pattern}\``)
    const cells = [`\`${name}\``, field.type, bounds, code(value), field.description]
    const row = `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
    return [row, ...rowsOf(field.fields, `${name}.`)]
  })
}

const code = (value: string) => (/^[a-z–]+$/.test(value) ? value : `\`${value}\``)

function list(): string {
  const rows = [...RESOURCE_TYPES.values()].map(
    ({ type, title, host }) => `| [${type}](${type}.md) | ${title} | \`${host}\` |`,
  )
  return `${NOTE}
# Resource types

What comes with the probe. [How they work](../resource-types.md), and [how to write one](../write-a-module.md).
The same as a command, with who hosts what: \`holdfast resource types\`.

| type | a resource of it is | hosted by |
|---|---|---|
${rows.join('\n')}
`
}
