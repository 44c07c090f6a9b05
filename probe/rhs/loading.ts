/** Module files are imported one after another, so that it is known whose statements run (S-32). */
import { isSeparate } from '../../schema/ids.ts'
import { IMPORT, type ModulePin } from '../../schema/module-pins.ts'
import { roughBootMs } from '../clock.ts'
import { IMPORT_MS } from '../modules/module-file.ts'
import type { CallBook } from './call-book.ts'

/** One that is late is given up by this process; one that keeps it busy is noticed by the guard a little later. */
export const IMPORT_BLOCKS_MS = IMPORT_MS + 1_000

interface Parts {
  readonly monitor: string
  readonly book: CallBook
  /** The guard is told that this process lives, and how long it may say nothing. */
  sayAlive(): void
  /** Not to be tried again in this monitor. */
  notImported(file: string, why: string): void
  take(message: unknown): void
}

export class Loading {
  readonly #parts: Parts
  #waiting: unknown[] | null = null
  #underWay = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** How long this process may be kept busy by what it imports, or null: it imports nothing. */
  get withinMs(): number | null {
    return this.#underWay ? IMPORT_BLOCKS_MS : null
  }

  /** @returns whether it has to wait: until all is loaded nobody knows what is hosted here */
  holdsBack(message: unknown): boolean {
    this.#waiting?.push(message)
    return this.#waiting !== null
  }

  /** What comes meanwhile is taken afterwards. */
  async during(work: () => Promise<void>): Promise<void> {
    const waiting: unknown[] = []
    this.#waiting = waiting
    await work()
    this.#waiting = null
    for (const message of waiting) this.#parts.take(message)
  }

  /** @returns to be called when it has been imported, or with why it has not */
  begins({ type, file }: ModulePin): (problem?: string, late?: boolean) => void {
    const { monitor, book, sayAlive, notImported } = this.#parts
    this.#underWay = true
    sayAlive()
    const ids = isSeparate(monitor) ? [monitor.slice(monitor.indexOf(':') + 1)] : []
    const ended = book.begin(type, IMPORT, file, ids, roughBootMs())
    return (problem, late) => {
      ended(roughBootMs(), problem)
      this.#underWay = false
      sayAlive()
      if (late && problem !== undefined) notImported(file, problem)
    }
  }
}
