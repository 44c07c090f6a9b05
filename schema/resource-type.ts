/**
 * The interface of a resource module (the seeds' "resource DLL"), loaded in RHS.
 *
 * There is no `restart`: a restart is Online (S-47). What a module does not implement is discarded
 * (S-33); `looksAlive` and `isAlive` are required (S-45). A module sees neither the hive nor the
 * session nor a credential (S-31): everything it may know comes with the call.
 */

import type * as z from 'zod'
import type { Carry, Receiver, ResumeFrom } from './carry.ts'
import type { Controls } from './control.ts'
import type { ReportedStatus } from './status.ts'
import type { StopHints } from './stop-hints.ts'
import type { ChildSpec, ProcessRef } from './workload.ts'

export type { StopHints } from './stop-hints.ts'
export type { ChildSpec, ProcessRef } from './workload.ts'

/** All that RHS may call. */
export const ENTRY_POINTS = [
  'validate',
  'install',
  'prepareOnline',
  'open',
  'close',
  'online',
  'retry',
  'offline',
  'terminate',
  'isAlive',
  'looksAlive',
  'watch',
  'notify',
  'control',
] as const

export interface ResourceModule<P = unknown> {
  readonly type: string
  readonly version: string
  /** Strict schema of the properties; forms, docs and validation come from it. */
  readonly properties: z.ZodType<P>
  /** Which kind of process hosts it (S-23): `rhs-exec` where its code is an operator's executable. */
  readonly host: 'rhs' | 'rhs-exec'
  readonly hints?: StopHints
  /** How a start passes the guard (G4). Absent: it starts nothing, it only looks. */
  readonly way?: 'child' | 'gate'
  /**
   * Whether this host can run a resource with these properties; rejects with why not. Asked before
   * `open`, and of every node that the group is offered to: it has 300 ms, and begins nothing.
   */
  validate?(call: Call<P>): Promise<void>
  /**
   * Put what the workload needs on this host (S-49). RHS calls it before the first Online of a
   * resource here; what is there already is success.
   */
  install?(call: Call<P>): Promise<void>
  /** Control codes that `control` understands. */
  readonly controls?: Controls
  /**
   * Do, or answer, what an operator asks for by a control code. Its input fits the schema of the code; what it
   * resolves with is shown as JSON. It has 10 s, and is called while checks go on.
   */
  control?(call: Call<P>, code: string, input: Record<string, unknown>): Promise<unknown>
  /**
   * Make a later Online on this node faster, while another one runs it (S-50): read what it needs, fill
   * caches. It starts nothing, changes nothing that others see, and has a minute.
   */
  prepareOnline?(call: Call<P>): Promise<void>
  /** Attach on this node: open handles, subscribe to events. Never starts the workload (S-37). */
  open?(call: Call<P>): Promise<void>
  /** Detach. Never stops the workload (S-38). */
  close?(call: Call<P>): Promise<void>
  /** Bring online; already running is success (S-39). Resolves when online, rejects when failed. */
  online?(call: Call<P>): Promise<void>
  /**
   * Try the Online that has just failed once more, by other means than Online itself (S-42). RHS
   * calls it at most once for each failed Online, before the failure is counted as a restart.
   */
  retry?(call: Call<P>): Promise<void>
  /** Stop gracefully (S-40). Resolves when nothing runs. */
  offline?(call: Call<P>): Promise<void>
  /**
   * Live move, on the target (M1, M2): make a place for a copy that does not execute by itself, by
   * `call.workload.permitCopy(mid, …)`. It has 1 s. Resolves with what `migrate` of the source needs to know.
   */
  receive?(call: Call<P>, mid: string): Promise<Receiver>
  /**
   * Live move, on the source, in place of Offline (M2, M3): bring it to `call.carry.to`, where it arrives
   * without executing. Resolves when nothing of it runs here and the guard has taken
   * `call.workload.carried(mid)`; rejects when it runs on here. No half-way: whatever happens, one of both.
   */
  migrate?(call: Call<P>): Promise<void>
  /**
   * Quick move, in place of Offline: save its state where every node finds it by `call.carry.mid`.
   * Resolves and rejects as `migrate` does. What goes on from it is the next `online`, by `call.resume`,
   * and nothing ever goes on from it twice (M5).
   */
  save?(call: Call<P>): Promise<void>
  /** Kill at once (S-41). */
  terminate?(call: Call<P>): Promise<void>
  /** Quick status of all members of one group (S-27). One answer per GUID asked. */
  isAlive(calls: readonly Call<P>[]): Promise<readonly Answer[]>
  /** Thorough check of all members of one group (S-44). */
  looksAlive(calls: readonly Call<P>[]): Promise<readonly Answer[]>
  /** Push what the workload's own manager says (S-36). Returns how to stop watching. */
  watch?(call: Call<P>, push: (answer: Answer) => void): () => void
  /**
   * Tell the workload's own manager what was done and what came of it (S-86). Best effort: RHS
   * neither waits for it nor minds how it ends, and gives it up after a few seconds.
   */
  notify?(call: Call<P>, step: Step): Promise<void>
}

