import type { LossEvidence } from '../schema/event.ts'
import { type Timing, waitMs } from '../schema/timing.ts'

/** A socket of a welcomed session, as the runtime shows it. */
export interface OpenSession {
  readonly nodeId: string
  readonly welcomedMs: number
  /** When the runtime last answered a ping on it, or null. */
  readonly lastAnswerMs: number | null
}

interface Lost {
  readonly closedMs: number
  readonly lastAnswerMs: number
  readonly cause: 'socketClosed' | 'silent'
  /** Part of the wait that had passed when the socket was closed. */
  readonly creditMs: number
  /** Waited since, by timers of this instance (D6). */
  timedMs: number
}

/**
 * What this instance knows of the silence of nodes (rules D1 to D6). It never compares times of two
 * instances: a new one begins with nothing, and then only path (b) is open.
 */
export class Liveness {
  readonly #lost = new Map<string, Lost>()
  /** When this instance last answered a confirm of the node. */
  readonly #confirmed = new Map<string, number>()
  #graceMs: number | null = null
  #graceTimedMs = 0

  /** D5: read after the first durable write of this instance. */
  beginGrace(nowMs: number): void {
    this.#graceMs ??= nowMs
  }

  get graceBegun(): boolean {
    return this.#graceMs !== null
  }

  confirmed(nodeId: string, nowMs: number): void {
    this.#confirmed.set(nodeId, nowMs)
  }

  welcomed(nodeId: string): void {
    this.#lost.delete(nodeId)
  }

  /** The hive no longer has it Up. */
  forget(nodeId: string): void {
    this.#lost.delete(nodeId)
    this.#confirmed.delete(nodeId)
  }

  isLost(nodeId: string): boolean {
    return this.#lost.has(nodeId)
  }

  /**
   * The node's welcomed socket is closed now; `lastAnswerMs` was read in the same synchronous step
   * (D1, D2).
   *
   * Time before the close is known by the wall clock alone, which may have stepped forward: then
   * all sessions would look silent at once. So it counts only when some other session was answered
   * just now, and only as far as the suspicion deadline explains it; else the whole wait is done by
   * timer (D6). A step smaller than a ping is for the margin m to cover (A1).
   *
   * @param freshestMs when any other open session was last answered, or null if there is none
   */
  closed(
    session: OpenSession,
    nowMs: number,
    cause: Lost['cause'],
    t: Timing,
    freshestMs: number | null,
  ): void {
    const answered = Math.max(session.lastAnswerMs ?? nowMs, session.welcomedMs)
    const age = Math.max(0, nowMs - answered)
    const vouched = isVouched(freshestMs, nowMs, t)
    this.#lost.set(session.nodeId, {
      closedMs: nowMs,
      lastAnswerMs: answered,
      cause,
      creditMs: vouched && age <= t.ttlMs + t.marginMs ? age : 0,
      timedMs: 0,
    })
  }

  /** A timer of this instance that was started for `ms` has fired: so much has surely passed. */
  timerFired(nodeId: string, ms: number): void {
    const lost = this.#lost.get(nodeId)
    if (lost) lost.timedMs += ms
    else this.#graceTimedMs += ms
  }

  /** Evidence for declaring the node Down as far as it goes; the core checks it against D3. */
  evidence(nodeId: string, nowMs: number): LossEvidence | null {
    const lost = this.#lost.get(nodeId)
    if (lost)
      return {
        path: 'pong',
        waitedMs: Math.max(
          0,
          Math.min(nowMs - (lost.closedMs - lost.creditMs), lost.creditMs + lost.timedMs),
        ),
        lastAnswerMs: lost.lastAnswerMs,
        closedMs: lost.closedMs,
        cause: lost.cause,
      }
    if (this.#graceMs === null) return null
    const confirmedMs = Math.max(this.#graceMs, this.#confirmed.get(nodeId) ?? 0)
    return { path: 'authority', waitedMs: Math.max(0, nowMs - confirmedMs), confirmedMs }
  }

  /** Milliseconds until the node may be declared Down, or null when it has not been lost. */
  remainingMs(nodeId: string, nowMs: number, t: Timing): number | null {
    const evidence = this.evidence(nodeId, nowMs)
    if (!evidence) return null
    const needed = waitMs(evidence.path === 'pong' ? t.ttlMs : t.ttlAuthorityMs, t.marginMs)
    return Math.max(0, needed - evidence.waitedMs) + 1
  }
}

/**
 * Whether some other session was answered just now. If none was, it may have been this control plane
 * that was away, and not the nodes.
 */
export function isVouched(freshestMs: number | null, nowMs: number, t: Timing): boolean {
  return freshestMs !== null && nowMs - freshestMs <= t.pingMs + t.marginMs
}

/** When an open session becomes suspect: nothing answered for TTL. Then its socket is closed. */
export function suspicionMs(session: OpenSession, t: Timing): number {
  return Math.max(session.lastAnswerMs ?? 0, session.welcomedMs) + t.ttlMs
}
