import { type ControlOutcome, controlOf } from '../schema/control.ts'
import type { Refusal } from '../schema/errors.ts'
import { typeInfo } from '../schema/resource-types/index.ts'
import type { NodeFrame } from '../schema/session.ts'
import { Answers } from './answers.ts'
import type { ClusterState } from './core/decision.ts'
import type { HiveStore } from './hive-store.ts'
import type { Sockets } from './sockets.ts'

type Answer = Extract<NodeFrame, { t: 'controlled' }>

export interface ControlAsk {
  readonly resourceId: string
  readonly code: string
  readonly input: Record<string, unknown>
  readonly by: string
}
export type Controlled = { refused: Refusal } | { node: string; answer: unknown }

/** The host gives up after 11 s. */
const ANSWER_MS = 12_000
const UNDER_WAY_MAX = 64

/**
 * `holdfast resource control`: handed to the node that has the group, at its epoch, and answered by the
 * module there. Nothing is decided by it, so nothing is kept but a line of the log.
 */
export class ControlCodes {
  readonly #sockets: Sockets
  readonly #store: HiveStore
  readonly #state: () => ClusterState
  readonly #answers = new Answers<ControlOutcome>(UNDER_WAY_MAX)

  constructor(sockets: Sockets, store: HiveStore, state: () => ClusterState) {
    this.#sockets = sockets
    this.#store = store
    this.#state = state
  }

  /** @param leaves called before it leaves: commits what has to be by then, or refuses it */
  async run(
    { resourceId, code, input, by }: ControlAsk,
    leaves: () => Refusal | null,
  ): Promise<Controlled> {
    const { hive } = this.#state()
    const resource = hive.resources.get(resourceId)
    const group = resource && hive.groups.get(resource.groupId)
    if (!resource || !group) return { refused: gone(resourceId) }
    const { name, type } = resource
    const controls = typeInfo(hive.types, type)?.controls ?? {}
    const known = controlOf(controls, code)
    if (!known) return { refused: unknownCode(type, code, Object.keys(controls)) }
    const told = known.input.safeParse(input)
    if (!told.success) {
      const [issue] = told.error.issues
      return { refused: badInput(code, `${issue?.path.join('.') || 'input'}: ${issue?.message}`) }
    }
    const { ownership } = group
    const owner = ownership.phase === 'owned' ? ownership.owner : null
    const found = owner === null ? null : this.#sockets.welcomed(owner)
    if (owner === null || !found) return { refused: nobodyRuns(name, group.name) }
    if (this.#answers.full) return { refused: BUSY }
    const node = hive.nodes.get(owner)?.name ?? owner
    const refused = leaves()
    if (refused) return { refused }
    const { epoch } = ownership
    const said = await this.#answers.ask(owner, ANSWER_MS, (request) =>
      this.#sockets.send(found.ws, {
        ...{ t: 'control', request, resourceId, groupId: group.id, epoch, code },
        input: told.data as never,
      }),
    )
    const outcome = said ?? { error: `${node} has not answered in time` }
    this.#log(resourceId, group.id, `control ${code} of ${name} by ${by}: ${wordOf(outcome)}`)
    if ('error' in outcome) return { refused: failed(name, code, node, outcome.error) }
    return { node, answer: JSON.parse(outcome.answer) }
  }

  /** Counts only from the node that was asked. */
  answered(nodeId: string, { request, outcome }: Answer): void {
    this.#answers.come(nodeId, request, outcome)
  }

  #log(resourceId: string, groupId: string, message: string): void {
    const at = { atMs: Date.now(), node: 'control', component: 'RCM' as const }
    this.#store.appendLog([{ ...at, resourceId, groupId, message: message.slice(0, 1_000) }])
  }
}

const wordOf = (outcome: ControlOutcome) => ('error' in outcome ? outcome.error : 'done')

const gone = (id: string): Refusal => ({
  code: 'NOT_FOUND',
  message: `there is no resource "${id}"`,
  remedy: 'List them: holdfast resource list',
})

const unknownCode = (type: string, code: string, known: readonly string[]): Refusal => ({
  code: 'BAD_REQUEST',
  message: `type ${type} has no control code "${code.slice(0, 64)}"`,
  why: known.length > 0 ? `it has: ${known.join(', ')}` : 'it has none',
  remedy: 'See what each type takes: holdfast resource types',
})

const badInput = (code: string, why: string): Refusal => ({
  code: 'BAD_REQUEST',
  message: `what control code ${code} was told does not fit`,
  why,
  remedy: 'See what each type takes: holdfast resource types',
})

const nobodyRuns = (name: string, group: string): Refusal => ({
  code: 'NODE_DOWN',
  message: `nobody can be asked about "${name}" now`,
  why: `Group ${group} is on its way, or its node has no session.`,
  remedy: `Look: holdfast why ${group}. Then ask again.`,
})

const BUSY: Refusal = {
  code: 'UNAVAILABLE',
  message: `${UNDER_WAY_MAX} control codes are under way in this cluster`,
  remedy: 'Ask again in a moment.',
}

const failed = (name: string, code: string, node: string, why: string): Refusal => ({
  code: 'CONTROL_FAILED',
  message: `${code} of "${name}" on ${node} has failed`,
  why,
  remedy: `holdfast log --resource ${name}`,
})
