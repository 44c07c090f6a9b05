/** How this host's clocks stand to the control plane's, from the confirms that it sends anyway (S-13). */
import type { HostClock } from '../../schema/host-clock.ts'

/** One confirm and its answer. */
export interface ClockSample {
  /** By the steady clock of this host. */
  readonly sentMs: number
  readonly receivedMs: number
  /** By its wall clock, when the answer was received. */
  readonly wallMs: number
  /** By the control plane's clock: when the confirm had come, and when it was answered. */
  readonly heardMs: number
  readonly saidMs: number
}

export interface ClockState {
  readonly clock: HostClock | null
  /** When its offset was measured, by the steady clock. */
  readonly atMs: number
  /** What was told last. */
  readonly told: HostClock | null
  readonly toldAtMs: number
  /** Where the drift is measured from. */
  readonly base: Mark | null
}

interface Mark {
  readonly steadyMs: number
  readonly clusterMs: number
  readonly errorMs: number
}

export const NO_CLOCK: ClockState = { clock: null, atMs: 0, told: null, toldAtMs: 0, base: null }

/** A drift is told when it is surely within so much. */
const DRIFT_ERROR_PPM = 500
/** What was told stands for so long, unless the offset has changed by more than is left to chance. */
const TELL_EVERY_MS = 3_600_000
const TELL_CHANGE_MS = 20
/** Then the drift is measured anew: what a clock did yesterday is another matter. */
const BASE_AGE_MS = 3_600_000
/** So much worse an offset becomes with its age: what time daemons correct a clock by at most. */
const AGING_PPM = 500

/** @returns the state after it, and the clock where it is to be told */
export function measured(
  state: ClockState,
  sample: ClockSample,
): { state: ClockState; tell: HostClock | null } {
  const tripMs = sample.receivedMs - sample.sentMs - (sample.saidMs - sample.heardMs)
  const errorMs = Math.max(0, tripMs) / 2
  const clusterMs = sample.saidMs + errorMs
  const now: Mark = { steadyMs: sample.receivedMs, clusterMs, errorMs }
  const { driftPpm, base } = drift(state, now)
  const { offset, atMs } = better(state, sample.receivedMs, {
    offsetMs: round(sample.wallMs - clusterMs),
    errorMs: round(errorMs),
  })
  const clock: HostClock = { ...offset, driftPpm }
  const tell = isNews(state, clock, sample.receivedMs)
  return {
    state: {
      ...{ clock, base, atMs },
      told: tell ? clock : state.told,
      toldAtMs: tell ? sample.receivedMs : state.toldAtMs,
    },
    tell: tell ? clock : null,
  }
}

type Offset = Pick<HostClock, 'offsetMs' | 'errorMs'>

/** An answer that was long under way says little: what is known better stands, if both can be true. */
function better(
  { clock, atMs }: ClockState,
  nowMs: number,
  now: Offset,
): { offset: Offset; atMs: number } {
  const agedMs = clock ? clock.errorMs + ((nowMs - atMs) * AGING_PPM) / 1e6 : 0
  if (!clock || agedMs >= now.errorMs) return { offset: now, atMs: nowMs }
  if (Math.abs(clock.offsetMs - now.offsetMs) > agedMs + now.errorMs)
    return { offset: now, atMs: nowMs }
  return { offset: { offsetMs: clock.offsetMs, errorMs: clock.errorMs }, atMs }
}

/** The better the two ends are known, the sooner a rate can be told from them. */
function drift({ base, clock }: ClockState, now: Mark): { driftPpm: number | null; base: Mark } {
  if (!base || now.steadyMs <= base.steadyMs) return { driftPpm: null, base: now }
  const spanMs = now.steadyMs - base.steadyMs
  const known = clock?.driftPpm ?? null
  if (((base.errorMs + now.errorMs) / spanMs) * 1e6 > DRIFT_ERROR_PPM)
    return { driftPpm: known, base }
  const clusterSpanMs = now.clusterMs - base.clusterMs
  const driftPpm = Math.round(((spanMs - clusterSpanMs) / spanMs) * 1e6)
  return { driftPpm: bounded(driftPpm), base: spanMs > BASE_AGE_MS ? now : base }
}

const bounded = (ppm: number) => Math.max(-1e6, Math.min(1e6, ppm))

function isNews({ told, toldAtMs }: ClockState, clock: HostClock, nowMs: number): boolean {
  if (!told || nowMs - toldAtMs > TELL_EVERY_MS) return true
  const changedMs = Math.abs(clock.offsetMs - told.offsetMs)
  if (changedMs > Math.max(TELL_CHANGE_MS, clock.errorMs + told.errorMs)) return true
  if (told.driftPpm === null || clock.driftPpm === null) return told.driftPpm !== clock.driftPpm
  return Math.abs(clock.driftPpm - told.driftPpm) > 2 * DRIFT_ERROR_PPM
}

const round = (ms: number) => Math.round(ms * 10) / 10
