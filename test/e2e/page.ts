/** Blocks of a page of the docs: what is typed where, and what it shows. */

export interface PageBlock {
  /** The comment in its first line, e.g. `on host one`. */
  readonly where: string
  readonly commands: string
  /** The `text` block that follows, or null. */
  readonly shown: string | null
}

export function blocksOf(page: string): PageBlock[] {
  const fences = [...page.matchAll(/^```(\w+)\n([\s\S]*?)\n```$/gm)].map(
    ([, kind = '', text = '']) => ({ kind, text }),
  )
  return fences.flatMap(({ kind, text }, i) => {
    if (kind !== 'sh') return []
    const [first = '', ...lines] = text.split('\n')
    if (!first.startsWith('# ')) throw new Error(`a block does not say where it is typed: ${text}`)
    const next = fences[i + 1]
    const shown = next?.kind === 'text' ? next.text : null
    return [{ where: first.slice(2), commands: lines.join('\n'), shown }]
  })
}

/** What differs each time. All other words and figures have to be as the page has them. */
const VARIES: readonly [RegExp, string][] = [
  [/\b\d+(?:\\\.\d+)? (ms|s|min|MB)\b/g, '\\d+(?:\\.\\d+)? (?:ms|s|min)'],
  [/\b\d\d:\d\d:\d\dZ/g, '\\d\\d:\\d\\d:\\d\\dZ'],
  [/\bpid \d+\b/g, 'pid \\d+'],
  [/…/g, '.*'],
]

/** @returns the first line that is not as the page has it, or null. A line `…` is any lines. */
export function differs(shown: string, text: string): string | null {
  const lines = text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
  let at = 0
  let gap = false
  for (const line of shown.split('\n').filter((one) => one.trim() !== '')) {
    if (line === '…') {
      gap = true
      continue
    }
    const pattern = patternOf(line)
    const found = gap ? lines.findIndex((one, i) => i >= at && pattern.test(one)) : at
    if (found < 0 || !pattern.test(lines[found] ?? ''))
      return `not as shown: ${line}\nit is: ${lines[at] ?? 'nothing'}`
    at = found + 1
    gap = false
  }
  return gap || at >= lines.length ? null : `more than is shown: ${lines[at]}`
}

function patternOf(line: string): RegExp {
  let text = line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  for (const [varies, pattern] of VARIES) text = text.replace(varies, pattern)
  return new RegExp(`^${text.replace(/ +/g, ' +')}$`)
}
