import {
  adoptGuard,
  emptyGuard,
  type GuardEffect,
  type GuardEvent,
  type GuardFile,
  type GuardOutcome,
  type GuardState,
  guardStep,
  heldGroups,
  type StartAsk,
} from '../../probe/core/guard.ts'
import { stopTime } from '../../probe/core/lease.ts'
import type { PolicyTold } from '../../schema/fencing.ts'
import type { WorkloadRecord } from '../../schema/ipc.ts'
import { PROFILES, type Timing } from '../../schema/timing.ts'

export const WEB = '00000000-0000-4000-8000-0000000000f1'
export const DB = '00000000-0000-4000-8000-0000000000f2'
export const GUARD = '00000000-0000-4000-8000-0000000000e1'
export const NGINX = '00000000-0000-4000-8000-00000000000a'
export const PG = '00000000-0000-4000-8000-00000000000b'
export const T: Timing = PROFILES.standard
/** The policy of a cluster that never had another one. */
export const LEASE: PolicyTold = { takeover: 'lease', number: 0 }
export const SPEC = { command: '/bin/true', args: [], env: {} }
export const PROCESS = { pid: 42, startTicks: 7 }

/** A guard with its clock, its file, and what it did. What it promises is checked at every step. */
export class GuardBench {
  state: GuardState = emptyGuard('boot-1', GUARD)
  /** What a crash would leave: written by `persist`, at once or later. */
  file: GuardFile | null = null
  nowMs = 0
  effects: readonly GuardEffect[] = []
  readonly granted = new Map<string, number>()
  requestId = 0

  /** Nothing of the start that is on record runs any more. */
  gone(resourceId: string): readonly GuardEffect[] {
    const record = this.state.records.find((r) => r.resourceId === resourceId)
    return this.step({ type: 'nothingRuns', resourceId, process: record?.process ?? null })
  }

  step(event: GuardEvent): readonly GuardEffect[] {
    return this.#take(guardStep(this.state, event, this.nowMs), event)
  }

