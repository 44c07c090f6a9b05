/** What RHS makes of an answer: of a call, of a check, of the workload's own manager (S-61 to S-80). */
import { unreachable } from '../../schema/unreachable.ts'
import { afterFailure } from './restart-policy.ts'
import {
  type CallOutcome,
  type EntryPoint,
  type Run,
  type Seen,
  statusItem,
  type Work,
} from './rhs-state.ts'

/** A refusal of the guard is asked about again: at once at first, more rarely the longer it waits. */
const REFUSED_RETRY_MS = { least: 25, most: 1_000 }

const refusedRetryMs = (waitedMs: number) =>
  Math.min(REFUSED_RETRY_MS.most, Math.max(REFUSED_RETRY_MS.least, waitedMs / 4))

/** A terminate that failed is called again this soon: it is never given up. */
const TERMINATE_RETRY_MS = 1_000

/** S-73: found online though nobody asked for it. */
export const UNEXPECTED = 'started by somebody else while it is wanted offline'

export function callEnded(work: Work, was: Run, fn: EntryPoint, outcome: CallOutcome): void {
  const run = work.set({ ...was, call: null })
  if (fn === 'migrate' || fn === 'save') {
    if (outcome.ok === true) work.status({ ...run, restarts: [] }, 'offline', `moved by ${fn}`)
    else staysHere(work, run, reasonOf(outcome))
    return
  }
  if (outcome.ok === 'notImplemented') {
    work.log(run, `discarded: the module has no function ${fn} (S-33)`)
    if (fn === 'offline') work.call(run, 'terminate')
    // Nothing changes and nothing is asked again soon; what was pending goes back to what it was.
    const later = { ...run, restartAtMs: work.nowMs + run.held.restart.retryAfterMs }
    if (fn === 'online' || fn === 'terminate')
      work.status(later, run.was.status, run.was.detail, true)
    if (fn === 'open') opened(work, run)
    if (fn === 'retry') failed(work, run, was.call?.failure ?? '')
    return
  }
  if (!outcome.ok && 'refused' in outcome) {
    const detail = `waits: ${outcome.refused}`
    // Said once: what waits for a lease may wait for long.
    if (run.detail !== detail) work.log(run, `${fn} refused by the guard: ${outcome.refused}`)
    const again = { ...run, restartAtMs: work.nowMs + refusedRetryMs(work.nowMs - run.changedMs) }
    // Pending as before: asked again soon, and not counted as a failure (C3).
    if (fn === 'online' || fn === 'retry') work.set({ ...again, detail })
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
      // S-42: once for each failed Online, before the failure counts.
      else work.call(run, 'retry', outcome.error)
      break
    case 'retry': {
      if (outcome.ok) {
        work.log(run, `retry has brought it online; not counted: ${was.call?.failure}`)
        work.status({ ...run, gaveUp: false }, 'online', undefined, true)
      } else failed(work, run, `${was.call?.failure}; retry: ${outcome.error}`)
      break
    }
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

function reasonOf(outcome: Exclude<CallOutcome, { ok: true }>): string {
  if (outcome.ok === 'notImplemented') return 'its module cannot do that'
  return 'refused' in outcome ? outcome.refused : outcome.error
}

export const carryKey = ({ mid, method }: { mid: string; method: string }) => `${mid} ${method}`

/** M7: it runs as before, and the control plane decides what is done instead. */
export function staysHere(work: Work, run: Run, reason: string): void {
  const { carry, guid, epoch } = run.held
  work.log(run, `its state could not be carried: ${reason}`)
  const stays = { ...run, notCarried: carry ? carryKey(carry) : null }
  work.status(stays, run.was.status, run.was.detail, true)
  if (!carry) return
  const effect = { type: 'notCarried' as const, guid, epoch, mid: carry.mid }
  work.effects.push({ ...effect, reason: reason.slice(0, 1_000) })
}

function opened(work: Work, run: Run): void {
  // G8: something is on record: look what it is before anything is started.
  work.set({ ...run, opened: true, ...(run.adopt && { isAliveAtMs: work.nowMs }) })
  if (!run.adopt) work.changed.set(run.held.guid, statusItem(run))
}

/** What a module, its manager or the guard says of a resource (S-70 to S-75). */
export function answered(work: Work, seen: Seen, thorough = false): void {
  const { guid, status, detail } = seen
  const run = work.runs.get(guid)
  if (!run?.opened || run.dropping) return
  // While a call is under way its own end decides; pending is no failure (S-80).
  if (run.call && run.call.fn !== 'open') return
  if (run.adopt) {
    const adopted = { ...run, adopt: false, detail }
    work.log(run, `found ${status}`)
    // It has ended while nobody looked: in maintenance that is seen, and no reason to start it.
    if (status === 'offline' && run.held.observe && run.held.target === 1)
      return void work.status(adopted, 'failed', detail ?? 'found offline', true)
    // S-62: what its own manager stopped while nobody looked is not started again.
    work.status({ ...adopted, deliberate: status === 'stopped' }, status, detail, true)
    return
  }
  // Pending without a call: the guard has refused for now. Not running then is no failure (C3, S-80).
  const refused = run.status === 'onlinePending' && !run.call
  if (refused && status !== 'online') return
  switch (status) {
    case 'online':
      if (run.status === 'online') {
        // What the thorough check has found is said until the next one; the quick one cannot see it.
        if (thorough && run.detail !== detail && run.detail !== UNEXPECTED)
          work.status(run, 'online', detail, true)
        return
      }
      // What we have started ourselves is stopped: it had only been said to be offline.
      if (run.held.persistentState === 0 && run.status === 'offline' && !seen.onRecord)
        work.status(run, 'online', UNEXPECTED)
      else {
        const back = { ...run, gaveUp: false, restartAtMs: null, deliberate: false }
        work.status(back, 'online', detail)
      }
      return
    case 'offline':
    case 'failed':
      if (run.status === 'offline' || run.status === 'failed') return
      // That it has ended is what was said: an agent that asks anew has to hear on whose word (S-62).
      if (run.status === 'stopped') return
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
      if (run.status === 'stopped' || (run.status === 'offline' && run.held.target === 0)) return
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
export function failed(work: Work, run: Run, why: string): void {
  const cause =
    run.restarts.length === 0 ? `${run.held.guid.slice(0, 8)}@${work.nowMs | 0}` : undefined
  const known = { ...run, correlationId: cause ?? run.correlationId }
  if (run.held.observe) {
    work.log(known, `failed: ${why}; left alone, in maintenance`)
    return void work.status({ ...known, restartAtMs: null }, 'failed', why, true)
  }
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
