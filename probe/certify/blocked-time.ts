/** How long a module kept its monitor from everything else, and not how long a busy machine did. */
import { readFileSync } from 'node:fs'

const TICK_MS = 10

export class BlockedTime {
  readonly #timer: NodeJS.Timeout
  #lastMs = performance.now()
  #lastWaitedMs = waitedMs()
  #longestMs = 0

  constructor() {
    this.#timer = setInterval(() => this.#look(), TICK_MS).unref()
  }

  /** The longest time in which this thread did not come to its timers, without what it waited for a processor. */
  get longestMs(): number {
    this.#look()
    return this.#longestMs
  }

  end(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const [nowMs, waited] = [performance.now(), waitedMs()]
    this.#longestMs = Math.max(
      this.#longestMs,
      nowMs - this.#lastMs - (waited - this.#lastWaitedMs),
    )
    this.#lastMs = nowMs
    this.#lastWaitedMs = waited
  }
}

/** How long this thread has waited for a processor so far; 0 where the kernel does not count it. */
function waitedMs(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}
