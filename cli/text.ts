/** Signs, colours and columns. Colour is never the only sign, and every sign has an ASCII form. */
import { stripVTControlCharacters } from 'node:util'
import picocolors from 'picocolors'
import { clean } from '../schema/api/failure.ts'

export { clean } from '../schema/api/failure.ts'

export interface Look {
  readonly color: boolean
  readonly ascii: boolean
  /** Columns of a line; Infinity when lines may be as long as they like. */
  readonly width: number
}

const SIGNS = {
  good: ['●', '*'],
  done: ['✔', '+'],
  partly: ['◐', '~'],
  idle: ['○', 'o'],
  bad: ['✗', 'x'],
  warning: ['!', '!'],
  arrow: ['→', '->'],
  branch: ['├─', '|-'],
  lastBranch: ['└─', '`-'],
  more: ['…', '...'],
} as const
export type Sign = keyof typeof SIGNS

export const sign = (look: Look, which: Sign): string => SIGNS[which][look.ascii ? 1 : 0]

export const paint = (look: Look) => picocolors.createColors(look.color)

/**
 * One row of cells. When it is too wide, cells at the end that are marked as `spare` go first, then
 * the row is cut.
 */
export interface Row {
  readonly indent?: number
  readonly cells: readonly string[]
  /** How many cells at the end may be left out. */
  readonly spare?: number
}

/** A list for people: a line of titles, then the rows. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return facts([titles.map((title) => title.toUpperCase()), ...rows])
}

/** Aligned rows without titles. Nothing is cut: it may go to a pipe. */
export function facts(rows: readonly (readonly string[])[]): string {
  const look: Look = { color: false, ascii: false, width: Number.POSITIVE_INFINITY }
  return columns(
    rows.map((row) => ({ cells: row.map(clean) })),
    look,
  ).join('\n')
}

/** Rows with aligned columns, two spaces apart. */
export function columns(rows: readonly Row[], look: Look): string[] {
  const widths: number[] = []
  for (const row of rows)
    row.cells.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, length(cell))
    })
  return rows.map((row) => fitted(row, widths, look))
}

function fitted(row: Row, widths: readonly number[], look: Look): string {
  const indent = ' '.repeat(row.indent ?? 0)
  for (let left = row.cells.length; ; left--) {
    const cells = row.cells.slice(0, left)
    const padded = cells.map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - length(cell)))
    const line = (indent + padded.join('  ')).trimEnd()
    if (length(line) <= look.width) return line
    if (row.cells.length - left >= (row.spare ?? 0)) return cut(line, look)
  }
}

/** How many columns a text takes; colours take none. */
const length = (text: string) => [...stripVTControlCharacters(text)].length

function cut(line: string, look: Look): string {
  const more = sign(look, 'more')
  return [...stripVTControlCharacters(line)].slice(0, look.width - more.length).join('') + more
}

/** Breaks a text into lines at spaces; the first begins with `head`, the others are indented. */
export function wrap(head: string, text: string, look: Look): string[] {
  const lines: string[] = []
  let line = head
  const blank = ' '.repeat(length(head))
  for (const word of clean(text).split(' ')) {
    const next = line.trim() === '' || line === head ? line + word : `${line} ${word}`
    if (length(next) > look.width && line.trim() !== '' && line !== head) {
      lines.push(line)
      line = blank + word
    } else line = next
  }
  lines.push(line)
  return lines
}
