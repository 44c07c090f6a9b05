import type { GuardEffect, GuardFile } from '../core/guard.ts'
import type { StateFile } from './state-file.ts'

/** A renewed deadline reaches the file this much later; an old one is only shorter (G9). */
const LATER_MS = 25
/** A file that cannot be written is tried again this often. */
const RETRY_MS = 100

/** Without a record on file nothing starts. */
export const NO_FILE = 'the guard cannot write its state file'

/**
 * The order of file and effects (G9), also while the file cannot be written (a full disk): what
 * ends something happens all the same, what starts something is refused, and what acknowledges
 * waits for the file. A guard that died of it instead would leave what runs to nobody.
 */
export class Saver {
  readonly #file: StateFile
  readonly #state: () => GuardFile
  readonly #carryOut: (effect: GuardEffect) => void
  #waiting: GuardEffect[] = []
  #lags = false
  #soon = false

  constructor(file: StateFile, state: () => GuardFile, carryOut: (effect: GuardEffect) => void) {
    this.#file = file
    this.#state = state
    this.#carryOut = carryOut
  }

  /** The file does not have what it should: nothing may start. */
  get lags(): boolean {
    return this.#lags
  }

  now(): void {
    this.#soon = false
    try {
      this.#file.write(this.#state())
    } catch (error) {
      if (this.#lags) return
      this.#lags = true
      process.stderr.write(`holdfast guard: the state file cannot be written: ${error}\n`)
      this.#retry()
      return
    }
    this.#lags = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const effect of waiting) this.#carryOut(effect)
  }

  later(): void {
    if (this.#soon) return
    this.#soon = true
    setTimeout(() => {
      if (this.#soon) this.now()
    }, LATER_MS)
  }

  /** @returns true when the effect has to wait for the file; it is carried out once that is written */
  holdsBack(effect: GuardEffect): boolean {
    if (!this.#lags || !needsFile(effect)) return false
    this.#waiting.push(effect)
    return true
  }

  #retry(): void {
    setTimeout(() => {
      this.now()
      if (this.#lags) this.#retry()
    }, RETRY_MS)
  }
}

function needsFile(effect: GuardEffect): boolean {
  if (effect.type === 'answerRhs') return effect.ok
  return (
    effect.type === 'toAgent' &&
    ['granted', 'stopped', 'held', 'policyTaken'].includes(effect.frame.t)
  )
}
