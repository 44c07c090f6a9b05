/** Starting, watching and killing what the guard has on record. */
import { closeSync, fstatSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WorkloadRecord } from '../../schema/ipc.ts'
import { PROFILES } from '../../schema/timing.ts'
import type { ChildSpec, ProcessRef } from '../../schema/workload.ts'
import { identityOf, isAlive } from '../gate/proc.ts'
import type { KillHandles } from './cgroup.ts'
import { Launchers } from './launchers.ts'
import { Rounds } from './rounds.ts'
import { type Noted, UndoNotes } from './undo/notes.ts'
import { Undoer } from './undo/undoer.ts'
import { permitUnit } from './undo/units.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
  readonly output?: string
}

export interface WorkloadEvents {
  /**
   * The main process has ended. What it left behind is being killed; a daemon's runs on (`left`), and
   * what has to be undone lasts, also when no process of it does (`empty`).
   */
  mainEnded(resourceId: string, process: ProcessRef, exit: Exit, left: boolean, empty?: true): void
  /**
   * Nothing of the workload runs any more, of the start that this process was; null: of one that
   * has not become a process.
   */
  nothingRuns(resourceId: string, process: ProcessRef | null): void
}

/** Processes that are not our children have no exit event: they are looked at this often. */
const LOOK_MS = 50
/** The same where a kill group has to be looked for among all processes of the host. */
const LOOK_BY_MARK_MS = 500
/** How often a killed workload is looked at and killed again until nothing runs (G5). */
const KILL_CHECK_MS = 2
/** At first without a pause: what was killed is mostly gone within the millisecond. */
const QUICK_CHECKS = 20
/** How soon something is undone again that was not gone. */
const UNDO_AGAIN_MS = 50

/** Of what is not our child. */
const UNKNOWN: Exit = { code: null, signal: null }

/** One start, as far as it has to be found and ended. */
type Start = Pick<WorkloadRecord, 'resourceId' | 'process' | 'group' | 'undo'>
type Started = Start & { readonly process: ProcessRef }

export class Workloads {
  readonly #handles: KillHandles
  readonly #launchers: Launchers
  readonly #undoer: Undoer
  readonly #notes: UndoNotes
  readonly #events: WorkloadEvents
  readonly #folder: string
  readonly #watches = new Rounds(LOOK_MS)
  readonly #costlyWatches = new Rounds(LOOK_BY_MARK_MS)
  /** Kills under way, by start: resource and process. */
  readonly #kills = new Map<string, string>()
  /** Starts whose exit event is still to come, and those that need it no more. */
  readonly #children = new Set<string>()
  readonly #settled = new Set<string>()
  /** Kill groups of an earlier guard that no record names. */
  #strays: string[] = []
  #strayEmulators: ProcessRef[] = []
  /** What an earlier guard has set up and no record names. */
  #strayUndos: Noted[] = []

