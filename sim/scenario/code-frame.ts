/** The line that is meant and the one before it, with a mark under the column. */
export function codeFrame(text: string, line: number, column: number): string {
  const lines = text.split('\n')
  const width = String(line).length
  const shown = [line - 1, line].filter((n) => n >= 1)
  const rows = shown.map(
    (n) => `  ${String(n).padStart(width)} | ${(lines[n - 1] ?? '').slice(0, 200)}`,
  )
  return [...rows, `  ${' '.repeat(width)} | ${' '.repeat(Math.max(0, column - 1))}^`].join('\n')
}
