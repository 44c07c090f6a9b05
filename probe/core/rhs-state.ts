/** What RHS knows of its resources, and what it may be told and do: the words of `rhsStep`. */
import type { HeldResource } from '../../schema/ipc.ts'
import type { StatusItem } from '../../schema/session.ts'
import type { ReportedStatus } from '../../schema/status.ts'
import type { StopHints } from '../../schema/stop-hints.ts'
import { Runs } from './rhs-runs.ts'

export type EntryPoint =
  | 'open'
  | 'close'
  | 'online'
  | 'retry'
  | 'offline'
  | 'terminate'
  /** In place of Offline, when its state is to travel (M1, S-92). */
  | 'migrate'
  | 'save'

export interface Run {
  readonly held: HeldResource
  readonly status: ReportedStatus
  readonly detail: string | undefined
  /** What it was before it became pending: a call that is discarded leaves it as it was (S-33). */
  readonly was: { readonly status: ReportedStatus; readonly detail: string | undefined }
  /** The entry point that is being called now; one at a time per resource. */
  readonly call: {
    readonly fn: EntryPoint
    readonly id: number
    readonly beganMs: number
    readonly deadlineMs: number
    /** Of a retry: why Online had failed (S-42). */
    readonly failure?: string
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
  /** What could not be carried, and was said so: it runs on until it is told what to do instead. */
  readonly notCarried: string | null
  /** To be closed once its call is over. */
  readonly dropping: boolean
}

interface Poll {
  readonly id: number
  readonly fn: Check
  readonly type: string
  /** Group and type: all that it may say something about. */
  readonly batch: string
  readonly guids: readonly string[]
  readonly startedMs: number
  readonly deadlineMs: number
}

/** A call that was given up and has not ended since: its module may be anywhere. */
export interface Abandoned {
  /** Of a check: no other is begun while this one may still let go. */
  readonly key?: string
  readonly fn: EntryPoint | Check
  readonly type: string
  readonly guids: readonly string[]
  readonly beganMs: number
  /** Not ended by then, its module hangs (S-32). */
  readonly deadlineMs: number
}

export type Check = 'isAlive' | 'looksAlive'

/**
 * Whoever steps it owns it: `rhsStep` changes it in place, and touches what an event is about. A host
 * with a thousand resources has many steps a second, and most of them are about one group.
 */
export interface RhsState {
  readonly runs: Runs
  nextCall: number
  /** Polls under way: `group type fn` → call id and deadline. */
  readonly polls: Map<string, Poll>
  /** By call id. */
  readonly abandoned: Map<number, Abandoned>
  /** By type, of the modules that give some (S-50). */
  hints: ReadonlyMap<string, StopHints>
  /** Wait for their turn to be stopped, by GUID. */
  readonly waiting: Set<string>
}

/** What a check, a workload's manager or the guard has seen. */
export interface Seen {
  readonly guid: string
  readonly status: ReportedStatus
  readonly detail?: string | undefined
  /** The guard has it on record: we have started it, and nobody else. */
  readonly onRecord?: boolean
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
      answers: readonly Seen[]
    }
  /** The module's own manager says so (S-36), or the guard saw the process end. */
  | ({ type: 'pushed' } & Seen)
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
  | { type: 'poll'; fn: Check; key: string; id: number; guids: string[] }
  | { type: 'report'; items: StatusItem[] }
  | { type: 'log'; guid: string; message: string }
  /** M7: "still mine". */
  | { type: 'notCarried'; guid: string; epoch: number; mid: string; reason: string }
  | { type: 'closed'; guid: string }
  /** The module has not let go of a call that was given up: nothing but the end of this process helps. */
  | { type: 'hangs'; guids: readonly string[]; detail: string }

export const emptyRhs = (): RhsState => ({
  runs: new Runs(),
  nextCall: 1,
  polls: new Map(),
  abandoned: new Map(),
  hints: new Map(),
  waiting: new Set(),
})

/** One step under way: what it is about, and what has to be done. */
export class Work {
  readonly nowMs: number
  readonly runs: Runs
  readonly polls: Map<string, Poll>
  readonly abandoned: Map<number, Abandoned>
  readonly waiting: Set<string>
  readonly effects: RhsEffect[] = []
  readonly changed = new Map<string, StatusItem>()
  /** Changed in this step, or due: nothing else has to be looked at. */
  readonly touched: Set<string>
  readonly #state: RhsState

  constructor(state: RhsState, nowMs: number) {
    this.nowMs = nowMs
    this.#state = state
    this.runs = state.runs
    this.polls = state.polls
    this.abandoned = state.abandoned
    this.waiting = state.waiting
    this.touched = state.runs.takeDue(nowMs)
  }

  hintsOf({ held }: Run): StopHints {
    return this.#state.hints.get(held.type) ?? {}
  }

  set(run: Run): Run {
    this.runs.set(run)
    this.touched.add(run.held.guid)
    return run
  }

  delete(guid: string): void {
    this.runs.delete(guid)
    this.waiting.delete(guid)
  }

  /** In the order of their GUIDs. */
  get touchedRuns(): Run[] {
    const guids = this.touched.size > 1 ? [...this.touched].sort() : this.touched
    const runs: Run[] = []
    for (const guid of guids) {
      const run = this.runs.get(guid)
      if (run) runs.push(run)
    }
    return runs
  }

  log(run: Run, message: string): void {
    this.effects.push({ type: 'log', guid: run.held.guid, message })
  }

  /** Changes the status, and reports it when it is another one than before. */
  status(run: Run, status: ReportedStatus, detail?: string, force = false): Run {
    const changedMs = run.status === status ? run.changedMs : this.nowMs
    const begins = isPending(status) && !isPending(run.status)
    const was = begins ? { status: run.status, detail: run.detail } : run.was
    const next = this.set({ ...run, status, detail, changedMs, was })
    if (force || run.status !== status) this.changed.set(next.held.guid, statusItem(next))
    return next
  }

  /** @returns the id of the next call */
  callId(): number {
    this.#state.nextCall += 1
    return this.#state.nextCall - 1
  }

  call(run: Run, fn: EntryPoint, failure?: string): Run {
    const id = this.callId()
    const { pendingMs, deadlockMs } = run.held.poll
    const deadlineMs = this.nowMs + (fn === 'open' || fn === 'close' ? deadlockMs : pendingMs)
    this.effects.push({ type: 'call', fn, guid: run.held.guid, id })
    const call = {
      fn,
      id,
      beganMs: this.nowMs,
      deadlineMs,
      ...(failure !== undefined && { failure }),
    }
    return this.set({ ...run, call })
  }

  /** Its call is not waited for any more. Whoever does not let go of it in time hangs. */
  abort(run: Run): Run {
    if (!run.call) return run
    const { guid, type, poll } = run.held
    const { id, fn, beganMs } = run.call
    this.effects.push({ type: 'abort', guid, id })
    const deadlineMs = this.nowMs + poll.deadlockMs
    this.abandoned.set(id, { fn, type, guids: [guid], beganMs, deadlineMs })
    return this.set({ ...run, call: null })
  }

  /** @returns what has to be done */
  end(): readonly RhsEffect[] {
    if (this.changed.size > 0)
      this.effects.push({ type: 'report', items: [...this.changed.values()] })
    this.runs.dueAgain(this.touched)
    return this.effects
  }
}

const isPending = (status: ReportedStatus) =>
  status === 'onlinePending' || status === 'offlinePending'

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
