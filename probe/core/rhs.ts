/**
 * RHS as a pure function: when to call which entry point of which resource, what to make of the
 * answer, and what to report (S-26 to S-36, S-61 to S-80). It compares what a module reports with
 * what is wanted and acts on a mismatch only. It knows nothing of other nodes and never fails over:
 * it reports (S-01).
 */
import type { HeldResource } from '../../schema/ipc.ts'
import type { StatusItem } from '../../schema/session.ts'
import type { ReportedStatus } from '../../schema/status.ts'
import { unreachable } from '../../schema/unreachable.ts'
import { afterFailure } from './restart-policy.ts'

export type EntryPoint = 'open' | 'close' | 'online' | 'offline' | 'terminate'

export interface Run {
  readonly held: HeldResource
  readonly status: ReportedStatus
  readonly detail: string | undefined
  /** The entry point that is being called now; one at a time per resource. */
  readonly call: {
    readonly fn: EntryPoint
    readonly id: number
    readonly deadlineMs: number
  } | null
  readonly opened: boolean
  /** Something of it is on the guard's record: look before starting (adoption, G8). */
  readonly adopt: boolean
  readonly restarts: readonly number[]
  readonly gaveUp: boolean
  readonly restartAtMs: number | null
  /** When the status last changed: a check that was begun before says nothing about it. */
  readonly changedMs: number
  /** Stopped by its own manager: nothing is done until the hive says what is wanted now (S-62). */
  readonly deliberate: boolean
  readonly isAliveAtMs: number
  readonly looksAliveAtMs: number
  readonly correlationId: string | undefined
  /** To be closed once its call is over. */
  readonly dropping: boolean
}

interface Poll {
  readonly id: number
  readonly startedMs: number
  readonly deadlineMs: number
}

export interface RhsState {
  readonly runs: ReadonlyMap<string, Run>
  readonly nextCall: number
  /** Polls under way: `group type fn` → call id and deadline. */
  readonly polls: ReadonlyMap<string, Poll>
}

export type RhsEvent =
  | { type: 'held'; resources: readonly HeldResource[]; onRecord: ReadonlySet<string> }
  | { type: 'dropped'; guids: readonly string[] }
  | { type: 'toldAgain' }
  | { type: 'callEnded'; guid: string; id: number; outcome: CallOutcome }
  | { type: 'progressed'; guid: string; id: number; note: string }
  | {
      type: 'pollEnded'
      key: string
      id: number
      answers: readonly { guid: string; status: ReportedStatus; detail?: string }[]
    }
  /** The module's own manager says so (S-36), or the guard saw the process end. */
  | { type: 'pushed'; guid: string; status: ReportedStatus; detail: string }
  | { type: 'tick' }

export type CallOutcome =
  | { ok: true }
  | { ok: false; error: string }
  /** The guard said no for now (no lease, a stop under way): not a failure of the resource. */
  | { ok: false; refused: string }
  /** The module has no such function: discarded, nothing changes (S-33). */
  | { ok: 'notImplemented' }

export type RhsEffect =
  | { type: 'call'; fn: EntryPoint; guid: string; id: number }
  | { type: 'abort'; guid: string; id: number }
  | { type: 'poll'; fn: 'isAlive' | 'looksAlive'; key: string; id: number; guids: string[] }
  | { type: 'report'; items: StatusItem[] }
  | { type: 'log'; guid: string; message: string }
  | { type: 'closed'; guid: string }

export interface RhsOutcome {
  readonly state: RhsState
  readonly effects: readonly RhsEffect[]
}

export const emptyRhs = (): RhsState => ({ runs: new Map(), nextCall: 1, polls: new Map() })

/** A refusal of the guard is asked about again this soon. */
const REFUSED_RETRY_MS = 25
/** A terminate that failed is called again this soon: it is never given up. */
const TERMINATE_RETRY_MS = 1_000

export function rhsStep(state: RhsState, event: RhsEvent, nowMs: number): RhsOutcome {
  const work = new Work(state, nowMs)
  take(work, event)
  for (const guid of [...work.runs.keys()].sort()) {
    act(work, guid)
    takePassed(work, guid)
  }
  poll(work)
  return work.outcome()
}

