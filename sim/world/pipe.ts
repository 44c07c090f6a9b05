/** A pipe between two processes of one host: what is written arrives in its order, a little late. */
import type { Actor, Kernel } from './kernel.ts'

export class Pipe {
  readonly #kernel: Kernel
  readonly #lateMs: () => number
  #lastMs = 0

  constructor(kernel: Kernel, lateMs: () => number) {
    this.#kernel = kernel
    this.#lateMs = lateMs
  }

  /** @param reader who reads it, if that still lives then; null: somebody else looks after that */
  write(reader: Actor | null, arrives: () => void): void {
    this.#lastMs = Math.max(this.#lastMs, this.#kernel.nowMs + this.#lateMs())
    this.#kernel.at(this.#lastMs, reader, arrives)
  }
}
