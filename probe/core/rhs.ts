/**
 * What RHS does, without doing it: when to call which entry point of which resource, what to make of
 * the answer, and what to report (S-26 to S-36, S-61 to S-80). It compares what a module reports with
 * what is wanted and acts on a mismatch only. It knows nothing of other nodes and never fails over:
 * it reports (S-01).
 */
import type { HeldResource } from '../../schema/ipc.ts'
import { unreachable } from '../../schema/unreachable.ts'
import { type CheckTime, nextChecks } from './check-times.ts'
import { answered, callEnded, carryKey, failed, staysHere, UNEXPECTED } from './rhs-answers.ts'
import { batchOf } from './rhs-runs.ts'
import {
  type RhsEffect,
  type RhsEvent,
  type RhsState,
  type Run,
  statusItem,
  Work,
} from './rhs-state.ts'
import { stop, stopsAtOnce, waitsToStop } from './stops.ts'

export type {
  CallOutcome,
  RhsEffect,
  RhsEvent,
  RhsState,
  Run,
  Seen,
} from './rhs-state.ts'
export { emptyRhs } from './rhs-state.ts'

/** After its deadlock timeout a check has so long to let go. */
const LET_GO_MS = 200

/** @returns what has to be done, in this order */
export function rhsStep(state: RhsState, event: RhsEvent, nowMs: number): readonly RhsEffect[] {
  const work = new Work(state, nowMs)
  take(work, event)
  for (const { held } of work.touchedRuns) {
    act(work, held.guid)
    takePassed(work, held.guid)
  }
  for (const guid of work.waiting.size > 0 ? [...work.waiting].sort() : []) {
    act(work, guid)
    if (!waitsToStop(work.runs.get(guid))) work.waiting.delete(guid)
  }
  poll(work)
  return work.end()
}

/** When `rhsStep` has to be called even if nothing happens, or null. */
export function rhsDeadline(state: RhsState): number | null {
  let next = state.runs.nextDueMs ?? Number.POSITIVE_INFINITY
  for (const p of state.polls.values()) next = Math.min(next, p.deadlineMs)
  for (const p of state.abandoned.values()) next = Math.min(next, p.deadlineMs)
  return Number.isFinite(next) ? next : null
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
      for (const run of work.runs.sorted()) work.changed.set(run.held.guid, statusItem(run))
      break
    case 'callEnded': {
      work.abandoned.delete(event.id)
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
      work.abandoned.delete(event.id)
      const poll = work.polls.get(event.key)
      if (poll?.id !== event.id) break
      work.polls.delete(event.key)
      const { startedMs } = poll
      // Begun before the status changed: it speaks of what was before a restart.
      for (const a of event.answers)
        if ((work.runs.get(a.guid)?.changedMs ?? 0) <= startedMs)
          answered(work, a, event.key.endsWith(' looksAlive'))
      // Whoever came while this check was under way, and is to be looked at first, has waited for it.
      for (const run of work.runs.checkedBy(poll.batch))
        if (run.adopt && run.opened) work.set({ ...run, isAliveAtMs: work.nowMs })
      break
    }
    case 'pushed':
      answered(work, event)
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
      was: { status: 'offline', detail: undefined },
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
      notCarried: null,
      dropping: false,
    }
    work.set(fresh)
    return
  }
  // An operator who asks for online again, or changes what is wanted, clears what went before.
  const asked = held.persistentState !== known.held.persistentState
  // What failed in maintenance has not been restarted yet.
  const isAnew = asked || (known.held.observe === true && held.observe === undefined)
  const sooner = (at: number, every: number) => Math.min(at, work.nowMs + every)
  work.set({
    ...known,
    held,
    dropping: false,
    ...(correlationId !== undefined && { correlationId }),
    deliberate: asked ? false : known.deliberate,
    isAliveAtMs: sooner(known.isAliveAtMs, held.poll.isAliveMs),
    looksAliveAtMs: sooner(known.looksAliveAtMs, held.poll.looksAliveMs),
    ...(isAnew && { gaveUp: false, restarts: [], restartAtMs: null }),
  })
}

