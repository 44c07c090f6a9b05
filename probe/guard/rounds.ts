/**
 * Looks at many things again and again, all of them in one turn: to wake a process costs more than a look,
 * and a timer for each would wake it for each.
 */
export class Rounds {
  readonly #everyMs: number
  readonly #looks = new Map<string, () => void>()
  #timer: NodeJS.Timeout | null = null

  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  /** @param look called within so long, and then that often; instead of what was there under this key */
  set(key: string, look: () => void): void {
    this.#looks.set(key, look)
    this.#timer ??= setInterval(() => {
      // One may end another.
      for (const [key, one] of [...this.#looks]) if (this.#looks.get(key) === one) one()
    }, this.#everyMs)
  }

  delete(key: string): void {
    this.#looks.delete(key)
    if (this.#looks.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