  #take(outcome: GuardOutcome, event: GuardEvent | null): readonly GuardEffect[] {
    const before = this.state
    this.state = outcome.state
    this.effects = outcome.effects
    this.#check(before, event)
    return this.effects
  }

  /** The guard dies and comes back, with the file as it was written (G10). */
  restart(boot = 'boot-1'): readonly GuardEffect[] {
    const file = this.file && (JSON.parse(JSON.stringify(this.file)) as GuardFile)
    return this.#take(adoptGuard(file, boot, GUARD, this.nowMs), null)
  }

  // ── Short cuts ─────────────────────────────────────────────────────────────────────────────

  session(number: number): this {
    this.step({ type: 'challenged', session: number })
    this.step({ type: 'welcomed', session: number, timing: T, policy: LEASE })
    return this
  }

  renew(session: number, sentAtMs = this.nowMs): this {
    for (const lease of ['pong', 'authority'] as const)
      this.step({ type: 'renewed', session, lease, sentAtMs })
    return this
  }

  /** Welcomed, both leases, a grant of `web` at epoch 1. */
  ready(): this {
    this.session(1).renew(1)
    this.step({ type: 'granted', session: 1, groupId: WEB, epoch: 1 })
    return this
  }

  ask(over: Partial<StartAsk> = {}): StartAsk {
    this.requestId += 1
    return { requestId: this.requestId, resourceId: NGINX, groupId: WEB, epoch: 1, ...over }
  }

  child(over: Partial<StartAsk> = {}): readonly GuardEffect[] {
    return this.step({ type: 'childAsked', ask: this.ask(over), spec: SPEC })
  }

  started(resourceId = NGINX): readonly GuardEffect[] {
    return this.step({
      type: 'childStarted',
      resourceId,
      process: PROCESS,
      group: `w-${resourceId}`,
    })
  }

  get types(): string[] {
    return this.effects.map((e) => e.type)
  }

  get toAgent() {
    return this.effects.flatMap((e) => (e.type === 'toAgent' ? [e.frame] : []))
  }

  /** Why a start was refused, or null. */
  get refusal(): string | null {
    for (const e of this.effects) {
      if (e.type === 'answerRhs' && !e.ok) return e.reason ?? ''
      if (e.type === 'answerGate' && !e.yes) return e.reason ?? ''
    }
    return null
  }

  // ── What holds at every step ───────────────────────────────────────────────────────────────

  #check(before: GuardState, event: GuardEvent | null): void {
    let written = false
    for (const effect of this.effects) {
      if (effect.type === 'persist' || effect.type === 'persistLater') {
        written ||= effect.type === 'persist'
        const { boot, guard, timing, policy, leases, grants, seen, records } = this.state
        const { copies, begun } = this.state
        this.file = { boot, guard, timing, policy, leases, grants, seen, records, copies, begun }
      }
      this.#checkEffect(effect, before, written, event)
    }
    const { grants, stops, records } = this.state
    if (new Set(grants.map((g) => g.groupId)).size !== grants.length) fail('two grants of a group')
    if (stops.some((s) => s.kind === 'lapse') && grants.length > 0) fail('L5: a grant in a lapse')
    const bound = before.policy.takeover === 'lease'
    const due = event && bound ? stopTime(before.leases, before.timing) : null
    if (due && this.nowMs >= due.atMs)
      for (const was of before.grants)
        if (grants.some((g) => g.groupId === was.groupId && g.epoch === was.epoch))
          fail('L5: a grant outlives its stop time')
    // G5: a record ends because nothing runs, and by nothing else.
    if (event !== null)
      for (const was of before.records)
        if (!records.some((r) => r.resourceId === was.resourceId))
          if (
            event.type !== 'nothingRuns' ||
            event.resourceId !== was.resourceId ||
            event.process?.pid !== was.process?.pid
          )
            fail('G5: a record was dropped')
  }

  #checkEffect(
    effect: GuardEffect,
    before: GuardState,
    written: boolean,
    event: GuardEvent | null,
  ): void {
    switch (effect.type) {
      case 'spawn':
        this.#checkStart(effect.ask.resourceId, written)
        break
      case 'answerGate':
        if (!effect.yes) break
        if (effect.resourceId !== undefined) this.#checkStart(effect.resourceId, written)
        else this.#checkCopy(event, written)
        break
      case 'adopt':
        this.#checkAdopted(effect.record, before)
        break
      case 'answerRhs':
        // The yes to a request for a gate; a stop is answered when nothing is on record (G5).
        if (!effect.ok) break
        if (event?.type === 'gatePermitAsked') this.#checkStart(event.ask.resourceId, true)
        else if (event?.type !== 'childAsked' && this.state.records.length > before.records.length)
          fail('a stop left a record')
        break
      case 'toAgent':
        this.#checkFrame(effect.frame, written)
        break
    }
  }

  /** M4: on record under its grant, and known from a copy of the epoch before. */
  #checkAdopted(record: WorkloadRecord, before: GuardState): void {
    const { groupId, epoch, process } = record
    if (!this.state.records.includes(record)) fail('M4: a copy that is not on record')
    if (!this.state.grants.some((g) => g.groupId === groupId && g.epoch === epoch))
      fail('M4: a copy without a grant')
    const copy = before.copies.find((c) => c.process?.pid === process?.pid)
    if (!copy || copy.ending || copy.epoch !== epoch - 1) fail('M4: not the copy of the source')
  }

  #checkFrame(frame: Extract<GuardEffect, { type: 'toAgent' }>['frame'], written: boolean): void {
    if (frame.t === 'granted') {
      if (!written) fail('G9: granted before it was written')
      if (frame.epoch <= (this.granted.get(frame.groupId) ?? 0)) fail('C2: an epoch came twice')
      this.granted.set(frame.groupId, frame.epoch)
    }
    if (frame.t === 'stopped') {
      if (!written) fail('G9: stopped before it was written')
      const { groupId } = frame
      if (heldGroups(this.state).some((g) => g.groupId === groupId)) fail('G5: not stopped yet')
    }
    if (frame.t === 'policyTaken') {
      if (!written) fail('G9: said to be bound by the leases before it was written')
      if (this.state.policy.takeover !== 'lease') fail('said to be bound by the leases, and is not')
    }
    if (frame.t === 'lapsed' && this.state.grants.length > 0) fail('L5: grants outlive a lapse')
    if (frame.t === 'held') {
      if (this.state.stops.some((s) => s.kind === 'lapse')) fail('S3: a report in a lapse')
      if (JSON.stringify(frame.held) !== JSON.stringify(heldGroups(this.state)))
        fail('S3: not all that is held')
    }
  }

  /** M1: asked for and recorded, and it does not execute. */
  #checkCopy(event: GuardEvent | null, written: boolean): void {
    if (!written) fail('G9: a copy came in before it was written')
    if (event?.type !== 'gateAsked' || !event.incoming) return fail('M1: it would execute')
    if (!this.state.copies.some((c) => c.process?.pid === event.process.pid && !c.ending))
      fail('M1: a copy that nobody has asked for')
  }

  /** G3, C3: a standing grant, both leases, no stop under way, recorded and written first. */
  #checkStart(resourceId: string, written: boolean): void {
    if (!written) fail('G9: a start before it was written')
    const record = this.state.records.find((r) => r.resourceId === resourceId)
    if (!record) return fail('G3: a start that is not recorded')
    const granted = this.state.grants.some(
      (g) => g.groupId === record.groupId && g.epoch === record.epoch,
    )
    if (!granted) fail('C3: a start without a grant')
    // Under policy `fence` the grant is enough: nobody else may run it while this boot is not over.
    if (this.state.policy.takeover === 'fence') return
    const { pongEndMs, authorityEndMs } = this.state.leases
    for (const end of [pongEndMs, authorityEndMs])
      if (end === null || this.nowMs >= end - this.state.timing.stopMs) fail('L3: without a lease')
  }
}

function fail(what: string): void {
  throw new Error(what)
}