/** When `rhsStep` has to be called even if nothing happens, or null. */
export function rhsDeadline(state: RhsState): number | null {
  let next = Number.POSITIVE_INFINITY
  for (const run of state.runs.values()) {
    if (run.call) next = Math.min(next, run.call.deadlineMs)
    else if (run.restartAtMs !== null) next = Math.min(next, run.restartAtMs)
    if (run.opened && !run.dropping) next = Math.min(next, run.isAliveAtMs, run.looksAliveAtMs)
  }
  for (const p of state.polls.values()) next = Math.min(next, p.deadlineMs)
  return Number.isFinite(next) ? next : null
}

class Work {
  readonly nowMs: number
  readonly runs: Map<string, Run>
  readonly polls: Map<string, Poll>
  readonly effects: RhsEffect[] = []
  readonly changed = new Map<string, StatusItem>()
  nextCall: number

  constructor(state: RhsState, nowMs: number) {
    this.nowMs = nowMs
    this.runs = new Map(state.runs)
    this.polls = new Map(state.polls)
    this.nextCall = state.nextCall
  }

  set(run: Run): Run {
    this.runs.set(run.held.guid, run)
    return run
  }

  log(run: Run, message: string): void {
    this.effects.push({ type: 'log', guid: run.held.guid, message })
  }

  /** Changes the status, and reports it when it is another one than before. */
  status(run: Run, status: ReportedStatus, detail?: string, force = false): Run {
    const changedMs = run.status === status ? run.changedMs : this.nowMs
    const next = this.set({ ...run, status, detail, changedMs })
    if (force || run.status !== status) this.changed.set(next.held.guid, statusItem(next))
    return next
  }

  call(run: Run, fn: EntryPoint): Run {
    const id = this.nextCall
    this.nextCall += 1
    const { pendingMs, deadlockMs } = run.held.poll
    const deadlineMs = this.nowMs + (fn === 'open' || fn === 'close' ? deadlockMs : pendingMs)
    this.effects.push({ type: 'call', fn, guid: run.held.guid, id })
    return this.set({ ...run, call: { fn, id, deadlineMs } })
  }

  outcome(): RhsOutcome {
    if (this.changed.size > 0)
      this.effects.push({ type: 'report', items: [...this.changed.values()] })
    return {
      state: { runs: this.runs, nextCall: this.nextCall, polls: this.polls },
      effects: this.effects,
    }
  }
}

export function statusItem(run: Run): StatusItem {
  return {
    resourceId: run.held.guid,
    epoch: run.held.epoch,
    status: run.status,
    restarts: run.restarts.length,
    gaveUp: run.gaveUp,
    ...(run.detail !== undefined && { detail: run.detail.slice(0, 1_000) }),
    ...(run.correlationId !== undefined && { correlationId: run.correlationId }),
  }
}

function take(work: Work, event: RhsEvent): void {
  switch (event.type) {
    case 'held':
      for (const held of event.resources) hold(work, held, event.onRecord.has(held.guid))
      break
    case 'dropped':
      for (const guid of event.guids) {
        const run = work.runs.get(guid)
        if (run) work.set({ ...run, dropping: true })
      }
      break
    case 'toldAgain':
      for (const run of work.runs.values()) work.changed.set(run.held.guid, statusItem(run))
      break
    case 'callEnded': {
      const run = work.runs.get(event.guid)
      if (run?.call?.id === event.id) callEnded(work, run, run.call.fn, event.outcome)
      break
    }
    case 'progressed': {
      const run = work.runs.get(event.guid)
      if (run?.call?.id !== event.id) break
      // The pending timeout counts from the last progress report (S-80).
      const deadlineMs = work.nowMs + run.held.poll.pendingMs
      work.set({ ...run, call: { ...run.call, deadlineMs } })
      work.log(run, `progress: ${event.note}`)
      break
    }
    case 'pollEnded': {
      const poll = work.polls.get(event.key)
      if (poll?.id !== event.id) break
      work.polls.delete(event.key)
      const { startedMs } = poll
      // Begun before the status changed: it speaks of what was before a restart.
      for (const a of event.answers)
        if ((work.runs.get(a.guid)?.changedMs ?? 0) <= startedMs)
          answered(work, a.guid, a.status, a.detail)
      break
    }
    case 'pushed':
      answered(work, event.guid, event.status, event.detail)
      break
    case 'tick':
      deadlines(work)
      break
    default:
      unreachable(event)
  }
}

