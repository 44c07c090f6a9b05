/** A file of YAML or JSON: what is wrong with it is said with line, column and the line itself. */
import { isMap, LineCounter, parseDocument, visit } from 'yaml'

/** @property message one problem a paragraph: where, what, the line itself */
export class BadDocument extends Error {}

export type Path = readonly PropertyKey[]
export type Parsed = ReturnType<typeof parseDocument>

/** Of many problems the first ones are told. */
export const PROBLEMS_MAX = 10

interface Options {
  readonly bytesMax: number
  /** What the whole of it is called. */
  readonly root: string
}

/** Aliases that may stand for something else: a few lines could mean gigabytes. */
const ALIASES_MAX = 100

export class YamlDocument {
  readonly value: unknown
  readonly parsed: Parsed
  readonly #text: string
  readonly #file: string
  readonly #root: string
  readonly #lines = new LineCounter()

  /** @throws {BadDocument} not YAML, too large, or more than it looks */
  constructor(text: string, file: string, { bytesMax, root }: Options) {
    this.#text = text
    this.#file = file
    this.#root = root
    if (text.length > bytesMax) throw new BadDocument(`${file}: larger than ${bytesMax} bytes`)
    this.parsed = parseDocument(text, { lineCounter: this.#lines, uniqueKeys: true })
    const [broken] = this.parsed.errors
    if (broken) throw new BadDocument(this.#at(broken.pos[0], broken.message.split('\n')[0] ?? ''))
    try {
      this.value = this.parsed.toJS({ maxAliasCount: ALIASES_MAX })
    } catch (error) {
      throw new BadDocument(`${file}: ${(error as Error).message}`)
    }
  }

  /** What is wrong at a place: of a key that is missing, at the record that lacks it. */
  problem(path: Path, message: string): string {
    return this.#at(
      offsetOf(this.parsed, path),
      `${path.map(String).join('.') || this.#root}: ${message}`,
    )
  }

  line(path: Path): number {
    return this.#lines.linePos(offsetOf(this.parsed, path)).line
  }

  #at(offset: number, message: string): string {
    const { line, col } = this.#lines.linePos(offset)
    return `${this.#file}:${line}:${col}: ${message}\n${codeFrame(this.#text, line, col)}`
  }
}

/** Every issue of a zod schema, at its place. */
export function issuesAt(
  document: YamlDocument,
  issues: readonly { code?: string; path: Path; message: string; keys?: readonly string[] }[],
): string {
  return issues
    .slice(0, PROBLEMS_MAX)
    .map((issue) => {
      const unknown = issue.code === 'unrecognized_keys' ? issue.keys?.[0] : undefined
      if (unknown === undefined) return document.problem(issue.path, issue.message)
      return document.problem([...issue.path, unknown], 'there is no such key here')
    })
    .join('\n')
}

function offsetOf(document: Parsed, path: Path): number {
  for (let n = path.length; n > 0; n -= 1) {
    const above = document.getIn(path.slice(0, n - 1), true)
    const key = path[n - 1]
    if (isMap(above)) {
      const pair = above.items.find((item) => String(item.key) === String(key))
      const found = (pair?.key as { range?: [number, number, number] } | undefined)?.range
      if (found) return found[0]
    }
    const node = document.getIn(path.slice(0, n), true) as { range?: [number, number, number] }
    if (node?.range) return node.range[0]
  }
  let first = 0
  visit(document, {
    Map(_, map) {
      first = map.range?.[0] ?? 0
      return visit.BREAK
    },
  })
  return first
}

/** The line that is meant and the one before it, with a mark under the column. */
function codeFrame(text: string, line: number, column: number): string {
  const lines = text.split('\n')
  const width = String(line).length
  const shown = [line - 1, line].filter((n) => n >= 1)
  const rows = shown.map(
    (n) => `  ${String(n).padStart(width)} | ${(lines[n - 1] ?? '').slice(0, 200)}`,
  )
  return [...rows, `  ${' '.repeat(width)} | ${' '.repeat(Math.max(0, column - 1))}^`].join('\n')
}
