/**
 * Signs of life that QEMU gives by itself, for a fraction of the price of a question: its main loop has
 * gone to sleep of its own accord since it was looked at last. A main loop that spins, is stuck in a lock
 * or in a disk, or is stopped, does not.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import type { ProcessRef } from '../../schema/workload.ts'
import { isAlive } from '../gate/proc.ts'

/** A question at least so often: a main loop can also wait, now and then disturbed, for what never comes. */
export const LOOKS_PER_QUESTION = 6

const STATUS_BYTES = 4_096

export class SignsOfLife {
  #of: ProcessRef | null = null
  /** Of `/proc/PID/status`; bound to the process, not to the number. */
  #fd: number | null = null
  #slept: number | null = null
  #looks = 0

  /**
   * One look. It proves that QEMU lives or nothing: then, and every `LOOKS_PER_QUESTION` looks, it has to
   * be asked.
   */
  seen(process: ProcessRef | null): boolean {
    const before = this.#slept
    this.#slept = this.#look(process)
    this.#looks = (this.#looks + 1) % LOOKS_PER_QUESTION
    return this.#looks !== 0 && before !== null && this.#slept !== null && this.#slept > before
  }

  forget(): void {
    if (this.#fd !== null) closeSync(this.#fd)
    this.#fd = null
    this.#of = null
    this.#slept = null
  }

  /** @returns how often it has gone to sleep, or null: it is not to be seen, or does not run */
  #look(process: ProcessRef | null): number | null {
    if (process?.pid !== this.#of?.pid || process?.startTicks !== this.#of?.startTicks)
      this.forget()
    if (process === null) return null
    try {
      if (this.#fd === null) {
        this.#fd = openSync(`/proc/${process.pid}/status`, 'r')
        this.#of = process
        // Opened first: what is alive now under this number is what was opened.
        if (!isAlive(process)) throw new Error('gone')
      }
      return sleptOf(this.#fd)
    } catch {
      // Gone, or no descriptor to be had: whoever asks will be told.
      this.forget()
      return null
    }
  }
}

const text = Buffer.alloc(STATUS_BYTES)

function sleptOf(fd: number): number | null {
  const length = readSync(fd, text, 0, STATUS_BYTES, 0)
  const status = text.toString('latin1', 0, length)
  const state = /^State:\s+(\S)/m.exec(status)?.[1]
  const slept = /^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]
  return slept === undefined || !['R', 'S', 'D'].includes(state ?? '') ? null : Number(slept)
}
