/** Starting, watching and killing what the guard has on record. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { ChildSpec, ProcessRef } from '../../schema/resource-module.ts'
import type { WorkloadRecord } from '../../schema/ipc.ts'
import { identityOf, isAlive } from '../gate/proc.ts'
import type { KillHandles } from './cgroup.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

export interface WorkloadEvents {
  /** The main process has ended, and nothing of the workload runs any more. */
  nothingRuns(resourceId: string, process: ProcessRef | null, exit: Exit | null): void
}

/** Processes that are not our children have no exit event: they are looked at this often. */
const LOOK_MS = 50
/** How often a killed workload is looked at and killed again until nothing runs (G5). */
const KILL_CHECK_MS = 2

export class Workloads {
  readonly #handles: KillHandles
  readonly #events: WorkloadEvents
  readonly #folder: string
  readonly #watches = new Map<string, NodeJS.Timeout>()
  readonly #kills = new Map<string, NodeJS.Timeout>()

  constructor(handles: KillHandles, folder: string, events: WorkloadEvents) {
    this.#handles = handles
    this.#events = events
    this.#folder = join(folder, 'workloads')
    mkdirSync(this.#folder, { recursive: true })
  }

  /**
   * Forks the child. The shell enters the kill group before it becomes the workload, and until
   * then it is in the guard's own group, which a new guard kills (G4 a, G11).
   *
   * @throws {Error} it could not be started
   */
  spawn(resourceId: string, spec: ChildSpec): ProcessRef {
    const group = groupOf(resourceId)
    const log = openSync(join(this.#folder, `${resourceId}.log`), 'a', 0o600)
    let child: ChildProcess
    try {
      child = spawn(
        '/bin/sh',
        ['-c', `${this.#handles.enterScript(group)}exec "$0" "$@"`, spec.command, ...spec.args],
        {
          detached: true,
          stdio: ['ignore', log, log],
          env: { ...spec.env, ...this.#handles.mark(group) },
          ...(spec.cwd !== undefined && { cwd: spec.cwd }),
          ...(spec.uid !== undefined && { uid: spec.uid }),
          ...(spec.gid !== undefined && { gid: spec.gid }),
        },
      )
    } finally {
      closeSync(log)
    }
    child.on('error', () => {})
    const process = child.pid === undefined ? null : identityOf(child.pid)
    if (!process) throw new Error('the process ended at once')
    child.once('exit', (code, signal) => this.#ended(resourceId, process, { code, signal }))
    return process
  }

  /** Watches a workload that is not our child: one that an earlier guard started, or a VM. */
  watch(record: WorkloadRecord): void {
    const { process, resourceId } = record
    this.#unwatch(resourceId)
    if (!process) return
    const timer = setInterval(() => {
      if (isAlive(process)) return
      this.#unwatch(resourceId)
      this.#ended(resourceId, process, null)
    }, LOOK_MS)
    this.#watches.set(resourceId, timer)
  }

  /** The gate's socket said so before the next look. */
  endedElsewhere(resourceId: string, process: ProcessRef): void {
    this.#unwatch(resourceId)
    this.#ended(resourceId, process, null)
  }

  /** SIGKILL to all of it, again and again until nothing runs; then says so (G5). */
  terminate(record: WorkloadRecord): void {
    this.#killUntilGone(record.resourceId, record.process, null)
  }

  /** Sends a signal to the main process, if it is still that process. */
  signal(record: WorkloadRecord, signal: NodeJS.Signals): boolean {
    if (!record.process || !isAlive(record.process)) return false
    try {
      process.kill(record.process.pid, signal)
      return true
    } catch {
      return false
    }
  }

  /** The main process is gone: what it left behind belongs to it and goes too. */
  #ended(resourceId: string, main: ProcessRef, exit: Exit | null): void {
    if (this.#kills.has(resourceId)) return
    this.#killUntilGone(resourceId, main, exit)
  }

  #killUntilGone(resourceId: string, main: ProcessRef | null, exit: Exit | null): void {
    clearTimeout(this.#kills.get(resourceId))
    const group = groupOf(resourceId)
    const look = () => {
      if (main && isAlive(main)) killPid(main.pid)
      const left = this.#handles.members(group).filter((pid) => identityOf(pid) !== null)
      if (left.length > 0) this.#handles.killAll(group)
      if (left.length > 0 || (main && isAlive(main))) {
        this.#kills.set(resourceId, setTimeout(look, KILL_CHECK_MS))
        return
      }
      this.#kills.delete(resourceId)
      this.#unwatch(resourceId)
      this.#handles.remove(group)
      this.#events.nothingRuns(resourceId, main, exit)
    }
    look()
  }

  #unwatch(resourceId: string): void {
    clearInterval(this.#watches.get(resourceId))
    this.#watches.delete(resourceId)
  }
}

export const groupOf = (resourceId: string) => `w-${resourceId}`

function killPid(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone between the look and the kill.
  }
}
