/**
 * The guard as a pure function: leases, grants, records, and the stop procedure (rules L, G, S3,
 * C2, C3, C6, U2). The shell carries the effects out in their order: what is to be written to the
 * state file is written before what follows it leaves (G9).
 */

import type { GuardToAgent, WorkloadRecord } from '../../schema/ipc.ts'
import type { HeldGroup } from '../../schema/session.ts'
import { PROFILES, type Timing } from '../../schema/timing.ts'
import { unreachable } from '../../schema/unreachable.ts'
import type { ChildSpec, ProcessRef } from '../../schema/workload.ts'
import { type Leases, mayStart, NO_LEASES, renewed, stopTime } from './lease.ts'

/** Everything that a new guard of the same boot needs to know (G9, G10). */
export interface GuardFile {
  readonly boot: string
  readonly timing: Timing
  readonly leases: Leases
  readonly grants: readonly HeldGroup[]
  /** Highest epoch ever granted, or told to stop, per group (C2). */
  readonly seen: readonly HeldGroup[]
  readonly records: readonly WorkloadRecord[]
}

type Stop =
  | { kind: 'lapse' }
  | { kind: 'group'; groupId: string; epoch: number }
  | { kind: 'resource'; resourceId: string; requestId: number }

export interface GuardState extends GuardFile {
  /** The session that a report was made for, and whether it was welcomed. */
  readonly session: { number: number; welcomed: boolean } | null
  /** A challenge that waits until a lapse is over (S3). */
  readonly challenge: number | null
  readonly stops: readonly Stop[]
}

export type GuardEvent =
  | { type: 'challenged'; session: number }
  | { type: 'welcomed'; session: number; timing: Timing }
  | { type: 'sessionClosed'; session: number }
  | { type: 'renewed'; session: number; lease: 'pong' | 'authority'; sentAtMs: number }
  | { type: 'granted'; session: number; groupId: string; epoch: number }
  | { type: 'groupStopAsked'; groupId: string; epoch: number }
  | { type: 'childAsked'; ask: StartAsk; spec: ChildSpec }
  | { type: 'gatePermitAsked'; ask: StartAsk; gateName: string }
  | { type: 'gateAsked'; gateName: string; process: ProcessRef }
  | { type: 'childStarted'; resourceId: string; process: ProcessRef; group: string }
  | { type: 'resourceStopAsked'; resourceId: string; requestId: number }
  /** Seen on processes, not believed (G5): nothing of this resource runs any more. */
  | { type: 'nothingRuns'; resourceId: string }
  | { type: 'everythingMustStop' }
  | { type: 'tick' }

export interface StartAsk {
  readonly requestId: number
  readonly resourceId: string
  readonly groupId: string
  readonly epoch: number
}

export type GuardEffect =
  /** Atomic rename of the state file; what follows may leave only then (G9). */
  | { type: 'persist' }
  /** The same, but nothing waits for it. */
  | { type: 'persistLater' }
  | { type: 'toAgent'; frame: GuardToAgent }
  | { type: 'answerRhs'; requestId: number; ok: boolean; reason?: string; process?: ProcessRef }
  | { type: 'answerGate'; yes: boolean; reason?: string; resourceId?: string }
  | { type: 'killRhs' }
  | { type: 'spawn'; ask: StartAsk; spec: ChildSpec }
  /** SIGKILL everything of the resource, and say `nothingRuns` once that is seen. */
  | { type: 'terminate'; record: WorkloadRecord }

export interface GuardOutcome {
  readonly state: GuardState
  readonly effects: readonly GuardEffect[]
}

export function emptyGuard(boot: string): GuardState {
  return {
    boot,
    timing: PROFILES.standard,
    leases: NO_LEASES,
    grants: [],
    seen: [],
    records: [],
    session: null,
    challenge: null,
    stops: [],
  }
}

/**
 * A new guard (G10): adopts grant and record iff the boot is the same and the stop time in the file
 * has not passed. Everything else that is recorded goes through the stop procedure.
 */
export function adoptGuard(file: GuardFile | null, boot: string, nowMs: number): GuardOutcome {
  const empty = emptyGuard(boot)
  if (!file || file.boot !== boot) return { state: empty, effects: [{ type: 'persist' }] }
  const kept: GuardState = { ...empty, ...file }
  const stop = stopTime(file.leases, file.timing)
  if (!stop || nowMs >= stop.atMs) return lapse(kept, 'pong')
  const granted = (r: WorkloadRecord) =>
    file.grants.some((g) => g.groupId === r.groupId && g.epoch === r.epoch)
  // A record without a grant: a stop was under way.
  const orphans = kept.records.filter((r) => !granted(r))
  return {
    state: {
      ...kept,
      stops: orphans.map((r) => ({ kind: 'group', groupId: r.groupId, epoch: r.epoch })),
    },
    effects: orphans.map((record) => ({ type: 'terminate', record })),
  }
}

