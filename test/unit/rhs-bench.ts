import { expect } from 'vitest'
import {
  type CallOutcome,
  emptyRhs,
  type RhsEffect,
  type RhsEvent,
  rhsDeadline,
  rhsStep,
} from '../../probe/core/rhs.ts'
import type { HeldResource } from '../../schema/ipc.ts'
import type { ReportedStatus } from '../../schema/status.ts'

export const A = '00000000-0000-4000-8000-00000000000a'
export const B = '00000000-0000-4000-8000-00000000000b'
export const GROUP = '00000000-0000-4000-8000-0000000000f0'

export const heldResource = (over: Partial<HeldResource> = {}): HeldResource => ({
  guid: A,
  name: 'nginx',
  groupId: GROUP,
  epoch: 1,
  type: 'process',
  properties: {},
  persistentState: 1,
  target: 1,
  leaving: false,
  stopHere: 'no',
  dependent: false,
  hiveSeq: 1,
  restart: { attempts: 2, periodMs: 60_000, delayMs: 500, retryAfterMs: 3_600_000 },
  poll: { isAliveMs: 5_000, looksAliveMs: 60_000, pendingMs: 10_000, deadlockMs: 30_000 },
  ...over,
})

/** RHS with its clock and what it asked for. */
export class Bench {
  readonly state = emptyRhs()
  nowMs = 0
  effects: RhsEffect[] = []
  /** Most modules have no `retry`; then what fails has failed (S-33, S-42). */
  hasRetry = false

  step(event: RhsEvent): RhsEffect[] {
    this.effects = [...rhsStep(this.state, event, this.nowMs)]
    // A passed deadline is taken in the step that sees it, or the timer spins.
    const at = rhsDeadline(this.state)
    if (at !== null) expect(at, JSON.stringify(this.run(A))).toBeGreaterThan(this.nowMs)
    return this.effects
  }

  run(guid = A) {
    return this.state.runs.get(guid)
  }

  hold(over: Partial<HeldResource> = {}, onRecord = false): RhsEffect[] {
    const held = heldResource(over)
    const guids = onRecord ? [held.guid] : []
    return this.step({ type: 'held', resources: [held], onRecord: new Set(guids) })
  }

  /** The entry point under way ends. */
  end(outcome: CallOutcome = { ok: true }, guid = A): RhsEffect[] {
    const call = this.run(guid)?.call
    if (!call) throw new Error('nothing is called')
    this.step({ type: 'callEnded', guid, id: call.id, outcome })
    const next = this.run(guid)?.call
    if (next?.fn === 'retry' && !this.hasRetry)
      this.step({ type: 'callEnded', guid, id: next.id, outcome: { ok: 'notImplemented' } })
    return this.effects
  }

  push(status: ReportedStatus, detail = '', guid = A): RhsEffect[] {
    return this.step({ type: 'pushed', guid, status, detail })
  }

  wait(ms: number): RhsEffect[] {
    this.nowMs += ms
    return this.step({ type: 'tick' })
  }

  /** Every check under way ends with this status. */
  answer(status: ReportedStatus): RhsEffect[] {
    const effects: RhsEffect[] = []
    for (const [key, { id }] of this.state.polls)
      effects.push(...this.step({ type: 'pollEnded', key, id, answers: [{ guid: A, status }] }))
    return effects
  }

  online(over: Partial<HeldResource> = {}): this {
    this.hold(over)
    this.end()
    this.end()
    expect(this.run()?.status).toBe('online')
    return this
  }

  get calls(): string[] {
    return this.effects.flatMap((e) => (e.type === 'call' ? [e.fn] : []))
  }

  get reports() {
    return this.effects.flatMap((e) => (e.type === 'report' ? e.items : []))
  }

  get log(): string[] {
    return this.effects.flatMap((e) => (e.type === 'log' ? [e.message] : []))
  }

  polls(fn: 'isAlive' | 'looksAlive' = 'isAlive') {
    return this.effects.flatMap((e) => (e.type === 'poll' && e.fn === fn ? [e] : []))
  }
}
