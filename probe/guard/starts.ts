import type { WorkloadRecord } from '../../schema/ipc.ts'
import type { ProcessRef } from '../../schema/workload.ts'
import { isAlive } from '../gate/proc.ts'
import type { Workloads } from './workloads.ts'

interface Ask {
  readonly resourceId: string
  readonly requestId: number
  /** The resource monitor that asks. */
  readonly monitor?: string | undefined
}

/** Starts that wait until what ended before them is gone: it may hold what the new one needs. */
export class Starts {
  readonly #workloads: Pick<Workloads, 'isEnding' | 'endedElsewhere'>
  readonly #refuse: (requestId: number) => void
  readonly #isAlive: (process: ProcessRef) => boolean
  readonly #waiting = new Map<string, Ask & { start: () => void }>()

  constructor(
    workloads: Pick<Workloads, 'isEnding' | 'endedElsewhere'>,
    refuse: (requestId: number) => void,
    alive: (process: ProcessRef) => boolean = isAlive,
  ) {
    this.#workloads = workloads
    this.#refuse = refuse
    this.#isAlive = alive
  }

  whenEnded(ask: Ask, record: WorkloadRecord | undefined, start: () => void): void {
    const { resourceId } = ask
    // RHS may see an end before the guard has looked. A daemon outlives its main process.
    if (record?.process && !record.daemon && !this.#isAlive(record.process))
      this.#workloads.endedElsewhere(record, record.process)
    if (!this.#workloads.isEnding(resourceId)) return start()
    this.cancel(resourceId)
    this.#waiting.set(resourceId, { ...ask, start })
  }

  /** Nothing runs any more: what waits may start. */
  ended(resourceId: string): void {
    const waiting = this.#waiting.get(resourceId)
    this.#waiting.delete(resourceId)
    waiting?.start()
  }

  /** Whoever asked is gone: nobody would know of what starts now. */
  forget(monitor: string): void {
    for (const [resourceId, ask] of this.#waiting)
      if (monitor === 'all' || ask.monitor === monitor) this.#waiting.delete(resourceId)
  }

  /** With a stop it is over: nothing may start once that is acknowledged (G5). */
  cancel(resourceId: string): void {
    const waiting = this.#waiting.get(resourceId)
    this.#waiting.delete(resourceId)
    if (waiting) this.#refuse(waiting.requestId)
  }
}
