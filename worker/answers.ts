/**
 * Questions to nodes whose answers somebody waits for: each counts only from the node that was asked, and
 * for so long. Nothing of it is kept: whoever asks, asks again.
 */
export class Answers<A> {
  readonly #waiting = new Map<string, { nodeId: string; come: (answer: A | null) => void }>()
  readonly #max: number

  /** @param max questions under way at once: who asks without end fills this and no more */
  constructor(max: number) {
    this.#max = max
  }

  get full(): boolean {
    return this.#waiting.size >= this.#max
  }

  /**
   * @param send given the name of the request, puts the question on its way
   * @returns null: no answer in time, or too many are waited for
   */
  ask(nodeId: string, ms: number, send: (request: string) => void): Promise<A | null> {
    if (this.full) return Promise.resolve(null)
    const request = crypto.randomUUID()
    return new Promise((resolve) => {
      const come = (answer: A | null) => {
        clearTimeout(timer)
        this.#waiting.delete(request)
        resolve(answer)
      }
      const timer = setTimeout(come, ms, null)
      this.#waiting.set(request, { nodeId, come })
      send(request)
    })
  }

  come(nodeId: string, request: string, answer: A): void {
    const waiting = this.#waiting.get(request)
    if (waiting?.nodeId === nodeId) waiting.come(answer)
  }
}
