/**
 * Target Failover Manager (O1): what an offer is answered with. Besides what the agent itself knows, the
 * modules are asked whether this host could run each member; one that does not answer soon has
 * nothing against it. A yes is no permission: that is the update alone (U2).
 */
import type { AgentToGuard, FromRhs, HeldResource } from '../../schema/ipc.ts'
import { LIMITS } from '../../schema/limits.ts'
import type { NodeFrame, ObjectFrame } from '../../schema/session.ts'
import type { Received } from './copy-desk.ts'
import type { MonitorList } from './monitors.ts'

interface Parts {
  readonly monitors: Pick<MonitorList, 'hostOf' | 'isReady'>
  toGuard(frame: AgentToGuard): void
  answer(frame: NodeFrame): void
  /** Why not, by what the agent knows now; null: nothing is against it. */
  whyNot(groupId: string): string | null
  /** All members as this host would hold them. */
  members(groupId: string, epoch: number): HeldResource[]
  /** M1: makes a place for a copy. */
  receive(groupId: string, epoch: number, mid: string): Promise<Received>
}

interface Asked {
  readonly groupId: string
  /** Told once: why not, or null. */
  readonly done: (reason: string | null) => void
  readonly names: ReadonlyMap<string, string>
  readonly waiting: Set<string>
  readonly timer: NodeJS.Timeout
}

/** The control plane waits for 2 s, and a failover waits for this. */
const MODULES_MS = 400

export class OfferDesk {
  readonly #parts: Parts
  readonly #asked = new Map<number, Asked>()
  #next = 1

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** An offer: answered by accept or refuse. */
  take({ groupId, epoch, mid }: Extract<ObjectFrame, { t: 'offer' }>): void {
    const offer = { groupId, epoch }
    this.#examine(groupId, epoch, (reason) => {
      if (reason !== null) this.#parts.answer({ t: 'refuse', ...offer, reason })
      else if (mid === undefined) this.#parts.answer({ t: 'accept', ...offer })
      else void this.#acceptCopy(offer, mid)
    })
  }

  /** A yes to the group, with or without a place for the copy: it can come by other means. */
  async #acceptCopy(offer: { groupId: string; epoch: number }, mid: string): Promise<void> {
    const received = await this.#parts.receive(offer.groupId, offer.epoch, mid)
    const said =
      'to' in received
        ? { receives: { mid, to: received.to } }
        : { receivesNot: received.problem.slice(0, LIMITS.detailLengthMax) }
    this.#parts.answer({ t: 'accept', ...offer, ...said })
  }

  /** The same question before anything is stopped for it, with an answer that binds nobody. */
  couldTake({ request, groupId }: Extract<ObjectFrame, { t: 'couldTake' }>): void {
    this.#examine(groupId, 0, (against) => this.#parts.answer({ t: 'couldTake', request, against }))
  }

  #examine(groupId: string, epoch: number, done: Asked['done']): void {
    const reason = this.#parts.whyNot(groupId)
    if (reason !== null) return done(reason)
    const { monitors, toGuard } = this.#parts
    const byMonitor = new Map<string, HeldResource[]>()
    for (const held of this.#parts.members(groupId, epoch)) {
      const monitor = monitors.hostOf(held.type)
      if (monitor === null || !monitors.isReady(monitor)) continue
      byMonitor.set(monitor, [...(byMonitor.get(monitor) ?? []), held])
    }
    if (byMonitor.size === 0) return done(null)
    const request = this.#next
    this.#next += 1
    const all = [...byMonitor.values()].flat()
    this.#asked.set(request, {
      groupId,
      done,
      names: new Map(all.map((held) => [held.guid, held.name])),
      waiting: new Set(byMonitor.keys()),
      timer: setTimeout(() => this.#over(request), MODULES_MS),
    })
    for (const [monitor, resources] of byMonitor)
      toGuard({ t: 'toRhs', monitor, frame: { t: 'couldHost', request, resources } })
  }

  heard(monitor: string, { request, problems }: Extract<FromRhs, { t: 'couldHost' }>): void {
    const asked = this.#asked.get(request)
    if (!asked) return
    const [first] = problems
    if (first) {
      this.#forget(request)
      const name = asked.names.get(first.guid) ?? first.guid
      return asked.done(`${name}: ${first.problem}`)
    }
    asked.waiting.delete(monitor)
    if (asked.waiting.size === 0) this.#over(request)
  }

  #over(request: number): void {
    const asked = this.#asked.get(request)
    this.#forget(request)
    // Much may have changed since the modules were asked.
    asked?.done(this.#parts.whyNot(asked.groupId))
  }

  #forget(request: number): void {
    clearTimeout(this.#asked.get(request)?.timer)
    this.#asked.delete(request)
  }
}