/** Compares what is wanted with what is, and calls at most one entry point (S-72). */
function act(work: Work, guid: string): void {
  const run = work.runs.get(guid)
  if (!run) return
  // A start that is no longer wanted is not waited for.
  const starts = run.call?.fn === 'online' || run.call?.fn === 'retry'
  if (run.call && starts && (run.held.target === 0 || run.dropping)) {
    work.call(work.status(work.abort(run), 'offlinePending'), 'terminate')
    return
  }
  // An operator on this host wants it gone at once: a graceful stop is not waited for.
  const leaves = run.call && ['offline', 'migrate', 'save'].includes(run.call.fn)
  const hurries = run.call?.fn === 'offline' && stopsAtOnce(work, run)
  if (hurries || (leaves && run.held.stopHere === 'kill')) {
    work.call(work.abort(run), 'terminate')
    return
  }
  if (run.call) return
  if (run.dropping) {
    if (run.opened) work.call({ ...run, opened: false }, 'close')
    else {
      work.delete(guid)
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
      if (run.held.observe && run.status === 'failed') return
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
      if (run.detail === UNEXPECTED && !run.held.leaving && run.held.stopHere === 'no') return
      if (run.restartAtMs !== null && run.restartAtMs > work.nowMs) return
      leave(work, run)
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
      stop(work, run)
      break
    case 'offline':
      break
  }
}

function leave(work: Work, run: Run): void {
  const { stopHere, carry } = run.held
  if (carry && stopHere === 'no') {
    if (run.notCarried === carryKey(carry)) return
    work.call(work.status(run, 'offlinePending'), carry.method === 'live' ? 'migrate' : 'save')
    return
  }
  stop(work, run)
}

/** A deadline that has passed is taken in the step that sees it. */
function deadlines(work: Work): void {
  for (const run of work.touchedRuns) {
    if (!run.call || run.call.deadlineMs > work.nowMs) continue
    const { fn } = run.call
    const after = work.abort(run)
    switch (fn) {
      case 'online':
      case 'retry':
        failed(work, after, `not online within ${run.held.poll.pendingMs} ms`)
        break
      case 'offline':
        work.log(after, `offline took longer than ${run.held.poll.pendingMs} ms; terminate`)
        work.call(after, 'terminate')
        break
      case 'terminate':
        work.call(after, 'terminate')
        break
      case 'migrate':
      case 'save':
        staysHere(work, after, `not over within ${run.held.poll.pendingMs} ms`)
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
    const { id, fn, type, batch, guids, startedMs } = p
    const deadlineMs = work.nowMs + LET_GO_MS
    work.abandoned.set(id, { key, fn, type, guids, beganMs: startedMs, deadlineMs })
    // S-32: no answer is an outcome of its own, and is passed up as that.
    for (const run of work.runs.checkedBy(batch))
      if (run.opened) work.status(run, 'unknown', 'NoResponse: the module did not answer')
  }
  for (const [id, { fn, type, guids, beganMs, deadlineMs }] of work.abandoned) {
    if (deadlineMs > work.nowMs) continue
    work.abandoned.delete(id)
    const forMs = Math.round(work.nowMs - beganMs)
    const detail = `${fn} of ${type} has not returned for ${forMs} ms, and was given up before that`
    work.effects.push({ type: 'hangs', guids, detail })
  }
}

function waitsToLetGo({ abandoned }: Work, key: string): boolean {
  return abandoned.size > 0 && [...abandoned.values()].some((call) => call.key === key)
}

/** Most steps come from their timers: written out, so that nothing is looked up by name. */
const CHECKS = [
  {
    fn: 'isAlive',
    atMs: (run: Run) => run.isAliveAtMs,
    everyMs: ({ held }: Run) => held.poll.isAliveMs,
    at: (run: Run, isAliveAtMs: number): Run => ({ ...run, isAliveAtMs }),
  },
  {
    fn: 'looksAlive',
    atMs: (run: Run) => run.looksAliveAtMs,
    everyMs: ({ held }: Run) => held.poll.looksAliveMs,
    at: (run: Run, looksAliveAtMs: number): Run => ({ ...run, looksAliveAtMs }),
  },
] as const

/** S-27: one IsAlive per group and type; the module fans out. Same for LooksAlive. */
function poll(work: Work): void {
  if (work.touched.size === 0) return
  const runs = work.touchedRuns
  for (const check of CHECKS) {
    const due = runs.filter((run) => run.opened && !run.dropping && check.atMs(run) <= work.nowMs)
    const [first] = due
    if (!first) continue
    if (due.length === 1) ask(work, check, batchOf(first), due)
    else for (const [batch, members] of Map.groupBy(due, batchOf)) ask(work, check, batch, members)
  }
}

function ask(
  work: Work,
  { fn, atMs, everyMs, at }: (typeof CHECKS)[number],
  batch: string,
  members: readonly Run[],
): void {
  const others: CheckTime[] = []
  for (const run of work.runs.checkedBy(batch))
    if (run.opened && atMs(run) > work.nowMs)
      others.push({ everyMs: everyMs(run), atMs: atMs(run) })
  const nextMs = nextChecks(others, work.nowMs)
  // As they are now: the other check may have been begun in the same step.
  for (const { held } of members) {
    const run = work.runs.get(held.guid)
    if (run) work.set(at(run, nextMs(everyMs(run))))
  }
  const key = `${batch} ${fn}`
  if (work.polls.has(key) || waitsToLetGo(work, key)) return
  const id = work.callId()
  const deadlineMs = work.nowMs + Math.min(...members.map((r) => r.held.poll.deadlockMs))
  const guids = members.map((r) => r.held.guid)
  const type = members[0]?.held.type ?? ''
  work.polls.set(key, { id, fn, type, batch, guids, startedMs: work.nowMs, deadlineMs })
  work.effects.push({ type: 'poll', fn, key, id, guids })
}
