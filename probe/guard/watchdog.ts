import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import { bootMs } from '../clock.ts'
import type { GuardEvent, GuardState } from '../core/guard.ts'
import { mayDisarm, mayFeed, watchdogProblem } from '../core/watchdog.ts'
import { complain } from './policy.ts'

/** So many feeds fit into the time of the device. */
const FEEDS = 5
/** The device is switched off by this alone, where its driver lets itself be switched off. */
const MAGIC_CLOSE = 'V'

export interface WatchdogDeps {
  readonly device: string
  readonly timeoutMs: number
  state(): GuardState
  step(event: GuardEvent): void
}

/** Feeds a watchdog device by G12. Opening it feeds it, too: so it is opened when it may be fed. */
export class Watchdog {
  readonly #deps: WatchdogDeps
  #fd: number | null = null
  #timer: NodeJS.Timeout | null = null
  #said = ''

  constructor(deps: WatchdogDeps) {
    this.#deps = deps
    const set = secondsOf(deps.device)
    if (set !== null && set * 1_000 > deps.timeoutMs) {
      this.#say(`${deps.device} is set to ${set} s, more than the policy says: it is not used`)
      return
    }
    this.#timer = setInterval(() => this.feed(), Math.floor(deps.timeoutMs / FEEDS))
    this.feed()
  }

  /** For `holdfast-probe status`. */
  get status(): { device: string; timeoutMs: number; open: boolean; problem: string } {
    const { device, timeoutMs } = this.#deps
    return { device, timeoutMs, open: this.#fd !== null, problem: this.#said }
  }

  feed(): void {
    const { device, timeoutMs, state, step } = this.#deps
    if (!mayFeed(state(), timeoutMs, bootMs())) return
    try {
      this.#fd ??= openSync(device, 'w')
      writeSync(this.#fd, '.')
    } catch (error) {
      return this.#say(`${device} cannot be fed, so nothing resets this host: ${error}`)
    }
    // The clock is read after the feed: a feed that is thought later only forbids more.
    step({ type: 'fed', timeoutMs })
    const slow = state().session?.welcomed ? watchdogProblem(timeoutMs, state().timing) : null
    if (slow) this.#say(slow)
  }

  /** Only when nothing is left that it is there for; else it stays armed. */
  end(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
    if (this.#fd === null || !mayDisarm(this.#deps.state())) return
    try {
      writeSync(this.#fd, MAGIC_CLOSE)
      closeSync(this.#fd)
    } catch (error) {
      this.#say(`${this.#deps.device} cannot be switched off, so it may reset this host: ${error}`)
    }
    this.#fd = null
  }

  #say(problem: string): void {
    if (problem !== this.#said) complain('watchdog', problem)
    this.#said = problem
  }
}

/** What the kernel says that the device is set to, or null where it does not say. */
function secondsOf(device: string): number | null {
  try {
    const name = basename(device) === 'watchdog' ? 'watchdog0' : basename(device)
    const text = readFileSync(`/sys/class/watchdog/${name}/timeout`, 'latin1').trim()
    return /^\d+$/.test(text) ? Number(text) : null
  } catch {
    return null
  }
}
