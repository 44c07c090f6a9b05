/** The XML of Pacemaker's configuration (CIB), as far as it says something about resources. */
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { HoldfastError } from '../../schema/errors.ts'

/** An element: its attributes, and what is in it by name. */
export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly Element[]
}

const ATTRIBUTES = ':@'

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseAttributeValue: false,
  parseTagValue: false,
  // What it says comes from its attributes alone, and no entity is needed for these.
  processEntities: true,
})

/** @throws {HoldfastError} BAD_REQUEST: it is no XML, or no CIB */
export function parseCib(text: string, file: string): Element {
  if (/<!DOCTYPE/i.test(text)) throw bad(`${file}: it declares a document type of its own`)
  const checked = XMLValidator.validate(text)
  if (checked !== true) {
    const { line, col, msg } = checked.err
    throw bad(`${file}:${line}:${col}: ${msg}`)
  }
  const cib = elementsOf(parser.parse(text) as unknown[]).find((one) => one.name === 'cib')
  const configuration = cib && child(cib, 'configuration')
  if (!configuration) throw bad(`${file}: there is no <cib> with a <configuration> in it`)
  return configuration
}

const bad = (message: string) =>
  new HoldfastError({
    code: 'BAD_REQUEST',
    message,
    remedy: 'Write it anew on a host of the old cluster: cibadmin --query > cib.xml',
  })

function elementsOf(raw: readonly unknown[]): Element[] {
  return raw.flatMap((item) => {
    const { [ATTRIBUTES]: attributes = {}, ...rest } = item as Record<string, unknown>
    const [name] = Object.keys(rest)
    const inside = name === undefined ? undefined : rest[name]
    if (name === undefined || name.startsWith('?') || !Array.isArray(inside)) return []
    return [
      { name, attributes: attributes as Record<string, string>, children: elementsOf(inside) },
    ]
  })
}

export const child = (of: Element, name: string): Element | undefined =>
  of.children.find((one) => one.name === name)

export const childrenOf = (of: Element | undefined, name: string): readonly Element[] =>
  of?.children.filter((one) => one.name === name) ?? []

/** Name → value of every set of this kind, the first one that has a name wins. */
export function pairs(of: Element, kind: string): Map<string, string> {
  const out = new Map<string, string>()
  for (const set of childrenOf(of, kind))
    for (const { attributes } of childrenOf(set, 'nvpair')) {
      const { name, value } = attributes
      if (name !== undefined && value !== undefined && !out.has(name)) out.set(name, value)
    }
  return out
}
