/**
 * A node that stood still (a stopped process, a starved or paused machine) finds out and says so. That
 * is for people: what it may still do is decided by its guard, by the clock, before anything else
 * (L4, L5).
 */
import type { LogEntry } from '../../schema/session.ts'
import { bootMs } from '../clock.ts'
import { stoodStillMs } from '../core/standstill.ts'
import { logLine } from './session-words.ts'

/** The session that was there before may be gone without our knowing it yet. */
const SETTLE_MS = 3_000

export type StoodStill = {
  readonly who: 'agent' | 'guard'
  readonly ms: number
  /** Since boot: when it went on. */
  readonly untilMs: number
}

export class Standstill {
  readonly #say: (entries: readonly LogEntry[]) => boolean
  readonly #changed: () => void
  #lookedMs: number | null = null
  #unsaid: LogEntry[] = []
  #last: StoodStill | null = null
  #count = 0

  /** @param say false when there is nobody to say it to now */
  constructor(say: (entries: readonly LogEntry[]) => boolean, changed: () => void) {
    this.#say = say
    this.#changed = changed
  }

  get info(): { count: number; last: StoodStill | null } {
    return { count: this.#count, last: this.#last }
  }

  /** With every ping, so that nothing has to wake for it. Null: there is no session to look by. */
  look(everyMs: number | null): void {
    const nowMs = bootMs()
    const known = this.#lookedMs
    this.#lookedMs = everyMs === null ? null : nowMs
    if (known === null || everyMs === null) return
    const ms = stoodStillMs(known, nowMs, everyMs)
    if (ms > 0) this.noticed('agent', ms)
  }

  noticed(who: StoodStill['who'], ms: number): void {
    this.#last = { who, ms, untilMs: bootMs() }
    this.#count += 1
    const seconds = (ms / 1_000).toFixed(1)
    const line = logLine('NM', `the ${who} stood still for ${seconds} s; leases are looked at anew`)
    this.#unsaid.push(line)
    process.stderr.write(`holdfast agent: ${line.message}\n`)
    const timer = setTimeout(() => this.flush(), SETTLE_MS)
    timer.unref?.()
    this.#changed()
  }

  /** A session that is surely alive: a new one, or that of before after a while. */
  flush(): void {
    if (this.#unsaid.length > 0 && this.#say(this.#unsaid)) this.#unsaid = []
  }
}