  /** @param residualMs T_x (A7); the longest of all profiles where nobody knows better */
  constructor(
    handles: KillHandles,
    folder: string,
    events: WorkloadEvents,
    residualMs: () => number = () => PROFILES.wan.residualMs,
  ) {
    this.#handles = handles
    this.#launchers = new Launchers(handles)
    this.#events = events
    this.#folder = join(folder, 'workloads')
    this.#notes = new UndoNotes(join(folder, 'undo'))
    this.#undoer = new Undoer(this.#launchers, handles, this.#folder, residualMs)
    mkdirSync(this.#folder, { recursive: true })
  }

  /**
   * One step: whoever called this has checked the leases in the same turn (G2).
   *
   * @returns the process and the kill group that everything of it is in
   * @throws {Error} it could not be started
   */
  spawn(resourceId: string, spec: ChildSpec): { process: ProcessRef; group: string } {
    const log = join(this.#folder, `${resourceId}.log`)
    const before = spec.daemon ? sizeOf(log) : 0
    if (spec.undo) this.#notes.write(resourceId, spec.undo)
    // G4: noted first, since nobody would take back a permission that is not.
    if (spec.undo?.kind === 'unit') permitUnit(spec.undo, spec.env)
    const { child, process, group } = this.#launchers.launch(spec, log)
    const start: Started = { resourceId, process, group, undo: spec.undo }
    const key = keyOf(start)
    child.once('exit', (code, signal) => {
      this.#children.delete(key)
      // Its end may have been seen in /proc, acked, and followed by another start by now.
      if (this.#settled.delete(key)) return
      const exit = { code, signal, ...(spec.daemon && { output: endOf(log, before) }) }
      const runs = spec.daemon === true && !surely(() => this.#alive(group).length === 0)
      const lasts = spec.undo === undefined ? runs : code === 0
      if (lasts && !this.#kills.has(key)) {
        this.#events.mainEnded(resourceId, process, exit, true)
        if (runs) this.#watchUntil(start, () => this.#alive(group).length === 0)
        return
      }
      this.#ended(start, exit)
    })
    this.#children.add(key)
    return { process, group }
  }

  /** Whether what is on record runs: its main process, or of a daemon anything of its kill group. */
  lives(record: WorkloadRecord): boolean {
    const { process, group, daemon, undo } = record
    if (process && isAlive(process)) return true
    // G7: what is not undone lasts, whether or not anything of it can be seen from here.
    if (process && undo) return true
    return daemon === true && group !== undefined && this.#alive(group).length > 0
  }

  /** Watches a workload that is not our child: one that an earlier guard started, or a VM. */
  watch(record: WorkloadRecord): void {
    const { process, group, resourceId, undo } = record
    this.#unwatch(resourceId)
    if (!process) return
    const runs = { ...record, process, undo: undefined }
    // Nothing of it runs, and nothing has to: there is no end to be seen here.
    if (undo && surely(() => !this.lives(runs))) return
    this.#watchUntil({ resourceId, process, group, undo }, () => !this.lives(runs), record.daemon)
  }

  #watchUntil(start: Started, over: () => boolean, byGroup: boolean | undefined = true): void {
    const { resourceId } = start
    this.#unwatch(resourceId)
    const costly = byGroup && this.#handles.kind === 'mark'
    const look = () => {
      if (!surely(over)) return
      this.#unwatch(resourceId)
      if (start.undo) this.#events.mainEnded(resourceId, start.process, UNKNOWN, true, true)
      else this.#ended(start, null)
    }
    if (costly) this.#costlyWatches.set(resourceId, look)
    else this.#watches.set(resourceId, look)
  }

  /** The gate's socket said so before the next look. */
  endedElsewhere(record: WorkloadRecord, process: ProcessRef): void {
    this.#unwatch(record.resourceId)
    this.#ended({ ...record, process }, null)
  }

  /**
   * SIGKILL to all of it, again and again until nothing runs, then what is to be undone; then says
   * so (G5).
   */
  terminate(record: Start): void {
    this.#killUntilGone(record)
  }

  /** Whether what an ended workload left behind is still being killed. */
  isEnding(resourceId: string): boolean {
    return [...this.#kills.values()].includes(resourceId)
  }

  /**
   * Kills what an earlier guard has left and no record names (G10): kill groups, and emulators that
   * the gate let through, which are found by their mark. A start that was recorded without its
   * process yet may be among it: nothing is said of such a record before all of it is gone (G5).
   */
  killStrays(records: readonly WorkloadRecord[], gateGroup: string): void {
    const spares = this.#launchers.waiting()
    const groups = new Set(records.map((r) => r.group))
    const pids = new Set(records.map((r) => r.process?.pid))
    this.#strays = this.#handles
      .groups()
      .filter((group) => group.startsWith('w-') && !groups.has(group) && !spares.has(group))
    this.#strayEmulators = this.#handles.marked(gateGroup).filter(({ pid }) => !pids.has(pid))
    const ids = new Set(records.map((r) => r.resourceId))
    this.#strayUndos = this.#notes.all().filter(({ resourceId }) => !ids.has(resourceId))
    this.#killStraysUntilGone()
  }

  /** Once nothing of what an earlier guard has left runs any more; at once if there is nothing. */
  whenNoStrays(then: () => void): void {
    if (this.#strays.length + this.#strayEmulators.length + this.#strayUndos.length === 0) then()
    else setTimeout(() => this.whenNoStrays(then), KILL_CHECK_MS)
  }

  #killStraysUntilGone(): void {
    for (const group of this.#strays) this.#handles.killAll(group)
    this.#strays = this.#strays.filter((group) => {
      if (!surely(() => this.#alive(group).length === 0)) return true
      this.#handles.remove(group)
      return false
    })
    this.#strayEmulators = this.#strayEmulators.filter((emulator) => {
      if (surely(() => !isAlive(emulator))) return false
      if (surely(() => isAlive(emulator))) killPid(emulator.pid)
      return true
    })
    if (this.#strays.length + this.#strayEmulators.length > 0)
      setTimeout(() => this.#killStraysUntilGone(), KILL_CHECK_MS)
    else void this.#undoStrays()
  }

  async #undoStrays(): Promise<void> {
    await Promise.all(this.#strayUndos.map((noted) => this.#undone(noted)))
    this.#strayUndos = []
  }

  #alive(group: string): number[] {
    return this.#handles.members(group).filter((pid) => identityOf(pid) !== null)
  }

  /** Sends a signal to the main process, if it is still that process. */
  signal(record: WorkloadRecord, signal: NodeJS.Signals): boolean {
    const { process: main } = record
    if (!main || !surely(() => isAlive(main))) return false
    try {
      process.kill(main.pid, signal)
      return true
    } catch {
      return false
    }
  }

  /** The main process is gone: what it left behind belongs to it and goes too. */
  #ended(start: Started, exit: Exit | null): void {
    const { resourceId, process: main } = start
    if (this.#kills.has(keyOf(start))) return
    this.#killUntilGone(start)
    this.#events.mainEnded(resourceId, main, exit ?? UNKNOWN, false)
  }

  #killUntilGone(start: Start): void {
    const { resourceId, process: main, group } = start
    const key = keyOf(start)
    if (this.#kills.has(key)) return
    this.#kills.set(key, resourceId)
    let looks = 0
    const nothingRuns = () =>
      !(main && isAlive(main)) &&
      !(group && this.#alive(group).length > 0) &&
      !(!group && this.#strays.length + this.#strayEmulators.length > 0)
    const kill = () => {
      if (main && surely(() => isAlive(main))) killPid(main.pid)
      if (group) this.#handles.killAll(group)
    }
    const look = () => {
      if (!surely(nothingRuns)) {
        kill()
        looks += 1
        if (looks <= QUICK_CHECKS) setImmediate(look)
        else setTimeout(look, KILL_CHECK_MS)
        return
      }
      // G5: what could set it up again is dead; only now it can be undone for good.
      if (start.undo) void this.#undone(start).then(() => this.#over(start))
      else this.#over(start)
    }
    // At a lapse all are killed before the first is looked at, or undone: that starts a process, and
    // takes 40 to 200 ms on a host that has just gone on after a standstill.
    setImmediate(() => {
      kill()
      setImmediate(look)
    })
  }

  async #undone({ resourceId, undo }: Pick<Start, 'resourceId' | 'undo'>): Promise<void> {
    if (!undo) return
    while (!(await this.#undoer.undo(resourceId, undo))) await sleep(UNDO_AGAIN_MS)
    this.#notes.remove(resourceId)
  }

  /** Nothing of this start is left. */
  #over(start: Start): void {
    const { resourceId, process: main, group } = start
    const key = keyOf(start)
    this.#kills.delete(key)
    if (this.#children.delete(key)) this.#settled.add(key)
    this.#unwatch(resourceId)
    if (group) this.#handles.remove(group)
    this.#events.nothingRuns(resourceId, main)
  }

  #unwatch(resourceId: string): void {
    this.#watches.delete(resourceId)
    this.#costlyWatches.delete(resourceId)
  }
}

/** What could not be looked at proves nothing (G5): it is looked at again. */
function surely(seen: () => boolean): boolean {
  try {
    return seen()
  } catch {
    return false
  }
}

const keyOf = ({ resourceId, process: main }: Start) =>
  `${resourceId} ${main?.pid ?? ''} ${main?.startTicks ?? ''}`

function killPid(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone between the look and the kill.
  }
}

const OUTPUT_BYTES = 2_048

function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}

/** The end of what was written since. What cannot be read is no reason to fail. */
function endOf(path: string, since: number): string {
  try {
    const fd = openSync(path, 'r')
    try {
      const { size } = fstatSync(fd)
      const buffer = Buffer.alloc(Math.min(OUTPUT_BYTES, Math.max(0, size - since)))
      readSync(fd, buffer, 0, buffer.length, size - buffer.length)
      return buffer.toString('utf8')
    } finally {
      closeSync(fd)
    }
  } catch {
    return ''
  }
}
