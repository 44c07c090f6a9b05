import type { Refusal } from '../schema/errors.ts'
import type { NodeFrame } from '../schema/session.ts'
import type { ClusterState } from './core/decision.ts'
import { Draft } from './core/draft.ts'
import { whyNot } from './core/placement.ts'
import type { Sockets } from './sockets.ts'

type Answer = Extract<NodeFrame, { t: 'couldTake' }>

/** Its modules have 400 ms; one that says nothing has nothing against it, as with an offer. */
const ANSWER_MS = 1_000
const UNDER_WAY_MAX = 256

/**
 * Whether the target of a planned move could run the group, asked before anything is stopped for it: the
 * offer itself comes when the group is free, and a refusal then has cost an interruption.
 */
export class MoveChecks {
  readonly #sockets: Sockets
  readonly #state: () => ClusterState
  readonly #waiting = new Map<string, { nodeId: string; come: (problem: string | null) => void }>()

  constructor(sockets: Sockets, state: () => ClusterState) {
    this.#sockets = sockets
    this.#state = state
  }

  /** @returns why not, or null: ask for the move, and the core decides */
  async refusal(groupId: string, nodeId: string): Promise<Refusal | null> {
    const { hive } = this.#state()
    const group = hive.groups.get(groupId)
    const node = hive.nodes.get(nodeId)
    const found = this.#sockets.welcomed(nodeId)
    // What is not owned is interrupted by nothing, and what else is wrong the core finds.
    if (!group || !node || !found || group.ownership.phase !== 'owned') return null
    const { owner } = group.ownership
    if (owner === nodeId || this.#waiting.size >= UNDER_WAY_MAX) return null
    if (whyNot(new Draft(this.#state(), Date.now(), ''), group, node) !== null) return null
    const request = crypto.randomUUID()
    const answer = this.#wait(nodeId, request)
    this.#sockets.send(found.ws, { t: 'couldTake', request, groupId })
    const problem = await answer
    if (problem === null) return null
    return {
      code: 'NOT_POSSIBLE_OWNER',
      message: `cannot move ${group.name} to ${node.name}: ${problem}`,
      why: `${node.name} was asked first. Nothing was stopped.`,
      remedy: `Let ${node.name} run it, or choose another node: holdfast why ${group.name}`,
    }
  }

  /** Counts only from the node that was asked. */
  answered(nodeId: string, { request, against }: Answer): void {
    const waiting = this.#waiting.get(request)
    if (waiting?.nodeId === nodeId) waiting.come(against)
  }

  #wait(nodeId: string, request: string): Promise<string | null> {
    return new Promise((resolve) => {
      const come = (problem: string | null) => {
        clearTimeout(timer)
        this.#waiting.delete(request)
        resolve(problem)
      }
      const timer = setTimeout(come, ANSWER_MS, null)
      this.#waiting.set(request, { nodeId, come })
    })
  }
}
