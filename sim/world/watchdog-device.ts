/** The watchdog device of a machine: resets it when it has not been fed for so long (G12). */
import type { Kernel, Timer } from './kernel.ts'

export class WatchdogDevice {
  readonly #kernel: Kernel
  readonly #timeoutMs: number
  readonly #resets: () => void
  #timer: Timer | null = null

  constructor(kernel: Kernel, timeoutMs: number, resets: () => void) {
    this.#kernel = kernel
    this.#timeoutMs = timeoutMs
    this.#resets = resets
  }

  /** Armed by the first one. */
  feed(): void {
    this.disarm()
    this.#timer = this.#kernel.at(this.#kernel.nowMs + this.#timeoutMs, null, this.#resets)
  }

  disarm(): void {
    if (this.#timer) this.#timer.cancelled = true
    this.#timer = null
  }
}
