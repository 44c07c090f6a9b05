/** The state of a cluster as a small picture. Pure. */
import type { Overall } from './public-status.ts'

/** White text on each has a contrast of 4.5 to 1 at least. */
const COLOURS: Readonly<Record<Overall, string>> = {
  ...{ operational: '#1a7f37', degraded: '#9a6700', outage: '#cf222e' },
  ...{ maintenance: '#0969da', unknown: '#6e7781' },
}

const LABEL = 'status'
/** Of a letter of this face and size, about; `textLength` makes it so. */
const LETTER = 6.6
const PAD = 7

export function badge(overall: Overall): string {
  const [left, right] = [widthOf(LABEL), widthOf(overall)]
  const text = (says: string, x: number, width: number) =>
    `<text x="${x + PAD}" y="14" textLength="${width - 2 * PAD}">${says}</text>`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + right}" height="20" role="img" aria-label="${LABEL}: ${overall}">
<title>${LABEL}: ${overall}</title>
<rect width="${left + right}" height="20" rx="3" fill="#444"/>
<path d="M${left} 0h${right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H${left}z" fill="${COLOURS[overall]}"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">${text(LABEL, 0, left)}${text(overall, left, right)}</g>
</svg>
`
}

const widthOf = (text: string): number => Math.round(text.length * LETTER) + 2 * PAD
