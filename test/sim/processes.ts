/** Workloads of one simulated host: they outlive guard, agent and RHS, not the host. */
import type { ProcessRef } from '../../schema/workload.ts'
import type { Kernel } from './kernel.ts'
import type { Witness } from './witness.ts'

export interface Process extends ProcessRef {
  readonly resourceId: string
  readonly groupId: string
  readonly epoch: number
  alive: boolean
}

export class Processes {
  readonly #kernel: Kernel
  readonly #witness: Witness
  readonly #host: string
  readonly #all = new Map<number, Process>()
  #nextPid = 100
  /** Told when one has ended, if anybody listens. */
  onEnd: (process: Process) => void = () => {}

  constructor(kernel: Kernel, witness: Witness, host: string) {
    this.#kernel = kernel
    this.#witness = witness
    this.#host = host
  }

  fork(of: { resourceId: string; groupId: string; epoch: number }): Process {
    this.#nextPid += 1
    const process = {
      ...of,
      pid: this.#nextPid,
      startTicks: Math.floor(this.#kernel.nowMs),
      alive: true,
    }
    this.#all.set(process.pid, process)
    this.#witness.started(of.groupId, this.#host)
    return process
  }

  /** SIGKILL: it is gone a little later. */
  kill(pid: number, afterMs: number): void {
    this.#kernel.at(this.#kernel.nowMs + afterMs, null, () => this.#end(pid))
  }

  lives(ref: ProcessRef): boolean {
    const found = this.#all.get(ref.pid)
    return found?.alive === true && found.startTicks === ref.startTicks
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
    this.#witness.ended(process.groupId, this.#host)
    this.onEnd(process)
  }
}
