/**
 * XML as text with places. What is read is read from the places, and an edit replaces them and nothing
 * else: comments, what is not understood, and the order and form of the rest stay as they were.
 */
import { XMLValidator } from 'fast-xml-parser'
import { SettingsError } from '../extension.ts'

interface Span {
  readonly start: number
  readonly end: number
}

interface Attribute extends Span {
  /** Decoded. */
  readonly value: string
  /** Between the quotes. */
  readonly inner: Span
}

export interface Element extends Span {
  readonly name: string
  readonly attributes: ReadonlyMap<string, Attribute>
  readonly children: Element[]
  /** Its own text, without comments; CDATA counts as text. */
  readonly texts: (Span & { readonly value: string })[]
  /** Behind the start tag. */
  readonly openEnd: number
  /** Where the end tag begins; `openEnd` of an empty-element tag. */
  closeStart: number
  readonly empty: boolean
  end: number
}

/** One thing of the text at a time: `<a b="c>">`, `</a>`, `<!-- -->`, `<![CDATA[ ]]>`, `<? ?>`, text. */
const TOKENS =
  /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<\/([^\s>]+)\s*>|<([^\s/>!?]+)((?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|[^<]+/y
const ATTRIBUTES = /\s+([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g

export class XmlText {
  #text: string
  #root: Element

  /** @throws {SettingsError} not well-formed, with line and column */
  constructor(text: string) {
    if (/<!DOCTYPE/i.test(text))
      throw new SettingsError('/xml', 'the domain XML must not have a document type')
    const valid = XMLValidator.validate(text)
    if (valid !== true) {
      const { msg, line, col } = valid.err
      const where = `line ${line}, column ${col}`
      throw new SettingsError('/xml', `the domain XML is not well-formed at ${where}: ${msg}`)
    }
    this.#text = text
    this.#root = scan(text)
  }

  get text(): string {
    return this.#text
  }

  /** Changes with each edit: what was found in it before is of no use then. */
  get root(): Element {
    return this.#root
  }

  setAttribute(element: Element, name: string, value: string): void {
    const known = element.attributes.get(name)
    if (known?.value === value) return
    if (known) return this.#replace(known.inner, encode(value))
    const at = element.start + 1 + element.name.length
    const end = [...element.attributes.values()].at(-1)?.end ?? at
    this.#replace({ start: end, end }, ` ${name}='${encode(value)}'`)
  }

  removeAttribute(element: Element, name: string): void {
    const known = element.attributes.get(name)
    if (known) this.#replace(known, '')
  }

  /** Comments between the tags stay. */
  setText(element: Element, value: string): void {
    if (textOf(element) === value) return
    if (element.empty) {
      const open = this.#text.slice(element.start, element.end).replace(/\s*\/>$/, '>')
      return this.#replace(element, `${open}${encode(value)}</${element.name}>`)
    }
    const [first, ...others] = element.texts.filter((one) => one.value.trim() !== '')
    // From the back, so that the places before stay what they are.
    let text = this.#text
    for (const one of others.reverse()) text = text.slice(0, one.start) + text.slice(one.end)
    const { start, end } = first ? trimmed(text, first) : { start: element.openEnd, end: -1 }
    const to = end < 0 ? start : end
    this.#become(text.slice(0, start) + encode(value) + text.slice(to))
  }

  /** Puts an element behind a child, or before all of them; indented as its neighbours are. */
  insert(parent: Element, xml: string, behind: Element | null = null): void {
    if (parent.empty) {
      const open = this.#text.slice(parent.start, parent.end).replace(/\s*\/>$/, '>')
      const outer = this.#indent(parent)
      const content = outer === null ? xml : `${outer}  ${xml}${outer}`
      return this.#replace(parent, `${open}${content}</${parent.name}>`)
    }
    const neighbour = behind ?? parent.children[0] ?? null
    const outer = this.#indent(parent)
    const indent = neighbour ? this.#indent(neighbour) : outer === null ? null : `${outer}  `
    const at = behind ? behind.end : parent.openEnd
    // A parent whose content is on its own line has its end tag indented already.
    const after = neighbour || outer === null || /\n/.test(this.#inside(parent)) ? '' : outer
    this.#replace({ start: at, end: at }, `${indent ?? ''}${xml}${after}`)
  }

  remove(element: Element): void {
    const before = /\n?[^\S\n]*$/.exec(this.#text.slice(0, element.start))?.[0] ?? ''
    this.#replace({ start: element.start - before.length, end: element.end }, '')
  }

  #inside(element: Element): string {
    return this.#text.slice(element.openEnd, element.closeStart)
  }

  /** Line break and blanks before an element that begins its line; null: it does not. */
  #indent(element: Element): string | null {
    return /\r?\n[^\S\n]*$/.exec(this.#text.slice(0, element.start))?.[0] ?? null
  }

  #replace({ start, end }: Span, text: string): void {
    this.#become(this.#text.slice(0, start) + text + this.#text.slice(end))
  }

  #become(text: string): void {
    this.#text = text
    this.#root = scan(text)
  }
}

export function all(element: Element | undefined, name: string): Element[] {
  return element?.children.filter((child) => child.name === name) ?? []
}

export function find(element: Element | undefined, ...path: readonly string[]) {
  return path.reduce<Element | undefined>((at, name) => all(at, name)[0], element)
}

export const attributeOf = (element: Element | undefined, name: string): string | null =>
  element?.attributes.get(name)?.value ?? null

/** Without the blanks around it; null where there is no such element, or nothing in it. */
export function textOf(element: Element | undefined): string | null {
  const text = element?.texts.map((one) => one.value).join('')
  return text?.trim() || null
}

/** For a text or a value in single or double quotes. */
export const encode = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll("'", '&apos;')
    .replaceAll('"', '&quot;')

/** @throws {SettingsError} not one element with what is in it */
function scan(text: string): Element {
  const top: Element[] = []
  const open: Element[] = []
  TOKENS.lastIndex = 0
  for (let at = 0; at < text.length; at = TOKENS.lastIndex) {
    TOKENS.lastIndex = at
    const token = TOKENS.exec(text)
    if (token === null) throw unreadable(text, at)
    const [all, closes, opens, attributes = '', slash] = token
    const end = at + all.length
    const parent = open.at(-1)
    if (opens !== undefined) {
      const element: Element = {
        ...{ name: opens, start: at, end, openEnd: end, closeStart: end, empty: slash === '/' },
        attributes: attributesIn(attributes, at + 1 + opens.length),
        ...{ children: [], texts: [] },
      }
      ;(parent?.children ?? top).push(element)
      if (slash !== '/') open.push(element)
    } else if (closes !== undefined) {
      const element = open.pop()
      if (element?.name !== closes) throw unreadable(text, at)
      element.closeStart = at
      element.end = end
    } else if (!all.startsWith('<')) {
      parent?.texts.push({ start: at, end, value: decode(all) })
    } else if (all.startsWith('<![CDATA[')) {
      parent?.texts.push({ start: at, end, value: all.slice(9, -3) })
    }
  }
  const [root] = top
  if (root === undefined || top.length > 1 || open.length > 0) throw unreadable(text, text.length)
  return root
}

function attributesIn(text: string, from: number): Map<string, Attribute> {
  const found = new Map<string, Attribute>()
  for (const match of text.matchAll(ATTRIBUTES)) {
    const [all, name = '', double, single] = match
    const raw = double ?? single ?? ''
    const start = from + match.index
    const end = start + all.length
    const inner = { start: end - 1 - raw.length, end: end - 1 }
    found.set(name, { start, end, inner, value: decode(raw) })
  }
  return found
}

function trimmed(text: string, { start, end }: Span): Span {
  const raw = text.slice(start, end)
  return { start: start + (raw.length - raw.trimStart().length), end: start + raw.trimEnd().length }
}

function unreadable(text: string, at: number): SettingsError {
  const line = text.slice(0, at).split('\n').length
  return new SettingsError('/xml', `the domain XML cannot be read at line ${line}`)
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decode(text: string): string {
  return text.replace(/&(#x[0-9a-f]{1,6}|#[0-9]{1,7}|[a-z]+);/gi, (all, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name] ?? all
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1))
    return code <= 0x10ffff ? String.fromCodePoint(code) : all
  })
}
