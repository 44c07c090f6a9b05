/** What a program of the host has written must not write on a terminal as it likes. */
const printable = (cell: string) => cell.replace(/[\p{Cc}\p{Cf}]+/gu, ' ')

/** Columns as wide as their longest cell, two blanks apart, none after the last. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map(printable))
  const widths = head.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)))
  return all
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
