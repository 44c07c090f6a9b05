/**
 * How much of what a module logs is passed on: what it writes without end would keep everybody busy,
 * the control plane included. What is left out is counted and said.
 */
const PERIOD_MS = 10_000
const LINES_MAX = 200

interface Window {
  readonly sinceMs: number
  lines: number
  leftOut: number
}

export class LogLimit {
  readonly #windows = new Map<string, Window>()

  /** @returns lines to be passed on now: this one, what is to be said of those left out, or none */
  lines(guid: string, message: string, nowMs: number): string[] {
    const said: string[] = []
    let window = this.#windows.get(guid)
    if (!window || nowMs - window.sinceMs >= PERIOD_MS) {
      if (window && window.leftOut > 0)
        said.push(`${window.leftOut} more lines of its module were left out`)
      window = { sinceMs: nowMs, lines: 0, leftOut: 0 }
      this.#windows.set(guid, window)
    }
    window.lines += 1
    if (window.lines <= LINES_MAX) return [...said, message]
    window.leftOut += 1
    if (window.leftOut > 1) return said
    const seconds = PERIOD_MS / 1_000
    return [
      ...said,
      `its module logs more than ${LINES_MAX} lines in ${seconds} s: the rest is left out`,
    ]
  }

  forget(guid: string): void {
    this.#windows.delete(guid)
  }
}
