/** Time Service on a host (S-13): what its clocks are worth, and its log lines by the clock of the cluster. */
import type { HostClock } from '../../schema/host-clock.ts'
import type { LogEntry } from '../../schema/session.ts'
import { type ClockSample, type ClockState, measured, NO_CLOCK } from '../core/host-clock.ts'

/** The way of a welcome is not known: a difference within it may be none. */
const WELCOME_ERROR_MS = 1_000

export class ClusterClock {
  readonly #tell: (clock: HostClock) => void
  #state: ClockState = NO_CLOCK
  /** How far this host's wall clock is ahead, as well as that is known. */
  #aheadMs = 0

  /** @param tell it is news for the control plane */
  constructor(tell: (clock: HostClock) => void) {
    this.#tell = tell
  }

  get info(): HostClock | null {
    return this.#state.clock
  }

  /**
   * A first guess, late by the way that the welcome took. Another session has not heard of the clock yet, and
   * may be with another machine, whose clock is another one.
   */
  welcomed(clusterMs: number): void {
    if (!this.#state.clock) this.#aheadMs = beyond(Date.now() - clusterMs, WELCOME_ERROR_MS)
    this.#state = { ...this.#state, told: null, base: null }
  }

  sampled(sample: ClockSample): void {
    const { state, tell } = measured(this.#state, sample)
    this.#state = state
    if (state.clock) this.#aheadMs = beyond(state.clock.offsetMs, state.clock.errorMs)
    if (tell) this.#tell(tell)
  }

  /** What was written by the host's own clock, at the times of the cluster. */
  inClusterTime(entries: readonly LogEntry[]): LogEntry[] {
    return entries.map((entry) => ({
      ...entry,
      atMs: Math.max(0, Math.round(entry.atMs - this.#aheadMs)),
    }))
  }
}

/** A clock that may well be right is taken as it is: to correct it by chance would mix up what came after what. */
const beyond = (offsetMs: number, errorMs: number): number =>
  Math.abs(offsetMs) > errorMs ? offsetMs : 0