export function guardStep(state: GuardState, event: GuardEvent, nowMs: number): GuardOutcome {
  // L5: a lapse that is due comes first, whatever arrived: a late renewal revives nothing.
  const due = lapseDue(state, nowMs)
  if (due && event.type === 'childStarted') {
    // G5: what was forked a moment ago has to be known before it can be ended. A lapse that ended
    // the record without its process would leave it running.
    const known = running(state, event.resourceId, event.process, event.group)
    const lapsed = lapse(known.state, due)
    return { state: lapsed.state, effects: [...known.effects, ...lapsed.effects] }
  }
  if (due && event.type !== 'tick') {
    const lapsed = lapse(state, due)
    const after = guardStep(lapsed.state, event, nowMs)
    return { state: after.state, effects: [...lapsed.effects, ...after.effects] }
  }
  switch (event.type) {
    case 'tick':
      return due ? lapse(state, due) : nothing(state)
    case 'everythingMustStop':
      return lapse(state, 'authority')
    case 'challenged':
      return report({ ...state, session: null, challenge: event.session })
    case 'welcomed':
      return welcome(state, event.session, event.timing)
    case 'sessionClosed':
      return nothing(state.session?.number === event.session ? { ...state, session: null } : state)
    case 'renewed':
      return renew(state, event)
    case 'granted':
      return grant(state, event)
    case 'groupStopAsked':
      return stopGroup(state, event.groupId, event.epoch)
    case 'childAsked':
      return startChild(state, event.ask, event.spec, nowMs)
    case 'gatePermitAsked':
      return permitGate(state, event.ask, event.gateName, nowMs)
    case 'gateAsked':
      return answerGate(state, event.gateName, event.process, nowMs)
    case 'childStarted':
      return running(state, event.resourceId, event.process, event.group)
    case 'resourceStopAsked':
      return stopResource(state, event.resourceId, event.requestId)
    case 'nothingRuns':
      return clear(state, event.resourceId)
    default:
      return unreachable(event)
  }
}

/** When the guard has to look again even if nothing is heard, or null. */
export function guardDeadline(state: GuardState): number | null {
  if (state.grants.length === 0 && state.records.length === 0) return null
  return stopTime(state.leases, state.timing)?.atMs ?? null
}

// ── Leases and sessions ────────────────────────────────────────────────────────────────────────

function lapseDue(state: GuardState, nowMs: number): 'pong' | 'authority' | null {
  if (state.grants.length === 0 && state.records.length === 0) return null
  const stop = stopTime(state.leases, state.timing)
  return stop && nowMs >= stop.atMs ? stop.lease : null
}

/** L4, L5, G5: void all grants (file), kill RHS, terminate all that is recorded. */
function lapse(state: GuardState, lease: 'pong' | 'authority'): GuardOutcome {
  const next: GuardState = {
    ...state,
    leases: NO_LEASES,
    grants: [],
    session: null,
    stops: [...state.stops.filter((s) => s.kind !== 'lapse'), { kind: 'lapse' }],
  }
  const done = finishStops(next)
  return {
    state: done.state,
    effects: [
      { type: 'persist' },
      { type: 'killRhs' },
      ...state.records.map((record) => ({ type: 'terminate' as const, record })),
      { type: 'toAgent', frame: { t: 'lapsed', lease } },
      ...done.effects,
    ],
  }
}

/** S3: made after the challenge, only when nothing is being stopped by a lapse. */
function report(state: GuardState): GuardOutcome {
  if (state.challenge === null || state.stops.some((s) => s.kind === 'lapse')) return nothing(state)
  const held = heldGroups(state)
  const session = state.challenge
  return {
    state: {
      ...state,
      challenge: null,
      session: { number: session, welcomed: false },
      // L2: an empty report resets the lease to none.
      leases: held.length === 0 ? NO_LEASES : state.leases,
    },
    effects: [{ type: 'toAgent', frame: { t: 'held', session, held } }],
  }
}

/** All groups that run or may be restarted locally: grants, and records of stops under way (S3). */
export function heldGroups(state: GuardFile): HeldGroup[] {
  const held = new Map(state.grants.map((g) => [g.groupId, g.epoch]))
  for (const r of state.records) if (!held.has(r.groupId)) held.set(r.groupId, r.epoch)
  return [...held].map(([groupId, epoch]) => ({ groupId, epoch }))
}