/** New, or changed: another epoch is another placement, and begins anew. */
function hold(work: Work, held: HeldResource, onRecord: boolean): void {
  const known = work.runs.get(held.guid)
  const { correlationId } = held
  if (!known || known.held.epoch !== held.epoch) {
    const fresh: Run = {
      held,
      status: 'offline',
      detail: undefined,
      call: null,
      opened: false,
      adopt: onRecord,
      restarts: [],
      gaveUp: false,
      restartAtMs: null,
      changedMs: work.nowMs,
      deliberate: false,
      isAliveAtMs: work.nowMs + held.poll.isAliveMs,
      looksAliveAtMs: work.nowMs + held.poll.looksAliveMs,
      correlationId,
      dropping: false,
    }
    work.set(fresh)
    return
  }
  // An operator who asks for online again, or changes what is wanted, clears what went before.
  const asked = held.persistentState !== known.held.persistentState
  const sooner = (at: number, every: number) => Math.min(at, work.nowMs + every)
  work.set({
    ...known,
    held,
    dropping: false,
    ...(correlationId !== undefined && { correlationId }),
    deliberate: asked ? false : known.deliberate,
    isAliveAtMs: sooner(known.isAliveAtMs, held.poll.isAliveMs),
    looksAliveAtMs: sooner(known.looksAliveAtMs, held.poll.looksAliveMs),
    ...(asked && { gaveUp: false, restarts: [], restartAtMs: null }),
  })
}

/** Compares what is wanted with what is, and calls at most one entry point (S-72). */
function act(work: Work, guid: string): void {
  const run = work.runs.get(guid)
  if (!run) return
  // A start that is no longer wanted is not waited for.
  if (run.call?.fn === 'online' && (run.held.target === 0 || run.dropping)) {
    work.effects.push({ type: 'abort', guid, id: run.call.id })
    work.call(work.status({ ...run, call: null }, 'offlinePending'), 'terminate')
    return
  }
  if (run.call) return
  if (run.dropping) {
    if (run.opened) work.call({ ...run, opened: false }, 'close')
    else {
      work.runs.delete(guid)
      work.effects.push({ type: 'closed', guid })
    }
    return
  }
  if (!run.opened) {
    // An open that failed is tried again by the restart policy, not at once.
    if (run.restartAtMs !== null && run.restartAtMs > work.nowMs) return
    work.call({ ...run, restartAtMs: null, gaveUp: false }, 'open')
    return
  }
  if (run.adopt) return
  if (run.held.target === 1) wantOnline(work, run)
  else wantOffline(work, run)
}

/** A passed deadline is taken in the step that sees it, whatever came of it; else the timer spins. */
function takePassed(work: Work, guid: string): void {
  const run = work.runs.get(guid)
  if (!run || run.call || run.restartAtMs === null || run.restartAtMs > work.nowMs) return
  work.set({ ...run, restartAtMs: null })
}

function wantOnline(work: Work, run: Run): void {
  if (run.deliberate) return
  switch (run.status) {
    case 'offline':
    case 'failed':
      if (run.restartAtMs !== null && run.restartAtMs > work.nowMs) return
      if (run.gaveUp && run.restartAtMs === null) return
      online(work, run)
      break
    case 'stopped':
      work.set({ ...run, deliberate: true })
      break
    case 'onlinePending':
      if (run.restartAtMs !== null && run.restartAtMs <= work.nowMs)
        work.call({ ...run, restartAtMs: null }, 'online')
      break
    case 'online':
    case 'offlinePending':
    case 'unknown':
      break
  }
}

function online(work: Work, run: Run): void {
  // S-47: "restart" is Online.
  if (run.restarts.length > 0) work.log(run, `restart ${run.restarts.length} → online`)
  const pending = work.status(
    { ...run, restartAtMs: null, gaveUp: false },
    'onlinePending',
    run.detail,
  )
  work.call(pending, 'online')
}

