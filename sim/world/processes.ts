/** Workloads of one simulated host: they outlive guard, agent and RHS, not the host. */
import type { ProcessRef } from '../../schema/workload.ts'
import type { Kernel } from './kernel.ts'
import type { Running, Witness } from './witness.ts'

export interface Workload {
  readonly resourceId: string
  readonly groupId: string
  readonly epoch: number
}

export interface Process extends ProcessRef, Workload {
  alive: boolean
  /** Until then it is a gate that waits for its yes: nothing of the workload runs (G4). */
  running: Running | null
  /** Of a copy that has come in (M1): when what it is a copy of had run for the last time; null: not yet. */
  stateAtMs?: number | null
}

export class Processes {
  readonly #kernel: Kernel
  readonly #witness: Witness
  readonly #host: string
  readonly #all = new Map<number, Process>()
  #nextPid = 100
  /** Named by who runs them: the node that the host is now. */
  nodeId = ''
  /** The machine stands still: what is killed dies when it goes on. */
  frozenUntilMs = 0
  /** Neither a stop nor a kill has an effect on it. */
  immune: (of: Workload) => boolean = () => false
  /** Told when one has ended, if anybody listens. */
  onEnd: (process: Process) => void = () => {}

  constructor(kernel: Kernel, witness: Witness, host: string) {
    this.#kernel = kernel
    this.#witness = witness
    this.#host = host
  }

  fork(of: Workload): Process {
    const process = this.gate(of)
    this.exec(process, of.epoch)
    return process
  }

  /** A process that has still to ask before it becomes the workload. */
  gate({ resourceId, groupId, epoch }: Workload): Process {
    this.#nextPid += 1
    const startTicks = Math.floor(this.#kernel.nowMs)
    const workload = { resourceId, groupId, epoch }
    const process = { ...workload, pid: this.#nextPid, startTicks, alive: true, running: null }
    this.#all.set(process.pid, process)
    return process
  }

  exec(process: Process, epoch: number): void {
    const { resourceId, groupId } = process
    const running = { resourceId, groupId, epoch, host: this.#host, nodeId: this.nodeId }
    process.running = running
    if (process.stateAtMs !== undefined) this.#witness.goesOn(running, process.stateAtMs)
    this.#witness.started(running)
  }

  /** SIGKILL: it is gone a little later. */
  kill(pid: number, afterMs: number): void {
    const process = this.#all.get(pid)
    if (process && this.immune(process)) return
    const fromMs = Math.max(this.#kernel.nowMs, this.frozenUntilMs)
    this.#kernel.at(fromMs + afterMs, null, () => this.#end(pid))
  }

  lives(ref: ProcessRef): boolean {
    const found = this.#all.get(ref.pid)
    return found?.alive === true && found.startTicks === ref.startTicks
  }

  find(ref: ProcessRef): Process | undefined {
    return this.lives(ref) ? this.#all.get(ref.pid) : undefined
  }

  list(): Process[] {
    return [...this.#all.values()]
  }

  /** The power is gone. */
  cut(): void {
    for (const { pid } of this.list()) this.#end(pid)
  }

  #end(pid: number): void {
    const process = this.#all.get(pid)
    if (!process) return
    process.alive = false
    this.#all.delete(pid)
    if (process.running) this.#witness.ended(process.running)
    this.onEnd(process)
  }
}
