/** Where things go: data to stdout, messages to stderr. `--json`: one document, or one a line. */
import type { Environment, Sink, Surroundings } from './surroundings.ts'
import type { Look } from './text.ts'

export interface OutputOptions {
  readonly json?: boolean | undefined
  readonly color?: string | undefined
  readonly ascii?: boolean | undefined
}

const WIDTH_MIN = 40

export class Output {
  readonly json: boolean
  readonly look: Look
  /** Whether stdout is a terminal that can be painted over. */
  readonly repaints: boolean
  readonly #data: Sink
  readonly #messages: Sink

  constructor(
    options: OutputOptions,
    { stdout, stderr, env }: Pick<Surroundings, 'stdout' | 'stderr' | 'env'>,
  ) {
    this.#data = stdout
    this.#messages = stderr
    const dumb = env['TERM'] === 'dumb'
    this.json = options.json ?? false
    this.repaints = stdout.isTTY === true && !dumb && !this.json
    this.look = {
      color: wantsColor(options.color, env, stdout.isTTY === true),
      ascii: options.ascii ?? (dumb || !speaksUnicode(env)),
      width: stdout.isTTY ? Math.max(WIDTH_MIN, stdout.columns || 80) : 80,
    }
  }

  /** The answer of a command: the document itself, or what `text` makes of it. */
  answer(document: unknown, text: () => string): void {
    if (this.json) this.#data.write(`${JSON.stringify(document, null, 2)}\n`)
    else writeLine(this.#data, text())
  }

  /** One of many answers of a command that goes on. */
  item(document: unknown, text: () => string): void {
    if (this.json) this.#data.write(`${JSON.stringify(document)}\n`)
    else writeLine(this.#data, text())
  }

  /** An answer that is JSON already; whatever else it is, `--json` makes it JSON. */
  raw(text: string): void {
    writeLine(this.#data, this.json && !isJson(text) ? JSON.stringify(text) : text)
  }

  /** Clears the terminal and shows a screen. */
  repaint(screen: string): void {
    this.#data.write(`\u001b[H${screen.replaceAll('\n', '\u001b[K\n')}\u001b[J`)
  }

  /** Something to know that is no data. */
  note(text: string): void {
    writeLine(this.#messages, text)
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function writeLine(stream: Sink, text: string): void {
  stream.write(text === '' || text.endsWith('\n') ? text : `${text}\n`)
}

export function wantsColor(
  choice: string | undefined,
  env: Environment,
  isTerminal: boolean,
): boolean {
  if (choice === 'always') return true
  if (choice === 'never') return false
  if (env['NO_COLOR']) return false
  if (env['FORCE_COLOR']) return env['FORCE_COLOR'] !== '0'
  return isTerminal && env['TERM'] !== 'dumb'
}

/** Only a locale that says otherwise is believed: many containers have none at all. */
function speaksUnicode(env: Environment): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || 'UTF-8'
  return /utf-?8/i.test(locale)
}
