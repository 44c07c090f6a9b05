/** Something that is asked for often and done at once, but not more often than so. */
export class Seldom {
  readonly #everyMs: number
  readonly #work: () => void
  #timer: NodeJS.Timeout | null = null
  #again = false

  constructor(everyMs: number, work: () => void) {
    this.#everyMs = everyMs
    this.#work = work
  }

  soon(): void {
    if (this.#timer !== null) {
      this.#again = true
      return
    }
    this.#work()
    this.#timer = setTimeout(() => {
      this.#timer = null
      if (!this.#again) return
      this.#again = false
      this.soon()
    }, this.#everyMs)
  }
}
