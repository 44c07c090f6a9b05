/** How a cluster begins from a backup, and how hosts come back to the places in it. */
import type { Refusal } from '../schema/errors.ts'
import type { Event } from '../schema/event.ts'
import type { HiveDocument } from '../schema/hive.ts'
import type { Because, Change, Update } from '../schema/update.ts'
import type { ClusterState, Decision } from './core/decision.ts'
import { gumUpdate } from './core/gum.ts'
import { DELETED } from './deleted.ts'
import { type Also, EMPTY_HASH, type HiveStore } from './hive-store.ts'
import { linesOf } from './log-lines.ts'
import { RESTORE, type RestoreAs, restoredChanges } from './restored.ts'
import type { Sockets } from './sockets.ts'
import type { Watchers } from './watchers.ts'
import type { Write } from './write.ts'
import type { Writes } from './writes.ts'

interface Around {
  readonly store: HiveStore
  readonly writes: Writes
  state(): ClusterState & { hash: string }
  handle(event: Event): unknown
  carry(event: Event, decision: Decision, nowMs: number, also: Also): unknown
  /** What is in memory is read anew when it is needed. */
  forget(): void
}

export interface RestoreAsk {
  readonly document: HiveDocument
  readonly as: RestoreAs
  readonly by: string
}

export interface PlaceAsk {
  readonly name: string
  readonly publicKey: string
}

/** So long the last words to its sockets may take to leave. */
const GOODBYE_MS = 100

const NOTHING = { refused: null, observations: [], effects: [], log: [] } as const

export class ClusterLife {
  readonly #around: Around

  constructor(around: Around) {
    this.#around = around
  }

  /**
   * Everything in one commit, by the updates that everything else is made by. Its journal begins here: what
   * the other cluster went through is in the backup.
   */
  restore({ document, as, by }: RestoreAsk, write: Write): { refused: Refusal } | { seq: number } {
    const { store, writes, state, forget, handle } = this.#around
    const { hive } = state()
    if (hive.cluster) return { refused: FORMED }
    const { id, name, nowMs, epoch } = as
    const of = document.cluster
    const evidence = { by, from: of?.name ?? '', seq: document.seq, epoch }
    const because: Because = { manager: 'DM', code: 'restored', evidence }
    const updates = restoredChanges(document, as).map((change, i) =>
      gumUpdate(i + 1, nowMs, change, because, RESTORE),
    )
    const decision: Decision = { ...NOTHING, updates }
    const request = { type: 'formCluster' as const, clusterId: id, name, profile: profileOf(of) }
    const told = {
      action: 'restoreCluster',
      about: { kind: 'cluster', id, name },
      asked: { clusterId: id, from: { id: of?.id, name: of?.name, seq: document.seq }, epoch },
      changes: [],
    }
    store.commit(
      { type: 'requested', request, by },
      nowMs,
      decision,
      EMPTY_HASH,
      1,
      linesOf(decision, hive, nowMs),
      () => {
        store.markPlaces(document.nodes.map((node) => node.id))
        writes.enter(write, told)
      },
    )
    forget()
    const made = state()
    store.boundJournal(made.hive, made.hash)
    // Which groups have to wait for others is decided at once, and not with the first host.
    handle({ type: 'woke' })
    return { seq: state().hive.seq }
  }

  /** Nothing of it is left: not an alarm either. Hosts are told that they are no members any more. */
  async end(
    name: string,
    ctx: DurableObjectState,
    sockets: Sockets,
    watchers: Watchers,
  ): Promise<void> {
    sockets.endAll(name)
    watchers.endAll()
    await ctx.storage.deleteAlarm()
    await ctx.storage.deleteAll()
    // Timers of this instance, and what is in its memory, go with it.
    setTimeout(() => ctx.abort(DELETED), GOODBYE_MS)
  }

  /**
   * A host joins by the name of a node that the cluster was restored with: it takes that place, with whatever
   * refers to it. Each place is taken once.
   *
   * @returns its id; null: there is no such place
   */
  takePlace({ name, publicKey }: PlaceAsk, by: string, write: Write): string | null {
    const { store, writes, state, carry } = this.#around
    const { hive } = state()
    const { cluster } = hive
    const node = [...hive.nodes.values()].find((one) => one.name === name)
    if (!cluster || !node || !store.isPlace(node.id)) return null
    const nowMs = Date.now()
    const changes: Change[] = [
      { table: 'node', id: node.id, value: { ...node, publicKey, joinedAtMs: nowMs } },
      { table: 'cluster', id: cluster.id, value: { ...cluster, view: cluster.view + 1 } },
    ]
    const because: Because = { manager: 'MM', code: 'nodeJoined', evidence: { by } }
    const cause = `u${hive.seq + 1}`
    const updates: Update[] = changes.map((change, i) =>
      gumUpdate(hive.seq + 1 + i, nowMs, change, because, cause),
    )
    const request = { type: 'joinNode' as const, nodeId: node.id, name, publicKey }
    const told = {
      ...{ action: 'joinNode', about: { kind: 'node', id: node.id, name } },
      asked: { nodeId: node.id, name, publicKey },
      changes: [{ table: 'node', id: node.id, before: node, after: changes[0]?.value }],
    }
    carry({ type: 'requested', request, by }, { ...NOTHING, updates }, nowMs, () => {
      store.unmarkPlace(node.id)
      writes.enter(write, told)
    })
    return node.id
  }
}

const profileOf = (cluster: HiveDocument['cluster']) => cluster?.profile ?? 'standard'

const FORMED: Refusal = { code: 'NAME_TAKEN', message: 'the cluster is formed already' }
