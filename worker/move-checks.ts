import type { Refusal } from '../schema/errors.ts'
import type { NodeFrame } from '../schema/session.ts'
import { Answers } from './answers.ts'
import type { ClusterState } from './core/decision.ts'
import { Draft } from './core/draft.ts'
import { candidates, whyNot } from './core/placement.ts'
import type { Sockets } from './sockets.ts'

type Answer = Extract<NodeFrame, { t: 'couldTake' }>

/** Its modules have 400 ms; one that says nothing has nothing against it, as with an offer. */
const ANSWER_MS = 1_000
const UNDER_WAY_MAX = 256

/** Null: whoever the core asks first. */
export type Target = { to: string | null } | { refused: Refusal }

/**
 * Whether the target of a planned move could run the group, asked before anything is stopped for it: the
 * offer itself comes when the group is free, and a refusal then has cost an interruption.
 */
export class MoveChecks {
  readonly #sockets: Sockets
  readonly #state: () => ClusterState
  readonly #answers = new Answers<{ against: string | null }>(UNDER_WAY_MAX)

  constructor(sockets: Sockets, state: () => ClusterState) {
    this.#sockets = sockets
    this.#state = state
  }

  /** @param named the node that the operator wants; null: the best possible one */
  async target(groupId: string, named: string | null): Promise<Target> {
    if (named === null) return this.#choose(groupId)
    const refused = await this.#refusal(groupId, named)
    return refused === null ? { to: named } : { refused }
  }

  /** @returns why not, or null: ask for the move, and the core decides */
  async #refusal(groupId: string, nodeId: string): Promise<Refusal | null> {
    const { hive } = this.#state()
    const group = hive.groups.get(groupId)
    const node = hive.nodes.get(nodeId)
    const found = this.#sockets.welcomed(nodeId)
    // What is not owned is interrupted by nothing, and what else is wrong the core finds.
    if (!group || !node || !found || group.ownership.phase !== 'owned') return null
    const { owner } = group.ownership
    if (owner === nodeId) return null
    const draft = new Draft(this.#state(), Date.now(), '')
    if (whyNot(draft, group, node, { without: owner }) !== null) return null
    const said = await this.#answers.ask(nodeId, ANSWER_MS, (request) =>
      this.#sockets.send(found.ws, { t: 'couldTake', request, groupId }),
    )
    if (!said || said.against === null) return null
    return {
      code: 'NOT_POSSIBLE_OWNER',
      message: `cannot move ${group.name} to ${node.name}: ${said.against}`,
      why: `${node.name} was asked first. Nothing was stopped.`,
      remedy: `Let ${node.name} run it, or choose another node: holdfast why ${group.name}`,
    }
  }

  /** The first of those that could take it which says that it can; null where the core would ask that first. */
  async #choose(groupId: string): Promise<Target> {
    const group = this.#state().hive.groups.get(groupId)
    if (group?.ownership.phase !== 'owned') return { to: null }
    const draft = new Draft(this.#state(), Date.now(), '')
    const { eligible } = candidates(draft, group, { without: group.ownership.owner })
    const against: string[] = []
    for (const node of eligible) {
      const refused = await this.#refusal(groupId, node.id)
      if (refused === null) return { to: against.length === 0 ? null : node.id }
      against.push(refused.message.replace(/^cannot move .*? to /, ''))
    }
    if (eligible.length === 0) return { to: null }
    return {
      refused: {
        code: 'NO_ELIGIBLE_NODE',
        message: `no other node can take group "${group.name}"`,
        why: `${against.join('; ')}. They were asked first, and nothing was stopped.`,
        remedy: `Let one of them run it: holdfast why ${group.name}`,
      },
    }
  }

  /** Counts only from the node that was asked. */
  answered(nodeId: string, answer: Answer): void {
    this.#answers.come(nodeId, answer.request, answer)
  }
}
