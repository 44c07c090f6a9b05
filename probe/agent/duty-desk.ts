import type { AgentToGuard, HeldResource } from '../../schema/ipc.ts'
import type { HeldGroup } from '../../schema/session.ts'
import { duties, type Known } from '../core/duties.ts'

/** Derives the duties anew, and tells RHS and guard only what differs from what they were told. */
export class DutyDesk {
  readonly #toGuard: (frame: AgentToGuard) => void
  /** What was told last, and to which resource monitor, by GUID. */
  readonly #told = new Map<string, { monitor: string; text: string }>()
  /** Groups that the guard was asked to stop, by epoch. */
  readonly #stopping = new Map<string, number>()
  /** What monitors say that they hold, until it has been compared. */
  readonly #holding = new Map<string, readonly { guid: string }[]>()
  /** GUID and epoch of what was held here before the monitor of now began. */
  readonly #inherited = new Set<string>()

  constructor(toGuard: (frame: AgentToGuard) => void) {
    this.#toGuard = toGuard
  }

  /** Whether the guard still owes an answer. */
  get waits(): boolean {
    return this.#stopping.size > 0
  }

  /** Grants that an earlier agent had. */
  inherit(grants: readonly HeldGroup[]): void {
    for (const { groupId, epoch } of grants) this.#inherited.add(`${groupId} ${epoch}`)
  }

  /** @param monitorOf the monitor that hosts a type (S-23), or null: told once there is one */
  act(monitorOf: (type: string) => string | null, known: Known): void {
    const { hold, stop } = duties(known)
    const news = new Map<string, HeldResource[]>()
    const gone = new Map<string, string[]>()
    for (const held of hold) {
      const monitor = monitorOf(held.type)
      if (monitor === null) continue
      const { hiveSeq: _, ...rest } = held
      const text = JSON.stringify(rest)
      const told = this.#told.get(held.guid)
      if (told?.text === text && told.monitor === monitor) continue
      if (told && told.monitor !== monitor) add(gone, told.monitor, held.guid)
      this.#told.set(held.guid, { monitor, text })
      add(news, monitor, held)
    }
    const kept = new Set(hold.map((h) => h.guid))
    for (const [guid, { monitor }] of this.#told) {
      if (kept.has(guid)) continue
      this.#told.delete(guid)
      add(gone, monitor, guid)
    }
    for (const [monitor, guids] of gone)
      this.#toGuard({ t: 'toRhs', monitor, frame: { t: 'drop', guids } })
    for (const [monitor, resources] of news) {
      const before = (r: HeldResource) =>
        this.#inherited.has(`${r.guid} ${r.epoch}`) ||
        this.#inherited.has(`${r.groupId} ${r.epoch}`)
      const inherited = resources.filter(before).map((r) => r.guid)
      this.#toGuard({ t: 'toRhs', monitor, frame: { t: 'hold', resources, inherited } })
    }
    if (known.current) this.#compare()
    for (const group of stop) {
      if (this.#stopping.get(group.groupId) === group.epoch) continue
      this.#stopping.set(group.groupId, group.epoch)
      this.#toGuard({ t: 'stopGroup', ...group })
    }
  }

  /** A monitor says what it holds: compared once it is known what it should (G8). */
  holds(monitor: string, holding: readonly { guid: string }[]): void {
    this.#holding.set(monitor, holding)
  }

  /**
   * What a monitor holds and was told by nobody that is remembered here, it lets go of: a lapse in
   * between has voided it, and what was told had overtaken the news of that.
   */
  #compare(): void {
    for (const [monitor, holding] of this.#holding) {
      const guids = holding.map((h) => h.guid).filter((g) => this.#told.get(g)?.monitor !== monitor)
      if (guids.length > 0) this.#toGuard({ t: 'toRhs', monitor, frame: { t: 'drop', guids } })
    }
    this.#holding.clear()
  }

  stopped(groupId: string): void {
    this.#stopping.delete(groupId)
  }

  /** A new monitor knows nothing; the others know what they knew. */
  rhsRestarted(monitor: string): void {
    for (const [guid, told] of this.#told) {
      if (told.monitor !== monitor) continue
      this.#told.delete(guid)
      this.#inherited.add(`${guid} ${JSON.parse(told.text).epoch}`)
    }
  }

  /** A lapse: everything is void. */
  clear(): void {
    this.#told.clear()
    this.#stopping.clear()
    this.#inherited.clear()
  }
}

function add<T>(map: Map<string, T[]>, key: string, item: T): void {
  const list = map.get(key)
  if (list) list.push(item)
  else map.set(key, [item])
}
