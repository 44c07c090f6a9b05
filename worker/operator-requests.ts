import type { Refusal } from '../schema/errors.ts'
import type { Event, Request } from '../schema/event.ts'
import { shortened } from './audit.ts'
import { aboutOf, toldOf } from './audit-requests.ts'
import type { ControlAsk } from './controls.ts'
import type { ClusterState, Decision } from './core/decision.ts'
import { idOf } from './core/operations/begun.ts'
import type { CancelAsk } from './core/operations/cancel.ts'
import { step } from './core/step.ts'
import { connected } from './fence-tests.ts'
import type { Also, HiveStore } from './hive-store.ts'
import { cancelOf } from './operation-reads.ts'
import { overQuota } from './quotas.ts'
import type { Sockets } from './sockets.ts'
import { type Asked, type Reply, replyBody, type Write } from './write.ts'
import type { Writes } from './writes.ts'

interface Around {
  readonly store: HiveStore
  readonly sockets: Sockets
  readonly writes: Writes
  state(): ClusterState
  handle(event: Event, also: Also): Decision
  suspectMissing(): void
}

/** What operators ask for: carried out with the answer that they get, or refused with nothing changed. */
export class OperatorRequests {
  readonly #around: Around

  constructor(around: Around) {
    this.#around = around
  }

  ask(
    request: Request,
    by: string,
    write: Write | null = null,
    reply: Reply = { fields: {} },
  ): { refused: Refusal } | Asked {
    const { store, sockets, writes, state, handle, suspectMissing } = this.#around
    if (request.type === 'confirmFence' && sockets.welcomed(request.nodeId))
      return { refused: connected(store.session(request.nodeId)?.name ?? request.nodeId) }
    const hindered = write && writes.hindrance(write)
    if (hindered) return { refused: hindered }
    const over = write?.quotas && overQuota(request, state().hive, write.quotas)
    if (over) return { refused: over }
    const { seq } = state().hive
    const asked = ({ updates }: Decision): Asked => {
      return { seq: updates.at(-1)?.seq ?? seq, operation: idOf(request, updates) }
    }
    const event = { type: 'requested' as const, request, by }
    if (write?.dryRun) return this.#tried(event)
    const decision = handle(event, (made) => {
      if (!write) return
      const told = toldOf(request, made.updates, state().hive)
      writes.commit(write, told, replyBody(asked(made), reply))
    })
    // Who is lost already may be fenced from now on.
    const all = request.type === 'batch' ? request.requests : [request]
    if (all.some((one) => one.type === 'setFence' || one.type === 'setTakeover')) suspectMissing()
    return decision.refused ? { refused: decision.refused } : asked(decision)
  }

  /** Decided as it would be, by the same core; it changes nothing, and nothing follows it. */
  #tried(event: Extract<Event, { type: 'requested' }>): { refused: Refusal } | Asked {
    const state = this.#around.state()
    const { refused, updates } = step(state, event, Date.now())
    if (refused) return { refused }
    const { changes } = toldOf(event.request, updates, state.hive)
    return { seq: state.hive.seq, operation: null, dry: JSON.stringify(changes.map(shortened)) }
  }

  cancel(id: string, how: CancelAsk, by: string, write: Write, reply: Reply) {
    const back = cancelOf(this.#around.store, this.#around.state(), id, how)
    return 'refused' in back ? back : this.ask(back, by, write, reply)
  }

  /** What a host has asked for on its session. @returns null: carried out */
  ofHost(request: Request, write: Write): Refusal | null {
    const done = this.ask(request, write.who.name, write)
    if (!('refused' in done)) return null
    this.#around.writes.refused(write, done.refused)
    return done.refused
  }

  /**
   * What is handed to a host, and leaves nothing in the hive: told before it leaves.
   *
   * @returns null: it may leave
   */
  attempt(
    write: Write,
    { input: _, by: __, ...asked }: Partial<ControlAsk> & { nodeId?: string },
  ): Refusal | null {
    const { hive } = this.#around.state()
    const about = aboutOf(asked, [], hive)
    return this.#around.writes.attempt(write, { action: write.route, about, asked, changes: [] })
  }

  /**
   * A configuration that is there already.
   *
   * @returns null: so it is told
   */
  nothing(write: Write, body: unknown): Refusal | null {
    const hindered = this.#around.writes.hindrance(write)
    if (hindered || write.dryRun) return hindered
    const about = aboutOf({}, [], this.#around.state().hive)
    this.#around.writes.nothing(write, { action: 'batch', about, asked: {}, changes: [] }, body)
    return null
  }
}
