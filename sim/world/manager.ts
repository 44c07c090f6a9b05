/**
 * A manager outside of the guard's tree, as libvirt is: it is asked to start something, does so
 * later, and may be gone meanwhile. What it starts is a gate that asks the guard itself (G4).
 */
import type { ProcessRef } from '../../schema/workload.ts'
import type { Kernel } from './kernel.ts'
import type { Process, Processes } from './processes.ts'

export interface ManagerAsk {
  readonly resourceId: string
  readonly groupId: string
  readonly epoch: number
  readonly gateName: string
}

export interface ManagerSurroundings {
  readonly kernel: Kernel
  readonly processes: Processes
  /** How much later a start is executed. */
  lateMs(): number
  /** The gate asks, as the last thing before it becomes the workload; null: no, or no guard. */
  mayPass(ask: ManagerAsk, process: Process, incoming: boolean): number | null
  /** What becomes of the next migration from here. */
  fate(to: string): Fate
  /** The manager of another host, by its name. */
  other(host: string): Manager | undefined
  /** M2 is switched off: a copy executes as soon as it is whole. */
  readonly copiesRun: boolean
}

/**
 * How a migration ends (docs/rules.md, M2): as it should; the source goes on by itself, because the
 * target's answer was lost, and the copy stays; the copy dies; or the manager says yes and nothing has moved.
 */
export type Fate = 'moves' | 'goesOn' | 'copyDies' | 'lies'

const RETRY_MS = 100
/** Until all of the memory is on the other side. */
const TRANSFER_MS = { least: 50, most: 600 }

export class Manager {
  readonly #around: ManagerSurroundings
  /** Gone until then: what it was asked for is executed when it is back. */
  goneUntilMs = 0

  constructor(around: ManagerSurroundings) {
    this.#around = around
  }

  get answers(): boolean {
    return this.#around.kernel.nowMs >= this.goneUntilMs
  }

  /** @param ended whether the workload runs; never called when the manager forgets the request */
  start(ask: ManagerAsk, ended: (process: Process | null) => void): void {
    const { kernel, processes, lateMs, mayPass } = this.#around
    const execute = () => {
      if (!this.answers) return void kernel.at(kernel.nowMs + RETRY_MS, null, execute)
      const process = processes.gate(ask)
      const epoch = mayPass(ask, process, false)
      if (epoch !== null) {
        processes.exec(process, epoch)
        return ended(process)
      }
      processes.kill(process.pid, 0)
      ended(null)
    }
    kernel.at(kernel.nowMs + lateMs(), null, execute)
  }

  /** @param ended null: it is moved, as far as this manager says; else why not */
  migrate(ask: ManagerAsk, to: string, ended: (problem: string | null) => void): void {
    const { kernel, processes, lateMs, other } = this.#around
    const begin = () => {
      if (!this.answers) return void kernel.at(kernel.nowMs + RETRY_MS, null, begin)
      const source = processes.list().find((p) => p.resourceId === ask.resourceId && p.running)
      const target = other(to)
      const copy = source && target ? target.#receive(ask) : null
      if (!source || !target || !copy) return ended('the target does not take it')
      const { least, most } = TRANSFER_MS
      const whole = kernel.nowMs + kernel.random.between(least, most)
      kernel.at(whole, null, () => this.#switchOver(source, { to, manager: target }, copy, ended))
    }
    kernel.at(kernel.nowMs + lateMs(), null, begin)
  }

  #receive(ask: ManagerAsk): Process | null {
    const { processes, mayPass } = this.#around
    if (!this.answers) return null
    const process = processes.gate(ask)
    process.stateAtMs = null
    if (mayPass(ask, process, true) !== null) return process
    processes.kill(process.pid, 0)
    return null
  }

  #switchOver(
    source: Process,
    target: { to: string; manager: Manager },
    copy: Process,
    ended: (problem: string | null) => void,
  ): void {
    const { kernel, processes, fate, copiesRun } = this.#around
    const there = target.manager.#around.processes
    if (!there.lives(copy)) return ended('the copy is gone')
    if (!processes.lives(source) || !source.running) {
      there.kill(copy.pid, 0)
      return ended('it has ended')
    }
    if (copiesRun) there.exec(copy, copy.epoch)
    switch (fate(target.to)) {
      case 'goesOn':
        return ended('no answer of the target')
      case 'lies':
        return ended(null)
      case 'copyDies':
        there.kill(copy.pid, 0)
        return ended('the copy is gone')
      case 'moves': {
        processes.kill(source.pid, kernel.random.between(0, 20))
        const gone = () => {
          if (processes.lives(source)) return void kernel.at(kernel.nowMs + 1, null, gone)
          copy.stateAtMs = kernel.nowMs
          ended(null)
        }
        return gone()
      }
    }
  }

  /** What waits goes on; what executes is left alone. */
  resume(ref: ProcessRef, epoch: number): void {
    const found = this.#around.processes.find(ref)
    if (found && !found.running) this.#around.processes.exec(found, epoch)
  }
}
