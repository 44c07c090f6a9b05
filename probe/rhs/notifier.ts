import type { ResourceModule, Step } from '../../schema/resource-type.ts'

/** A manager that does not take note in this time is not told. */
const NOTIFY_MS = 3_000
/** Steps that wait while one is being told. With more the oldest are passed over: the last counts. */
const WAITING_MAX = 16

/**
 * Tells the workload's own manager of every step, in order (S-86). Best effort: nothing waits for
 * it, and what goes wrong is logged once in a row.
 */
export class Notifier {
  readonly #log: (guid: string, message: string) => void
  readonly #waiting = new Map<string, (() => Promise<void>)[]>()
  readonly #complained = new Set<string>()

  constructor(log: (guid: string, message: string) => void) {
    this.#log = log
  }

  /** @param makeCall throws where the properties do not fit the module any more */
  tell(
    guid: string,
    module: ResourceModule,
    makeCall: (signal: AbortSignal) => Parameters<NonNullable<ResourceModule['notify']>>[0],
    step: Step,
  ): void {
    if (!module.notify) return
    const one = async () => {
      const signal = AbortSignal.timeout(NOTIFY_MS)
      const late = new Promise<never>((_, reject) =>
        signal.addEventListener('abort', () => reject(new Error(`no answer in ${NOTIFY_MS} ms`))),
      )
      await Promise.race([module.notify?.(makeCall(signal), step), late])
    }
    const waiting = this.#waiting.get(guid)
    if (waiting) {
      waiting.push(one)
      if (waiting.length > WAITING_MAX) waiting.shift()
      return
    }
    const queue = [one]
    this.#waiting.set(guid, queue)
    setImmediate(() => void this.#work(guid, queue))
  }

  async #work(guid: string, queue: (() => Promise<void>)[]): Promise<void> {
    for (let one = queue.shift(); one; one = queue.shift()) {
      try {
        await one()
        this.#complained.delete(guid)
      } catch (error) {
        if (!this.#complained.has(guid)) this.#log(guid, `notify: ${error}`)
        this.#complained.add(guid)
      }
    }
    this.#waiting.delete(guid)
  }
}
