/**
 * What a resource needs online before it comes online itself (S-93): all of a list, or an expression of
 * AND and OR ("online if any of"). Kept as lists of which each needs one that is online.
 */
import type { Resource } from './hive.ts'
import { LIMITS } from './limits.ts'

/** All of these, and of each at least one. */
export type Needs = readonly (readonly string[])[]

type Needing = Pick<Resource, 'dependsOn' | 'anyOf'>

export const needsOf = ({ dependsOn, anyOf }: Needing): Needs =>
  anyOf ?? dependsOn.map((id) => [id])

/** Whether what it needs is there, by whatever counts as there. */
export const hasNeeded = (
  { dependsOn, anyOf }: Needing,
  isThere: (id: string) => boolean,
): boolean => (anyOf ? anyOf.every((some) => some.some(isThere)) : dependsOn.every(isThere))

/** The two fields of a resource that say it; a plain list needs but the first. */
export function neededFields(needs: Needs): { dependsOn: string[]; anyOf?: string[][] } {
  const dependsOn = [...new Set(needs.flat())]
  if (needs.every((some) => some.length === 1)) return { dependsOn }
  return { dependsOn, anyOf: needs.map((some) => [...some]) }
}

/** `a and (b or c)`; empty for nothing. */
export function needsText(needs: Needs): string {
  const alone = needs.length === 1
  return needs
    .map((some) => {
      const text = some.map(quoted).join(' or ')
      return some.length > 1 && !alone ? `(${text})` : text
    })
    .join(' and ')
}

/** A resource may have the name of an operator. */
const quoted = (name: string) => (/^(?:and|or)$/i.test(name) ? `[${name}]` : name)

/** Whether a text says more than a list of names with commas. */
export const isExpression = (text: string): boolean => /[[\]()\s]/.test(text.trim())

/**
 * Reads `a,b`, `a and b`, `([a] or [b]) and [c]`. AND and OR in one row need parentheses: which of them
 * binds tighter is not for everybody to know.
 *
 * @returns names; or what is wrong, and at which character
 */
export function parseNeeds(text: string): { needs: Needs } | { problem: string; at: number } {
  try {
    return { needs: new Reader(text).read() }
  } catch (error) {
    if (error instanceof Malformed) return { problem: error.message, at: error.at }
    throw error
  }
}

class Malformed extends Error {
  readonly at: number
  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

const TOKEN = /\s*(?:(?<sign>[(),])|\[(?<quoted>[^\]]*)\]|(?<word>[A-Za-z0-9._-]+))/y
const DEPTH_MAX = 32

type Token = { kind: '(' | ')' | 'and' | 'or' | 'name' | 'end'; name: string; at: number }

class Reader {
  readonly #text: string
  #at = 0
  #next: Token
  #depth = 0

  constructor(text: string) {
    this.#text = text
    this.#next = this.#token()
  }

  read(): Needs {
    if (this.#is('end')) return []
    const needs = this.#row()
    if (!this.#is('end')) throw this.#unexpected('and, or, or the end')
    if (needs.length > LIMITS.dependenciesMax || needs.flat().length > LIMITS.dependencyNamesMax)
      throw new Malformed('it is too long once it is taken apart: write a simpler one', 0)
    return needs
  }

  /** Everything up to a closing parenthesis or the end: joined by one operator only. */
  #row(): Needs {
    let needs = this.#operand()
    let joined: Token['kind'] | null = null
    while (this.#next.kind === 'and' || this.#next.kind === 'or') {
      const { kind, at } = this.#next
      if (joined !== null && kind !== joined)
        throw new Malformed(
          'put parentheses around what belongs together: "and" and "or" are in one row',
          at,
        )
      joined = kind
      this.#take()
      const other = this.#operand()
      needs = reduced(kind === 'and' ? [...needs, ...other] : either(needs, other))
    }
    return needs
  }

  #operand(): Needs {
    const { kind, name, at } = this.#next
    if (kind === 'name') {
      this.#take()
      return [[name]]
    }
    if (kind !== '(') throw this.#unexpected('the name of a resource')
    this.#depth += 1
    if (this.#depth > DEPTH_MAX) throw new Malformed('too many parentheses', at)
    this.#take()
    const needs = this.#row()
    if (!this.#is(')')) throw this.#unexpected('a closing parenthesis')
    this.#take()
    this.#depth -= 1
    return needs
  }

  #unexpected(wanted: string): Malformed {
    const { kind, name, at } = this.#next
    const found = kind === 'end' ? 'it ends' : `there is "${name}"`
    return new Malformed(`${found} where ${wanted} is expected`, at)
  }

  #is(kind: Token['kind']): boolean {
    return this.#next.kind === kind
  }

  #take(): void {
    this.#next = this.#token()
  }

  #token(): Token {
    TOKEN.lastIndex = this.#at
    const found = TOKEN.exec(this.#text)
    const rest = this.#text.slice(this.#at)
    const at = this.#text.length - rest.trimStart().length
    if (!found) {
      if (rest.trim() === '') return { kind: 'end', name: '', at }
      throw new Malformed(`"${rest.trimStart()[0]}" has no meaning here`, at)
    }
    this.#at = TOKEN.lastIndex
    const { sign, quoted, word } = found.groups as Record<string, string | undefined>
    if (sign === '(' || sign === ')') return { kind: sign, name: sign, at }
    if (sign === ',') return { kind: 'and', name: ',', at }
    if (quoted !== undefined) return { kind: 'name', name: quoted.trim(), at }
    const operator = word?.toLowerCase()
    if (operator === 'and' || operator === 'or') return { kind: operator, name: operator, at }
    return { kind: 'name', name: word ?? '', at }
  }
}

function either(needs: Needs, other: Needs): Needs {
  if (needs.length * other.length > LIMITS.dependencyNamesMax)
    throw new Malformed('it is too long once it is taken apart: write a simpler one', 0)
  return needs.flatMap((some) => other.map((more) => [...some, ...more]))
}

/** Without repetition, and without what another list asks for already. */
function reduced(needs: Needs): Needs {
  const sets = needs.map((some) => new Set(some))
  const asked = (n: number, by: number) => {
    const [one, other] = [sets[n] as Set<string>, sets[by] as Set<string>]
    const isPart = [...other].every((name) => one.has(name))
    return isPart && (other.size < one.size || by < n)
  }
  return sets.flatMap((one, n) =>
    sets.some((_, by) => by !== n && asked(n, by)) ? [] : [[...one]],
  )
}
