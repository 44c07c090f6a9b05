/** Waiting for an operation. It goes on whether or not anybody waits for it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../schema/errors.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'

/** How often it looks: at first often, since most things take milliseconds, then less so. */
const POLL_MIN_MS = 20
const POLL_MAX_MS = 200
/** A group that stood Failed or waiting before gets this long to begin to move. */
const SETTLE_MS = 2_000

export type Progress = 'done' | 'going' | 'stuck'
export type Outcome = 'done' | 'problems' | 'timeout' | 'interrupted' | 'notWaited'

export interface Waited<T> {
  readonly outcome: Outcome
  readonly tookMs: number
  readonly last: T
}

/**
 * Looks again and again until it is done, stuck for longer than it takes to begin, or too late.
 *
 * @param limitMs null: does not wait at all
 */
export async function waitFor<T>(
  look: () => Promise<T>,
  judge: (seen: T) => Progress,
  limitMs: number | null,
  signal: AbortSignal,
): Promise<Waited<T>> {
  const beganMs = performance.now()
  const took = () => Math.round(performance.now() - beganMs)
  let last = await look()
  if (limitMs === null) return { outcome: 'notWaited', tookMs: took(), last }
  try {
    for (;;) {
      const progress = judge(last)
      if (progress === 'done') return { outcome: 'done', tookMs: took(), last }
      if (progress === 'stuck' && took() > SETTLE_MS)
        return { outcome: 'problems', tookMs: took(), last }
      if (took() >= limitMs) return { outcome: 'timeout', tookMs: took(), last }
      const pauseMs = Math.min(POLL_MAX_MS, POLL_MIN_MS + took() / 5)
      await sleep(pauseMs, undefined, { signal })
      last = (await unlessAway(look)) ?? last
    }
  } catch (error) {
    if (signal.aborted) return { outcome: 'interrupted', tookMs: took(), last }
    throw error
  }
}

/** A control plane that is being restarted is back in a moment: the wait goes on. */
export async function unlessAway<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look()
  } catch (error) {
    if (error instanceof HoldfastError && error.refusal.code === 'UNAVAILABLE') return null
    throw error
  }
}

export const EXIT_OF: Readonly<Record<Outcome, ExitCode>> = {
  done: EXIT.done,
  notWaited: EXIT.done,
  problems: EXIT.problems,
  timeout: EXIT.timeout,
  interrupted: EXIT.interrupted,
}
