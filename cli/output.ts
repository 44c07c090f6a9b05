/** Where things go: data to stdout, messages to stderr. `--json`: one document, or one a line. */
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

  constructor(options: OutputOptions, env: NodeJS.ProcessEnv = process.env) {
    const dumb = env['TERM'] === 'dumb'
    this.json = options.json ?? false
    this.repaints = process.stdout.isTTY === true && !dumb && !this.json
    this.look = {
      color: wantsColor(options.color, env, process.stdout.isTTY === true),
      ascii: options.ascii ?? (dumb || !speaksUnicode(env)),
      width: process.stdout.isTTY ? Math.max(WIDTH_MIN, process.stdout.columns || 80) : 80,
    }
  }

  /** The answer of a command: the document itself, or what `text` makes of it. */
  answer(document: unknown, text: () => string): void {
    if (this.json) process.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
    else writeLine(process.stdout, text())
  }

  /** One of many answers of a command that goes on. */
  item(document: unknown, text: () => string): void {
    if (this.json) process.stdout.write(`${JSON.stringify(document)}\n`)
    else writeLine(process.stdout, text())
  }

  /** An answer that is JSON already; whatever else it is, `--json` makes it JSON. */
  raw(text: string): void {
    writeLine(process.stdout, this.json && !isJson(text) ? JSON.stringify(text) : text)
  }

  /** Clears the terminal and shows a screen. */
  repaint(screen: string): void {
    process.stdout.write(`\u001b[H${screen.replaceAll('\n', '\u001b[K\n')}\u001b[J`)
  }

  /** Something to know that is no data. */
  note(text: string): void {
    writeLine(process.stderr, text)
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

function writeLine(stream: NodeJS.WriteStream, text: string): void {
  stream.write(text === '' || text.endsWith('\n') ? text : `${text}\n`)
}

export function wantsColor(
  choice: string | undefined,
  env: NodeJS.ProcessEnv,
  isTerminal: boolean,
): boolean {
  if (choice === 'always') return true
  if (choice === 'never') return false
  if (env['NO_COLOR']) return false
  if (env['FORCE_COLOR']) return env['FORCE_COLOR'] !== '0'
  return isTerminal && env['TERM'] !== 'dumb'
}

/** Only a locale that says otherwise is believed: many containers have none at all. */
function speaksUnicode(env: NodeJS.ProcessEnv): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || 'UTF-8'
  return /utf-?8/i.test(locale)
}
