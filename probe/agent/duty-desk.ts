import type { AgentToGuard, HeldResource } from '../../schema/ipc.ts'
import type { HeldGroup } from '../../schema/session.ts'
import { duties, type Known } from '../core/duties.ts'
import type { Isolation } from './isolation.ts'
import type { MonitorList } from './monitors.ts'

type Told = { readonly monitor: string; readonly held: HeldResource }

/** Derives the duties anew, and tells RHS and guard only what differs from what they were told. */
export class DutyDesk {
  readonly #toGuard: (frame: AgentToGuard) => void
  readonly #isolation: Pick<Isolation, 'isAlone'>
  /** What was told last, and to which resource monitor, by GUID. */
  readonly #told = new Map<string, Told>()
  /** Monitors of single resources that the guard was asked for, as text; null: not since we began. */
  #separate: string | null = null
  /** Groups that the guard was asked to stop, by epoch. */
  readonly #stopping = new Map<string, number>()
  /** What monitors say that they hold, until it has been compared. */
  readonly #holding = new Map<string, readonly { guid: string }[]>()
  /** GUID and epoch of what was held here before the monitor of now began. */
  readonly #inherited = new Set<string>()

  /** @param isolation which resources are alone before the hive says so */
  constructor(
    toGuard: (frame: AgentToGuard) => void,
    isolation: Pick<Isolation, 'isAlone'> = { isAlone: (_, inHive) => inHive === true },
  ) {
    this.#toGuard = toGuard
    this.#isolation = isolation
  }

  /** Whether the guard still owes an answer. */
  get waits(): boolean {
    return this.#stopping.size > 0
  }

  /** Which monitor was told to hold it; null: none. */
  monitorOf(resourceId: string): string | null {
    return this.#told.get(resourceId)?.monitor ?? null
  }

  /** Grants that an earlier agent had. */
  inherit(grants: readonly HeldGroup[]): void {
    for (const { groupId, epoch } of grants) this.#inherited.add(`${groupId} ${epoch}`)
  }

  act(monitors: Pick<MonitorList, 'hostOf' | 'aloneHostOf' | 'isReady'>, known: Known): void {
    const wasTold = (guid: string, epoch: number) => {
      const told = this.#told.get(guid)?.held
      return told?.epoch === epoch && told.target === 1
    }
    const { hold, stop } = duties({ ...known, wasTold })
    const isAlone = (guid: string) =>
      this.#isolation.isAlone(guid, known.hive.resources.get(guid)?.separateMonitor)
    this.#askForSeparate(hold.filter((h) => isAlone(h.guid)).map((h) => ownMonitor(monitors, h)))
    const news = new Map<string, HeldResource[]>()
    const gone = new Map<string, string[]>()
    for (const held of hold) {
      const told = this.#told.get(held.guid)
      const monitor = monitorFor(monitors, held, isAlone(held.guid), told)
      if (monitor === null) continue
      if (told?.monitor === monitor && isSame(told.held, held)) continue
      if (told && told.monitor !== monitor) {
        add(gone, told.monitor, held.guid)
        this.#inherited.add(`${held.guid} ${held.epoch}`)
      }
      this.#told.set(held.guid, { monitor, held })
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

  #askForSeparate(monitors: readonly (string | null)[]): void {
    const separate = monitors.filter((monitor) => monitor !== null).sort()
    const text = separate.join()
    if (text === this.#separate) return
    this.#separate = text
    this.#toGuard({ t: 'monitors', separate })
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
      this.#inherited.add(`${guid} ${told.held.epoch}`)
    }
  }

  /** A lapse: everything is void. */
  clear(): void {
    this.#told.clear()
    this.#stopping.clear()
    this.#inherited.clear()
  }
}

/** S-29: of the kind that hosts its type; null while no monitor has said that it does. */
function ownMonitor(monitors: Pick<MonitorList, 'aloneHostOf'>, held: HeldResource): string | null {
  const host = monitors.aloneHostOf(held.type)
  return host === null ? null : `${host}:${held.guid}`
}

/**
 * The monitor to tell of a resource (S-23, S-29), or null: told once there is one. One that is to be
 * alone stays where it is until its own monitor is there, and waits for that when it is lost.
 */
function monitorFor(
  monitors: Pick<MonitorList, 'hostOf' | 'aloneHostOf' | 'isReady'>,
  held: HeldResource,
  isAlone: boolean,
  told: Told | undefined,
): string | null {
  const own = isAlone ? ownMonitor(monitors, held) : null
  if (own !== null && monitors.isReady(own)) return own
  const host = monitors.hostOf(held.type)
  if (host === null || !monitors.isReady(host)) return null
  return own === null || told?.monitor === host ? host : null
}

/**
 * Whether there is nothing new to tell. Asked for every resource whenever anything happens: what the
 * replica has not replaced is not looked into.
 */
function isSame(a: HeldResource, b: HeldResource): boolean {
  // What is not asked for any more is news too.
  if (Object.keys(a).length !== Object.keys(b).length) return false
  for (const key of Object.keys(b) as (keyof HeldResource)[]) {
    if (key === 'hiveSeq' || a[key] === b[key]) continue
    if (typeof b[key] !== 'object' || JSON.stringify(a[key]) !== JSON.stringify(b[key]))
      return false
  }
  return true
}

function add<T>(map: Map<string, T[]>, key: string, item: T): void {
  const list = map.get(key)
  if (list) list.push(item)
  else map.set(key, [item])
}
