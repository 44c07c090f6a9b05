/**
 * A TypeScript source split into code, comments and strings. It knows just enough of the language
 * for that: what a test looks for in code must not be found in a comment, and the other way round.
 */
export interface Piece {
  readonly kind: 'comment' | 'string'
  readonly text: string
  readonly line: number
  /** Code before it, comments and strings left out: tells a test's title from other strings. */
  readonly before: string
}

export interface SourceText {
  /** The source with every comment and string replaced by blanks; lines stay where they are. */
  readonly code: string
  readonly pieces: readonly Piece[]
}

const CONTEXT = 60

export function splitSource(source: string): SourceText {
  const scan: Scan = { source, at: 0, code: '', pieces: [], braces: [] }
  while (scan.at < source.length) step(scan)
  return { code: scan.code, pieces: scan.pieces }
}

interface Scan {
  readonly source: string
  at: number
  code: string
  readonly pieces: Piece[]
  /** For each open `${` of a template, how many braces are open inside of it. */
  readonly braces: number[]
}

function step(scan: Scan): void {
  const { source, at } = scan
  const two = source.slice(at, at + 2)
  const one = source[at] as string
  if (two === '//') take(scan, 'comment', endOfLine(source, at))
  else if (two === '/*') take(scan, 'comment', after(source, '*/', at + 2))
  else if (one === "'" || one === '"') take(scan, 'string', endOfString(source, at + 1, one))
  else if (one === '`') template(scan, at + 1)
  else if (one === '/' && startsRegex(scan.code)) take(scan, null, endOfRegex(source, at + 1))
  else if (one === '}' && scan.braces.at(-1) === 0) {
    scan.braces.pop()
    template(scan, at + 1)
  } else {
    const last = scan.braces.length - 1
    if (last >= 0) scan.braces[last] = (scan.braces[last] ?? 0) + braceOf(one)
    scan.code += one
    scan.at += 1
  }
}

const braceOf = (one: string) => (one === '{' ? 1 : one === '}' ? -1 : 0)

/** Takes everything up to `end` out of the code. */
function take(scan: Scan, kind: Piece['kind'] | null, end: number): void {
  const text = scan.source.slice(scan.at, end)
  if (kind)
    scan.pieces.push({
      kind,
      text,
      line: scan.code.split('\n').length,
      before: scan.code.slice(-CONTEXT).trimEnd(),
    })
  scan.code += text.replace(/[^\n]/g, ' ')
  scan.at = end
}

/** The text of a template up to its end or the next `${`, which is code again. */
function template(scan: Scan, from: number): void {
  for (let i = from; i < scan.source.length; i++) {
    if (scan.source[i] === '\\') i += 1
    else if (scan.source[i] === '`') {
      take(scan, 'string', i + 1)
      return
    } else if (scan.source.startsWith('${', i)) {
      scan.braces.push(0)
      take(scan, 'string', i + 2)
      return
    }
  }
  take(scan, 'string', scan.source.length)
}

function endOfLine(source: string, from: number): number {
  const end = source.indexOf('\n', from)
  return end === -1 ? source.length : end
}

function after(source: string, what: string, from: number): number {
  const end = source.indexOf(what, from)
  return end === -1 ? source.length : end + what.length
}

function endOfString(source: string, from: number, quote: string): number {
  for (let i = from; i < source.length; i++) {
    if (source[i] === '\\') i += 1
    else if (source[i] === quote || source[i] === '\n') return i + 1
  }
  return source.length
}

/** A slash divides after a value, and begins a regular expression after anything else. */
function startsRegex(code: string): boolean {
  const before = code.trimEnd()
  if (/\b(?:return|typeof|case|in|of)$/.test(before)) return true
  return before === '' || !/[\w)\]}$]/.test(before.at(-1) as string)
}

function endOfRegex(source: string, from: number): number {
  let inClass = false
  for (let i = from; i < source.length; i++) {
    const one = source[i]
    if (one === '\\') i += 1
    else if (one === '[') inClass = true
    else if (one === ']') inClass = false
    else if (one === '\n' || (one === '/' && !inClass)) return i + 1
  }
  return source.length
}
