/**
 * What follows from many things that come at once, done once for all that are here: a monitor that has
 * adopted a thousand resources tells of them in as many frames as they have groups.
 */
export class Soon {
  readonly #work: () => void
  #waiting: NodeJS.Immediate | null = null

  constructor(work: () => void) {
    this.#work = work
  }

  soon(): void {
    this.#waiting ??= setImmediate(() => {
      this.#waiting = null
      this.#work()
    })
  }
}
