/**
 * Liveness: from *every* reachable state a settled one can be reached by steps that are no faults. With
 * strong fairness it then is reached.
 */
import { grown } from './state-table.ts'

export class QuietSteps {
  #from = new Int32Array(1 << 20)
  #to = new Int32Array(1 << 20)
  #count = 0

  add(from: number, to: number): void {
    if (this.#count >= this.#from.length) {
      this.#from = grown(this.#from)
      this.#to = grown(this.#to)
    }
    this.#from[this.#count] = from
    this.#to[this.#count] = to
    this.#count += 1
  }

  /** How many of the states cannot come back: a walk backwards from the settled ones. */
  stuck(states: number, settled: (index: number) => boolean): number {
    const { first, sources } = this.#backwards(states)
    const reached = new Uint8Array(states)
    const open: number[] = []
    for (let index = 0; index < states; index += 1) {
      if (!settled(index)) continue
      reached[index] = 1
      open.push(index)
    }
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      for (let i = first[index] as number; i < (first[index + 1] as number); i += 1) {
        const source = sources[i] as number
        if (reached[source] === 1) continue
        reached[source] = 1
        open.push(source)
      }
    }
    return reached.reduce((stuck, yes) => stuck + (yes === 1 ? 0 : 1), 0)
  }

  /** For each state the states that step to it: `sources[first[n]] … sources[first[n + 1] - 1]`. */
  #backwards(states: number): { first: Int32Array; sources: Int32Array } {
    const first = new Int32Array(states + 1)
    for (let i = 0; i < this.#count; i += 1) bump(first, (this.#to[i] as number) + 1)
    for (let index = 0; index < states; index += 1)
      first[index + 1] = (first[index + 1] as number) + (first[index] as number)
    const next = first.slice(0, states)
    const sources = new Int32Array(this.#count)
    for (let i = 0; i < this.#count; i += 1)
      sources[bump(next, this.#to[i] as number)] = this.#from[i] as number
    return { first, sources }
  }
}

/** Adds one; gives what was there before. */
function bump(list: Int32Array, index: number): number {
  const before = list[index] as number
  list[index] = before + 1
  return before
}
