/** Time Service on a host (S-13): what its clocks are worth, and its log lines by the clock of the cluster. */
import type { HostClock } from '../../schema/host-clock.ts'
import type { LogEntry } from '../../schema/session.ts'
import { type ClockSample, type ClockState, measured, NO_CLOCK } from '../core/host-clock.ts'

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
    if (!this.#state.clock) this.#aheadMs = Date.now() - clusterMs
    this.#state = { ...this.#state, told: null, base: null }
  }

  sampled(sample: ClockSample): void {
    const { state, tell } = measured(this.#state, sample)
    this.#state = state
    this.#aheadMs = state.clock?.offsetMs ?? this.#aheadMs
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
