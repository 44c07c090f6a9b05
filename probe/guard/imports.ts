/**
 * Module files that a monitor has not lived through importing (S-32). A module's own statements run while
 * it is imported and may block the whole process, or end it, again and again: what has done so once is not
 * imported there again, so that everything else in that monitor is served by the next one.
 */
import type { LastCall } from '../../schema/last-calls.ts'
import type { RefusedModule } from '../../schema/module-pins.ts'
import { IMPORT } from '../../schema/module-pins.ts'
import type { Ending } from '../core/suspects.ts'

const WHY_MAX = 400
/** Two deaths within this time are held to have one cause. */
const SAME_CAUSE_MS = 600_000

export class Imports {
  /** By monitor, then by file. */
  readonly #refused = new Map<string, Map<string, RefusedModule>>()
  /** When a monitor was killed while it imported a file: it may have been anybody's SIGKILL. */
  readonly #killedMs = new Map<string, number>()

  /**
   * A monitor has ended.
   *
   * @param calls its last ones
   * @returns the types whose module it was, as far as that can be told
   */
  died(
    monitor: string,
    calls: readonly LastCall[],
    ending: Ending,
    detail: string,
    nowMs: number,
  ): string[] {
    // One is imported after the other: there is one at most.
    const call = calls.find((one) => one.fn === IMPORT && one.tookMs === undefined)
    if (!call || ending === 'meant') return []
    if (ending === 'signal' && !this.#again(`${monitor} ${call.of}`, nowMs)) return []
    this.refuse(monitor, { file: call.of, why: `${monitor} ended while it imported it: ${detail}` })
    return [call.type]
  }

  refuse(monitor: string, { file, why }: RefusedModule): void {
    const of = this.#refused.get(monitor) ?? new Map<string, RefusedModule>()
    this.#refused.set(monitor, of.set(file, { file, why: why.slice(0, WHY_MAX) }))
  }

  refusedIn(monitor: string): RefusedModule[] {
    return [...(this.#refused.get(monitor)?.values() ?? [])]
  }

  get some(): boolean {
    return this.#refused.size > 0
  }

  /** Of a monitor that is no more, or of all: somebody has seen to the files. */
  forget(monitor?: string): void {
    if (monitor === undefined) this.#refused.clear()
    else this.#refused.delete(monitor)
    this.#killedMs.clear()
  }

  #again(key: string, nowMs: number): boolean {
    const before = this.#killedMs.get(key)
    this.#killedMs.set(key, nowMs)
    return before !== undefined && nowMs - before <= SAME_CAUSE_MS
  }
}