function welcome(state: GuardState, session: number, timing: Timing): GuardOutcome {
  if (state.session?.number !== session) return nothing(state)
  return {
    state: { ...state, timing, session: { number: session, welcomed: true } },
    effects: [{ type: 'persist' }],
  }
}

/** L2: only answers on the current, welcomed session renew. */
function renew(state: GuardState, event: Extract<GuardEvent, { type: 'renewed' }>): GuardOutcome {
  if (!state.session?.welcomed || state.session.number !== event.session) return nothing(state)
  const leases = renewed(state.leases, event.lease, event.sentAtMs, state.timing)
  // G9: a renewed deadline is written after the answer that renewed it. Nothing waits for it.
  return { state: { ...state, leases }, effects: [{ type: 'persistLater' }] }
}

/** U2 is the agent's check; C2 is made here, where the memory of epochs outlives the agent. */
function grant(state: GuardState, event: Extract<GuardEvent, { type: 'granted' }>): GuardOutcome {
  const { groupId, epoch, session } = event
  const deny = (reason: string): GuardOutcome => ({
    state,
    effects: [{ type: 'toAgent', frame: { t: 'denied', groupId, epoch, reason } }],
  })
  if (!state.session?.welcomed || state.session.number !== session) return deny('C1: other session')
  const seen = epochOf(state.seen, groupId)
  if (seen !== undefined && epoch <= seen) return deny(`C2: epoch ${seen} was seen already`)
  const held = epochOf(heldGroups(state), groupId)
  if (held !== undefined) return deny(`C5: epoch ${held} is not stopped yet`)
  return {
    state: {
      ...state,
      grants: [...state.grants, { groupId, epoch }],
      seen: put(state.seen, { groupId, epoch }),
    },
    effects: [{ type: 'persist' }, { type: 'toAgent', frame: { t: 'granted', groupId, epoch } }],
  }
}

// ── Starts ─────────────────────────────────────────────────────────────────────────────────────

/** G2, G3, C3: why the guard says no, or null when it may say yes. */
function whyNot(state: GuardState, ask: StartAsk, nowMs: number): string | null {
  if (epochOf(state.grants, ask.groupId) !== ask.epoch) return 'noGrant'
  if (state.stops.some((s) => s.kind !== 'resource' && !isOther(s, ask.groupId))) return 'stopping'
  if (state.stops.some((s) => s.kind === 'resource' && s.resourceId === ask.resourceId))
    return 'stopping'
  if (!mayStart(state.leases, state.timing, nowMs)) return 'noLease'
  return null
}

const isOther = (s: Stop, groupId: string) => s.kind === 'group' && s.groupId !== groupId

/** G4 (a): one step in the guard, with the lease check; recorded as starting first (G3). */
function startChild(
  state: GuardState,
  ask: StartAsk,
  spec: ChildSpec,
  nowMs: number,
): GuardOutcome {
  const reason = whyNot(state, ask, nowMs)
  if (reason) return { state, effects: [answer(ask, false, reason)] }
  const known = recordOf(state, ask.resourceId)
  if (known?.process) return { state, effects: [{ ...answer(ask, true), process: known.process }] }
  return {
    state: withRecord(state, { ...ask, way: 'child', phase: 'starting', process: null }),
    effects: [{ type: 'persist' }, { type: 'spawn', ask, spec }],
  }
}

/** G4 (b): recorded; the gate process has to ask for itself, so nothing can be late (T_x = 0). */
function permitGate(
  state: GuardState,
  ask: StartAsk,
  gateName: string,
  nowMs: number,
): GuardOutcome {
  const reason = whyNot(state, ask, nowMs)
  if (reason) return { state, effects: [answer(ask, false, reason)] }
  const known = recordOf(state, ask.resourceId)
  if (known?.process) return { state, effects: [{ ...answer(ask, true), process: known.process }] }
  const record = {
    ...ask,
    way: 'gate' as const,
    phase: 'starting' as const,
    gateName,
    process: null,
  }
  return {
    state: withRecord(state, record),
    effects: [{ type: 'persist' }, answer(ask, true)],
  }
}

/** The gate process itself asks, as the last thing before it becomes the workload. */
function answerGate(
  state: GuardState,
  gateName: string,
  process: ProcessRef,
  nowMs: number,
): GuardOutcome {
  const no = (reason: string): GuardOutcome => ({
    state,
    effects: [{ type: 'answerGate', yes: false, reason }],
  })
  const record = state.records.find((r) => r.gateName === gateName)
  if (!record) return no('nothing of that name may start')
  if (record.process) return no('it runs already')
  const reason = whyNot(state, { ...record, requestId: 0 }, nowMs)
  if (reason) return no(reason)
  return {
    state: withRecord(state, { ...record, phase: 'running', process }),
    effects: [
      { type: 'persist' },
      { type: 'answerGate', yes: true, resourceId: record.resourceId },
    ],
  }
}

