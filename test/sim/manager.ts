/**
 * A manager outside of the guard's tree, as libvirt is: it is asked to start something, does so
 * later, and may be gone meanwhile. What it starts is a gate that asks the guard itself (G4).
 */
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
  mayPass(ask: ManagerAsk, process: Process): number | null
}

const RETRY_MS = 100

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
      const epoch = mayPass(ask, process)
      if (epoch !== null) {
        processes.exec(process, epoch)
        return ended(process)
      }
      processes.kill(process.pid, 0)
      ended(null)
    }
    kernel.at(kernel.nowMs + lateMs(), null, execute)
  }
}
