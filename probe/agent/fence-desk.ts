import type { FenceOrder } from '../../schema/fencing.ts'
import type { FencePolicy } from '../../schema/host-policy.ts'
import type { NodeFrame } from '../../schema/session.ts'
import { fenceOff, switchOn, tryFence } from '../fence/fence.ts'
import type { Report } from './reports.ts'

export interface FenceWords {
  /** A result is kept until it is durable: it is true on every later session, too (F2). */
  tell(report: Report): void
  /** Worth something on this session only. */
  answer(frame: NodeFrame): void
  log(message: string): void
}

/** Fence agents run here for other nodes, by order of the control plane: one at a time per node. */
export class FenceDesk {
  readonly #words: FenceWords
  readonly #busy = new Set<string>()
  #policy: FencePolicy | null = null

  constructor(words: FenceWords) {
    this.#words = words
  }

  /** What this host's own policy allows. */
  allow(policy: FencePolicy | null): void {
    this.#policy = policy
  }

  async take(order: FenceOrder): Promise<void> {
    const { action, request, target } = order
    const { answer, log } = this.#words
    if (action === 'off') return this.#off(order)
    if (action === 'test') {
      const { fault, probes } = await tryFence(order, this.#policy)
      return answer({ t: 'fenceTested', request, fault, probes })
    }
    if (this.#busy.has(target.id)) return log(`${target.name} is being fenced: not switched on`)
    log(await switchOn(order, this.#policy))
  }

  async #off(order: FenceOrder): Promise<void> {
    const { request, boot, target } = order
    // F2: without a boot there is nothing that could be said.
    if (boot === null) return
    const said = { t: 'fenced' as const, target: target.id, boot, request }
    if (this.#busy.has(target.id)) {
      const detail = 'an earlier request for this node still runs here'
      return this.#words.tell({ ...said, outcome: 'failed', detail })
    }
    this.#busy.add(target.id)
    try {
      this.#words.answer({ t: 'fenceBegun', target: target.id, request })
      this.#words.tell({ ...said, ...(await fenceOff(order, this.#policy)) })
    } finally {
      this.#busy.delete(target.id)
    }
  }
}
