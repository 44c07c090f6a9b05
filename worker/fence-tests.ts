import type { Refusal } from '../schema/errors.ts'
import type { FenceProbe } from '../schema/fencing.ts'
import { LIMITS } from '../schema/limits.ts'
import type { NodeFrame } from '../schema/session.ts'
import { Answers } from './answers.ts'
import type { ClusterState } from './core/decision.ts'
import { Draft } from './core/draft.ts'
import { fenceHelpers, orderOf } from './core/fencing.ts'
import type { Sockets } from './sockets.ts'

type Answer = Extract<NodeFrame, { t: 'fenceTested' }>

export type Tested =
  | { refused: Refusal }
  | { helpers: { helper: string; fault: string | null; probes: FenceProbe[] }[] }

/** What the way there and back may take besides the agent's own time. */
const WAY_MS = 5_000

/**
 * `holdfast fence test`: status and monitor, run by each helper that may have to fence the node.
 * Nothing is decided by it, so it is not kept: who asked waits for the answers.
 */
export class FenceTests {
  readonly #sockets: Sockets
  readonly #state: () => ClusterState
  readonly #answers = new Answers<Answer>(LIMITS.nodesMax)

  constructor(sockets: Sockets, state: () => ClusterState) {
    this.#sockets = sockets
    this.#state = state
  }

  async run(nodeId: string, only: string | null): Promise<Tested> {
    const draft = new Draft(this.#state(), Date.now(), '')
    const node = draft.node(nodeId)
    const fence = node?.fence
    if (!node || !fence) return { refused: notSet(node?.name ?? nodeId) }
    const helpers = fenceHelpers(draft, node, fence)
      .filter((helper) => only === null || helper.id === only)
      .filter((helper) => this.#sockets.welcomed(helper.id) !== null)
    if (helpers.length === 0) return { refused: noHelper(node.name) }
    const asked = helpers.map(async (helper) => {
      const withinMs = fence.timeoutMs + WAY_MS
      const said = await this.#answers.ask(helper.id, withinMs, (request) => {
        const order = orderOf(node, fence, 'test', request)
        this.#sockets.tell(helper.id, { t: 'fence', order })
      })
      if (!said) return { helper: helper.name, fault: 'no answer in time', probes: [] }
      return { helper: helper.name, fault: said.fault, probes: said.probes }
    })
    return { helpers: await Promise.all(asked) }
  }

  /** Counts only from the helper that was asked. */
  answered(nodeId: string, frame: Answer): void {
    this.#answers.come(nodeId, frame.request, frame)
  }
}

const notSet = (name: string): Refusal => ({
  code: 'FENCE_NOT_SET',
  message: `node "${name}" has no fence agent`,
  why: 'Without one it can only be fenced by an operator.',
  remedy: `Set one up: holdfast fence add ${name} --agent NAME`,
})

const noHelper = (name: string): Refusal => ({
  code: 'FENCE_NO_HELPER',
  message: `nobody can run the fence agent of "${name}" now`,
  why: 'A fence agent runs on another node, and none that may do it is up and connected.',
  remedy: `Bring another node up, or widen the helpers of ${name}.`,
})

/** What an operator states is believed; of a host that is connected it cannot be true. */
export const connected = (name: string): Refusal => ({
  code: 'FENCE_CONNECTED',
  message: `node "${name}" is connected`,
  why: 'Its host runs, so none of its boots can be over. Nothing was changed.',
  remedy: `If its host has just died, wait until its session is lost: holdfast why ${name}`,
})
