/** What a resource monitor writes to its stderr: passed on within bounds, and the end of it kept as evidence. */
import { LAST_WORDS_MAX, WORD_LINE_MAX } from '../../schema/last-calls.ts'
import { LISTENS } from './inspector.ts'

/** A module that writes without end keeps neither the guard nor the host's log busy. */
const PERIOD_MS = 10_000
const BYTES_MAX = 256 * 1_024
/** Of a line without an end. */
const PENDING_MAX = 64 * 1_024

export class LastWords {
  readonly #out: (text: string) => void
  readonly #lines: string[] = []
  #pending = ''
  #sinceMs = Number.NEGATIVE_INFINITY
  #bytes = 0
  #leftOut = 0
  #heard: ((at: { port: number; id: string }) => void) | null = null

  constructor(out: (text: string) => void) {
    this.#out = out
  }

  write(text: string, nowMs: number): void {
    const lines = (this.#pending + text).split('\n')
    this.#pending = (lines.pop() ?? '').slice(-PENDING_MAX)
    for (const line of lines) this.#line(line, nowMs)
  }

  /** Where its inspector listens, once it has been told to open it. */
  listens(): Promise<{ port: number; id: string }> {
    return new Promise((resolve) => {
      this.#heard = resolve
    })
  }

  /** The last lines, for whoever asks what a monitor had to say when it ended. */
  get last(): string[] {
    const rest = this.#pending.trim()
    const all = rest === '' ? this.#lines : [...this.#lines, rest.slice(0, WORD_LINE_MAX)]
    return all.slice(-LAST_WORDS_MAX)
  }

  #line(line: string, nowMs: number): void {
    const [, port, id] = LISTENS.exec(line) ?? []
    if (this.#heard && port !== undefined && id !== undefined) {
      this.#heard({ port: Number(port), id })
      // By that id alone its inspector can be used: nobody else is told.
      return
    }
    if (this.#heard && /^(?:For help, see|Debugger (?:attached|ending on))/.test(line)) return
    if (line.trim() !== '') this.#lines.push(line.slice(0, WORD_LINE_MAX))
    if (this.#lines.length > LAST_WORDS_MAX) this.#lines.shift()
    this.#passOn(line, nowMs)
  }

  #passOn(line: string, nowMs: number): void {
    if (nowMs - this.#sinceMs >= PERIOD_MS) {
      if (this.#leftOut > 0) this.#out(`holdfast guard: ${this.#leftOut} bytes were left out\n`)
      this.#sinceMs = nowMs
      this.#bytes = 0
      this.#leftOut = 0
    }
    this.#bytes += line.length + 1
    if (this.#bytes <= BYTES_MAX) this.#out(`${line}\n`)
    else this.#leftOut += line.length + 1
  }
}