function wantOffline(work: Work, run: Run): void {
  switch (run.status) {
    case 'online':
      // S-73: found online though nobody asked for it: reported, not stopped.
      if (run.detail === UNEXPECTED) return
      if (run.restartAtMs !== null && run.restartAtMs > work.nowMs) return
      work.call(work.status(run, 'offlinePending'), 'offline')
      break
    case 'failed':
      if (run.restartAtMs !== null && run.restartAtMs > work.nowMs) return
      work.call(work.status({ ...run, gaveUp: false }, 'offlinePending'), 'terminate')
      break
    case 'stopped':
      work.status({ ...run, deliberate: false }, 'offline')
      break
    case 'onlinePending':
      work.call(work.status({ ...run, restartAtMs: null }, 'offlinePending'), 'terminate')
      break
    case 'offlinePending':
    case 'unknown':
      // Nobody is stopping it, and nobody knows whether it runs: a group must not be stuck on it.
      work.call(work.status(run, 'offlinePending'), 'offline')
      break
    case 'offline':
      break
  }
}

const UNEXPECTED = 'started by somebody else while it is wanted offline'

function callEnded(work: Work, was: Run, fn: EntryPoint, outcome: CallOutcome): void {
  const run = work.set({ ...was, call: null })
  if (outcome.ok === 'notImplemented') {
    work.log(run, `discarded: the module has no function ${fn} (S-33)`)
    if (fn === 'offline') work.call(run, 'terminate')
    // Nothing changes and nothing is retried soon; what was pending goes back to where it was.
    const later = { ...run, restartAtMs: work.nowMs + run.held.restart.retryAfterMs }
    if (fn === 'online') work.status(later, 'offline')
    if (fn === 'terminate') work.status(later, 'online')
    if (fn === 'open') opened(work, run)
    return
  }
  if (!outcome.ok && 'refused' in outcome) {
    work.log(run, `${fn} refused by the guard: ${outcome.refused}`)
    const again = { ...run, restartAtMs: work.nowMs + REFUSED_RETRY_MS }
    // Pending as before: asked again soon, and not counted as a failure (C3).
    if (fn === 'online') work.set({ ...again, detail: `waits: ${outcome.refused}` })
    else work.status(again, 'failed', outcome.refused)
    return
  }
  switch (fn) {
    case 'open':
      if (outcome.ok) opened(work, run)
      else failed(work, run, `open: ${outcome.error}`)
      break
    case 'close':
      break
    case 'online':
      if (outcome.ok) work.status({ ...run, gaveUp: false }, 'online', undefined, true)
      else failed(work, run, outcome.error)
      break
    case 'offline':
      if (outcome.ok) work.status({ ...run, restarts: [] }, 'offline')
      else {
        work.log(run, `offline failed: ${outcome.error}; terminate`)
        work.call(run, 'terminate')
      }
      break
    case 'terminate':
      if (outcome.ok) work.status(run, 'offline')
      else {
        const again = { ...run, restartAtMs: work.nowMs + TERMINATE_RETRY_MS }
        work.status(again, 'failed', `cannot be stopped: ${outcome.error}`, true)
      }
      break
    default:
      unreachable(fn)
  }
}

function opened(work: Work, run: Run): void {
  // G8: something is on record: look what it is before anything is started.
  work.set({ ...run, opened: true, ...(run.adopt && { isAliveAtMs: work.nowMs }) })
  if (!run.adopt) work.changed.set(run.held.guid, statusItem(run))
}

/** What a module, its manager or the guard says of a resource (S-70 to S-75). */
function answered(work: Work, guid: string, status: ReportedStatus, detail?: string): void {
  const run = work.runs.get(guid)
  if (!run?.opened || run.dropping) return
  // While a call is under way its own end decides; pending is no failure (S-80).
  if (run.call && run.call.fn !== 'open') return
  if (run.adopt) {
    const adopted = { ...run, adopt: false, detail }
    work.log(run, `found ${status}`)
    // S-62: what its own manager stopped while nobody looked is not started again.
    work.status({ ...adopted, deliberate: status === 'stopped' }, status, detail, true)
    return
  }
  // Pending without a call: the guard has refused for now. Not running then is no failure (C3, S-80).
  const refused = run.status === 'onlinePending' && !run.call
  if (refused && status !== 'online') return
  switch (status) {
    case 'online':
      if (run.status === 'online') return
      if (run.held.persistentState === 0 && run.status === 'offline')
        work.status(run, 'online', UNEXPECTED)
      else work.status({ ...run, gaveUp: false, restartAtMs: null }, 'online', detail)
      return
    case 'offline':
    case 'failed':
      if (run.status === 'offline' || run.status === 'failed') return
      if (run.held.target === 1) failed(work, run, detail ?? status)
      else work.status(run, 'offline', detail)
      return
    case 'stopped':
      if (run.status === 'offline' || run.status === 'failed') return
      work.log(run, `stopped by its own manager: ${detail ?? ''}`)
      work.status({ ...run, deliberate: true }, 'stopped', detail)
      return
    case 'unknown':
      // What was stopped here stays so, whether or not its manager can be asked.
      if (run.status === 'offline' && run.held.target === 0) return
      work.status(run, 'unknown', detail)
      return
    case 'onlinePending':
    case 'offlinePending':
      return
    default:
      unreachable(status)
  }
}

