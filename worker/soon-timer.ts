/** Deadlines that are further away are left to the alarm, so that the object may sleep. */
const SOON_MS = 30_000

/** The alarm may be late, and is the second line: while this instance is awake a timer is first. */
export class SoonTimer {
  readonly #deadline: () => number | null
  readonly #passed: () => void
  #timer: ReturnType<typeof setTimeout> | undefined

  /** @param passed called once a deadline is over; it arms the timer again */
  constructor(deadline: () => number | null, passed: () => void) {
    this.#deadline = deadline
    this.#passed = passed
  }

  arm(dueMs: number | null): void {
    clearTimeout(this.#timer)
    if (dueMs === null || dueMs > Date.now() + SOON_MS) return
    this.#timer = setTimeout(() => this.#fired(), Math.max(0, dueMs - Date.now()))
  }

  #fired(): void {
    const dueMs = this.#deadline()
    if ((dueMs ?? Number.POSITIVE_INFINITY) <= Date.now()) this.#passed()
    else this.arm(dueMs)
  }
}

/** The earlier one, of those that there are. */
export function soonest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b)
}