function running(
  state: GuardState,
  resourceId: string,
  process: ProcessRef,
  group: string,
): GuardOutcome {
  const record = recordOf(state, resourceId)
  if (!record) return nothing(state)
  return {
    state: withRecord(state, { ...record, phase: 'running', process, group }),
    effects: [{ type: 'persist' }],
  }
}

// ── Stops (G5) ─────────────────────────────────────────────────────────────────────────────────

/** Offline or give-up of one group: the grant goes first, in the file too; then what runs. */
function stopGroup(state: GuardState, groupId: string, epoch: number): GuardOutcome {
  const held = epochOf(heldGroups(state), groupId)
  if (held !== undefined && held !== epoch) return nothing(state)
  const next: GuardState = {
    ...state,
    grants: state.grants.filter((g) => g.groupId !== groupId),
    seen: put(state.seen, { groupId, epoch: Math.max(epoch, epochOf(state.seen, groupId) ?? 0) }),
    stops: [...state.stops, { kind: 'group', groupId, epoch }],
  }
  const done = finishStops(next)
  return {
    state: done.state,
    effects: [
      { type: 'persist' },
      // G7: RHS holds no yes that has an effect without the guard: child and gate both ask here.
      ...state.records
        .filter((r) => r.groupId === groupId)
        .map((record) => ({ type: 'terminate' as const, record })),
      ...done.effects,
    ],
  }
}

/** One resource: its grant stays, its record ends. */
function stopResource(state: GuardState, resourceId: string, requestId: number): GuardOutcome {
  const record = recordOf(state, resourceId)
  const next: GuardState = {
    ...state,
    stops: [...state.stops, { kind: 'resource', resourceId, requestId }],
  }
  const done = finishStops(next)
  return {
    state: done.state,
    effects: [...(record ? [{ type: 'terminate' as const, record }] : []), ...done.effects],
  }
}

/** Nothing of it runs: the record ends (file), and only then is anything acked (G5, G9). */
function clear(state: GuardState, resourceId: string): GuardOutcome {
  if (!recordOf(state, resourceId)) return nothing(state)
  const records = state.records.filter((r) => r.resourceId !== resourceId)
  const done = finishStops({ ...state, records })
  // Where nothing is acked the file may follow later: a record of what is dead ends by itself.
  const persist = { type: done.effects.length > 0 ? 'persist' : 'persistLater' } as const
  return { state: done.state, effects: [persist, ...done.effects] }
}

/** Acks every stop that has nothing left on record; then a waiting challenge is answered. */
function finishStops(state: GuardState): GuardOutcome {
  const effects: GuardEffect[] = []
  const left = state.stops.filter((stop) => {
    if (state.records.some((r) => concerns(stop, r))) return true
    if (stop.kind === 'group') {
      const { groupId, epoch } = stop
      effects.push({ type: 'toAgent', frame: { t: 'stopped', groupId, epoch } })
    }
    if (stop.kind === 'resource')
      effects.push({ type: 'answerRhs', requestId: stop.requestId, ok: true })
    return false
  })
  const reported = report({ ...state, stops: left })
  return { state: reported.state, effects: [...effects, ...reported.effects] }
}

function concerns(stop: Stop, record: WorkloadRecord): boolean {
  if (stop.kind === 'lapse') return true
  return stop.kind === 'group'
    ? stop.groupId === record.groupId
    : stop.resourceId === record.resourceId
}

// ── Small things ───────────────────────────────────────────────────────────────────────────────

const nothing = (state: GuardState): GuardOutcome => ({ state, effects: [] })

const recordOf = (state: GuardState, resourceId: string) =>
  state.records.find((r) => r.resourceId === resourceId)

const epochOf = (list: readonly HeldGroup[], groupId: string) =>
  list.find((g) => g.groupId === groupId)?.epoch

const put = (list: readonly HeldGroup[], row: HeldGroup) => [
  ...list.filter((g) => g.groupId !== row.groupId),
  row,
]

function withRecord(state: GuardState, r: WorkloadRecord & { requestId?: number }): GuardState {
  const { requestId: _, ...record } = r
  return {
    ...state,
    records: [...state.records.filter((x) => x.resourceId !== record.resourceId), record],
  }
}

function answer(ask: StartAsk, ok: boolean, reason?: string) {
  return {
    type: 'answerRhs' as const,
    requestId: ask.requestId,
    ok,
    ...(reason !== undefined && { reason }),
  }
}