/** Counted against the restart policy: restarted where it stands, or given up. */
function failed(work: Work, run: Run, why: string): void {
  const cause =
    run.restarts.length === 0 ? `${run.held.guid.slice(0, 8)}@${work.nowMs | 0}` : undefined
  const known = { ...run, correlationId: cause ?? run.correlationId }
  const decision = afterFailure(run.held.restart, run.restarts, work.nowMs)
  if (decision.action === 'restart') {
    work.log(
      known,
      `failed: ${why}; restart ${decision.restarts.length} of ${run.held.restart.attempts}`,
    )
    const { restarts, atMs } = decision
    work.status({ ...known, restarts, restartAtMs: atMs }, 'failed', why, true)
    return
  }
  work.log(known, `failed: ${why}; attempts used up, the Cluster Service decides`)
  const last = { ...known, gaveUp: true, restarts: [], restartAtMs: decision.retryAtMs }
  work.status(last, 'failed', why, true)
}

/** A deadline that has passed is taken in the step that sees it. */
function deadlines(work: Work): void {
  for (const run of [...work.runs.values()]) {
    if (!run.call || run.call.deadlineMs > work.nowMs) continue
    const { fn, id } = run.call
    work.effects.push({ type: 'abort', guid: run.held.guid, id })
    const after = work.set({ ...run, call: null })
    switch (fn) {
      case 'online':
        failed(work, after, `not online within ${run.held.poll.pendingMs} ms`)
        break
      case 'offline':
        work.log(after, `offline took longer than ${run.held.poll.pendingMs} ms; terminate`)
        work.call(after, 'terminate')
        break
      case 'terminate':
        work.call(after, 'terminate')
        break
      case 'open':
        failed(work, after, 'open: no answer within the deadlock timeout')
        break
      case 'close':
        break
    }
  }
  for (const [key, p] of work.polls) {
    if (p.deadlineMs > work.nowMs) continue
    work.polls.delete(key)
    // S-32: no answer is an outcome of its own, and is passed up as that.
    for (const run of [...work.runs.values()])
      if (key.startsWith(`${run.held.groupId} ${run.held.type} `) && run.opened)
        work.status(run, 'unknown', 'NoResponse: the module did not answer')
  }
}

/** S-27: one IsAlive per group and type; the module fans out. Same for LooksAlive. */
function poll(work: Work): void {
  for (const fn of ['isAlive', 'looksAlive'] as const) {
    const field = fn === 'isAlive' ? 'isAliveAtMs' : 'looksAliveAtMs'
    const due = new Map<string, Run[]>()
    for (const run of work.runs.values()) {
      if (!run.opened || run.dropping || run[field] > work.nowMs) continue
      const key = `${run.held.groupId} ${run.held.type} ${fn}`
      due.set(key, [...(due.get(key) ?? []), run])
    }
    for (const [key, runs] of due) {
      for (const run of runs) {
        const every = fn === 'isAlive' ? run.held.poll.isAliveMs : run.held.poll.looksAliveMs
        work.set({ ...run, [field]: work.nowMs + every })
      }
      if (work.polls.has(key)) continue
      const id = work.nextCall
      work.nextCall += 1
      const deadlineMs = work.nowMs + Math.min(...runs.map((r) => r.held.poll.deadlockMs))
      work.polls.set(key, { id, startedMs: work.nowMs, deadlineMs })
      work.effects.push({ type: 'poll', fn, key, id, guids: runs.map((r) => r.held.guid).sort() })
    }
  }
}
