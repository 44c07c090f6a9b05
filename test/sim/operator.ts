/** An operator who asks for things at the worst moment, and remembers what was acknowledged. */
import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import type { Kernel } from './kernel.ts'
import type { Platform } from './platform.ts'

export interface Wanted {
  /** PersistentState that was acknowledged last, or null while an answer is owed. */
  state: 0 | 1 | null
}

export class Operator {
  readonly #kernel: Kernel
  readonly #platform: Platform
  /** By GUID of the resource. */
  readonly wanted = new Map<string, Wanted>()
  asked = 0
  refused = 0
  /** No answer came: carried out or not, nobody knows. */
  unanswered = 0

  constructor(kernel: Kernel, platform: Platform) {
    this.#kernel = kernel
    this.#platform = platform
  }

  ask(request: Request, answered: (ok: boolean | null) => void = () => {}): void {
    this.asked += 1
    void this.#platform
      .call((object) => object.ask(request, 'operator'))
      .then((answer: { refused: Refusal } | { seq: number } | null) => {
        if (answer === null) this.unanswered += 1
        else if ('refused' in answer) this.refused += 1
        answered(answer === null ? null : !('refused' in answer))
      })
  }

  want(resourceId: string, persistentState: 0 | 1): void {
    const before = this.wanted.get(resourceId)?.state ?? null
    const mine: Wanted = { state: null }
    this.wanted.set(resourceId, mine)
    this.ask({ type: 'setResourceState', resourceId, persistentState }, (ok) => {
      if (this.wanted.get(resourceId) !== mine) return
      if (ok === true) mine.state = persistentState
      if (ok === false) mine.state = before
    })
  }

  /** Moves, pauses, edits, online and offline, until `endMs`. */
  meddle(
    everyMs: number,
    endMs: number,
    of: { groups: readonly string[]; resources: readonly string[]; nodes: readonly string[] },
  ): void {
    const { random } = this.#kernel
    const next = () => {
      const atMs = this.#kernel.nowMs - Math.log(1 - random.next()) * everyMs
      if (atMs >= endMs) return
      this.#kernel.at(atMs, null, () => {
        this.#one(of)
        next()
      })
    }
    next()
    this.#kernel.at(endMs, null, () => {
      for (const nodeId of of.nodes) this.ask({ type: 'pauseNode', nodeId, paused: false })
    })
  }

  #one(of: {
    groups: readonly string[]
    resources: readonly string[]
    nodes: readonly string[]
  }): void {
    const { random } = this.#kernel
    const groupId = random.pick(of.groups)
    const nodeId = random.pick(of.nodes)
    switch (random.integer(6)) {
      case 0:
      case 1:
        return this.ask({ type: 'moveGroup', groupId, to: random.chance(0.5) ? nodeId : null })
      case 2:
        return this.ask({ type: 'pauseNode', nodeId, paused: random.chance(0.5) })
      case 3:
        return this.want(random.pick(of.resources), 0)
      case 4:
        return this.want(random.pick(of.resources), 1)
      default:
        return this.ask({
          type: 'changeGroup',
          groupId,
          settings: { preferredOwners: random.chance(0.5) ? [nodeId] : [] },
        })
    }
  }
}