/** The module has no such function, which only it could know: discarded (S-33). */
export class NotImplemented extends Error {
  constructor(fn: string) {
    super(`not implemented: ${fn}`)
    this.name = 'NotImplemented'
  }
}

/** What the workload's own manager is told: after each function, and with each new status (S-86). */
export interface Step {
  /** The function that has ended, or `status` for a change of status between functions. */
  readonly step: string
  readonly status: ReportedStatus
  /** Why: an error, what a check has found, or empty. */
  readonly reason: string
  /** The host's wall clock, for people. */
  readonly atMs: number
}

export interface Answer {
  readonly guid: string
  readonly status: ReportedStatus
  /** Evidence, for operators: "HTTP 200, but the data is 40 s old". */
  readonly detail?: string
  /**
   * Online, and not as it should be (S-51): shown as a problem of the cluster, and nothing is restarted.
   * Said by `looksAlive`, it counts until that says something else.
   */
  readonly degraded?: boolean
}

/** What every entry point is given (S-30). */
export interface Call<P = unknown> {
  readonly guid: string
  readonly name: string
  readonly groupId: string
  readonly epoch: number
  readonly persistentState: 0 | 1
  readonly hiveSeq: number
  /** Name of the node it runs on. */
  readonly nodeName: string
  readonly properties: P
  /**
   * It needs other resources of its group. Files, devices and addresses that it uses may be theirs, and
   * are there only while those are online.
   */
  readonly dependent: boolean
  /** Of `migrate` and `save`: what is carried, and where to. */
  readonly carry: Carry | null
  /** Of `online`: it may go on from this. What cannot be found is lost, and it starts cold. */
  readonly resume: ResumeFrom | null
  /** Aborted when the call's deadline has passed or the call is cancelled. */
  readonly signal: AbortSignal
  /** Restarts the pending timeout. */
  progress(note: string): void
  log(message: string): void
  /** The guard's side of this resource: the only way to start something. */
  readonly workload: Workload
}

export interface Workload {
  /** What runs now by the guard's record, or null. */
  readonly process: ProcessRef | null
  /**
   * G4 (a): the guard itself starts the child, with the lease check in the same step.
   * @throws {Error} refused: no grant, a lease near its end, or the host policy forbids it
   */
  startChild(spec: ChildSpec): Promise<ProcessRef>
  /**
   * G4 (b): the guard records *starting*; the gate process asks for itself later, by `gateName`.
   * Resolves when recorded; `process` is set once a gate process was let through.
   */
  permitGate(gateName: string, how?: { readonly restores?: true }): Promise<void>
  /**
   * M1: a gate process of this name may come in as a copy, to wait and not to execute.
   * @throws {Error} refused: there is a copy already, or it is still here
   */
  permitCopy(mid: string, gateName: string): Promise<void>
  /**
   * M3: its manager has said that it is moved, and its process is gone by the guard's own record.
   * @throws {Error} refused: it still runs
   */
  carried(mid: string): Promise<void>
  /** Sends a signal to the main process; false when it is gone. */
  signal(signal: 'SIGTERM' | 'SIGINT' | 'SIGQUIT' | 'SIGHUP'): Promise<boolean>
  /** Stop procedure for this resource (G5): kills what is left, sees it dead, clears the record. */
  stop(): Promise<void>
  /**
   * Called when the recorded process ends, however it ends. Returns how to stop listening. A daemon
   * ends twice: its main process (`left`), and the last of its processes.
   */
  onExit(listener: (exit: WorkloadExit) => void): () => void
}

export interface WorkloadExit {
  readonly code: number | null
  readonly signal: string | null
  readonly left?: true | undefined
  /** With `left`, of what lasts without processes: those that it had have ended. */
  readonly empty?: true | undefined
  readonly process?: ProcessRef | undefined
  /** Of a daemon's main process: the end of what it has written. */
  readonly output?: string | undefined
}
