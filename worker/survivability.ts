/**
 * What the loss of any node, or of any two, would come to: known for the state of now, and worked out anew
 * where that has changed. With pauses, since whatever the object does delays its answers to every session.
 */
import type { LossView } from '../schema/api/simulate.ts'
import type { ClusterState } from './core/decision.ts'
import { Losses } from './core/losses.ts'

/** A cluster that changes all the time is told of as it was at the end of the last attempt. */
const ATTEMPTS = 3

export interface Lossy {
  readonly seq: number
  readonly nodes: LossView[]
}

interface Around {
  state(): ClusterState
  /** Grows with every change of anything. */
  progress(): number
}

export class Survivability {
  readonly #around: Around
  readonly #losses = new Losses()
  readonly #known = new Map<1 | 2, { at: number; answer: Lossy }>()
  readonly #running = new Map<1 | 2, Promise<Lossy>>()

  constructor(around: Around) {
    this.#around = around
  }

  /** @param lost how many nodes at once */
  async of(lost: 1 | 2): Promise<Lossy> {
    const known = this.#known.get(lost)
    if (known?.at === this.#around.progress()) return known.answer
    const running = this.#running.get(lost) ?? this.#workOut(lost)
    this.#running.set(lost, running)
    try {
      return await running
    } finally {
      this.#running.delete(lost)
    }
  }

  async #workOut(lost: 1 | 2): Promise<Lossy> {
    let at = 0
    let answer: Lossy = { seq: 0, nodes: [] }
    for (let n = 0; n < ATTEMPTS; n += 1) {
      at = this.#around.progress()
      answer = { seq: this.#around.state().hive.seq, nodes: await this.#once(lost) }
      if (at === this.#around.progress()) break
    }
    this.#known.set(lost, { at, answer })
    return answer
  }

  async #once(lost: 1 | 2): Promise<LossView[]> {
    const out: LossView[] = []
    for (const nodes of this.#each(lost)) {
      const ids = nodes.map((node) => node.id)
      const state = this.#around.state()
      let groups = this.#losses.known(state, ids)
      if (!groups) {
        groups = this.#losses.workOut(state, ids, Date.now())
        // Whoever waits for an answer comes first. The runtime's clock stands still in between: no slice is timed.
        await new Promise((resolve) => setTimeout(resolve, 0))
      }
      out.push({ node: nodes.map((node) => node.name).join(','), groups: [...groups] })
    }
    return out
  }

  #each(lost: 1 | 2): { id: string; name: string }[][] {
    const up = [...this.#around.state().hive.nodes.values()]
      .filter((node) => node.state !== 'down')
      .sort((a, b) => a.position - b.position)
    if (lost === 1) return up.map((node) => [node])
    return up.flatMap((one, n) => up.slice(n + 1).map((other) => [one, other]))
  }
}
