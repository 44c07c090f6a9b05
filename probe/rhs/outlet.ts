/** What a resource monitor says to the agent: frames and log lines, in the order in which they were said. */
import type { FromRhs } from '../../schema/ipc.ts'
import type { LogEntry } from '../../schema/session.ts'

export class Outlet {
  readonly #send: (frame: FromRhs) => void
  #lines: LogEntry[] = []
  #flushing: NodeJS.Immediate | null = null

  constructor(send: (frame: FromRhs) => void) {
    this.#send = send
  }

  /** Lines go together: a thousand resources that are adopted at once say a thousand things. */
  log(line: LogEntry): void {
    this.#lines.push(line)
    this.#flushing ??= setImmediate(() => this.#flush())
  }

  /** What was logged before comes before it. */
  tell(frame: FromRhs): void {
    this.#flush()
    this.#send(frame)
  }

  #flush(): void {
    if (this.#flushing !== null) clearImmediate(this.#flushing)
    this.#flushing = null
    const entries = this.#lines
    this.#lines = []
    if (entries.length > 0) this.#send({ t: 'log', entries })
  }
}
