/** Waiting for an operation. It goes on whether or not anybody waits for it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../schema/errors.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import type { Session } from './session.ts'

/** A group that stood Failed or waiting before gets this long to begin to move. */
const SETTLE_MS = 2_000
/** However quiet the stream is, it looks again after this long. */
const LOOK_MS = 30_000
const RETRY_MS = 500

export type Progress = 'done' | 'going' | 'stuck'
export type Outcome = 'done' | 'problems' | 'timeout' | 'interrupted' | 'notWaited'

export interface Waited<T> {
  readonly outcome: Outcome
  readonly tookMs: number
  readonly last: T
}

/**
 * Looks whenever something has happened, until it is done, stuck for longer than it takes to begin,
 * or too late.
 *
 * @param limitMs null: does not wait at all
 * @param lookMs however quiet it is, it looks again after this long
 */
export async function waitFor<T>(
  session: Session,
  look: () => Promise<T>,
  judge: (seen: T) => Progress,
  limitMs: number | null,
  lookMs: number = LOOK_MS,
): Promise<Waited<T>> {
  const beganMs = performance.now()
  const took = () => Math.round(performance.now() - beganMs)
  if (limitMs === null) return { outcome: 'notWaited', tookMs: took(), last: await look() }
  // Opened first: what happens between a look and the stream's beginning would be missed.
  const feed = await session.feed()
  let last: T
  try {
    last = await look()
  } catch (error) {
    feed.close()
    throw error
  }
  try {
    for (;;) {
      const progress = judge(last)
      if (progress === 'done') return { outcome: 'done', tookMs: took(), last }
      if (progress === 'stuck' && took() > SETTLE_MS)
        return { outcome: 'problems', tookMs: took(), last }
      if (took() >= limitMs) return { outcome: 'timeout', tookMs: took(), last }
      const settleMs = progress === 'stuck' ? SETTLE_MS - took() + 1 : lookMs
      await feed.next(Math.max(1, Math.min(settleMs, limitMs - took())))
      last = (await unlessAway(look)) ?? last
    }
  } catch (error) {
    if (session.signal.aborted) return { outcome: 'interrupted', tookMs: took(), last }
    throw error
  } finally {
    feed.close()
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

/** Asks again until the control plane answers. @throws {DOMException} Ctrl-C */
export async function untilBack<T>(session: Session, look: () => Promise<T>): Promise<T> {
  for (;;) {
    const seen = await unlessAway(look)
    if (seen !== null) return seen
    await sleep(RETRY_MS, undefined, { signal: session.signal })
  }
}

export const EXIT_OF: Readonly<Record<Outcome, ExitCode>> = {
  done: EXIT.done,
  notWaited: EXIT.done,
  problems: EXIT.problems,
  timeout: EXIT.timeout,
  interrupted: EXIT.interrupted,
}
