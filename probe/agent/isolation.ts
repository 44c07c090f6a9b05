/**
 * Resources whose module has taken its monitor along (S-32): alone from now on, here at once and
 * everywhere when the hive has it. What has been well alone for long enough is tried among the others
 * again. What is told is evidence: the control plane decides, and an operator may decide otherwise.
 */
import type { Hive, Resource } from '../../schema/hive.ts'
import { isSeparate } from '../../schema/ids.ts'
import type { GuardToAgent } from '../../schema/ipc.ts'
import { aloneMs } from '../../schema/isolation.ts'
import type { HeldGroup } from '../../schema/session.ts'
import { SUSPECTS_MAX } from '../core/suspects.ts'
import type { Report } from './reports.ts'

/** Of a monitor of its own that ends again and again so often is told. */
const TELL_MS = 60_000

type Down = Extract<GuardToAgent, { t: 'rhsDown' }>

export class Isolation {
  readonly #tell: (report: Report) => void
  /** By GUID: when it was told last, on the clock of this process. */
  readonly #told = new Map<string, number>()
  /** Alone before the hive says so. */
  readonly #here = new Set<string>()
  /** Monitors of single resources, by GUID of that: up since then. */
  readonly #upMs = new Map<string, number>()

  constructor(tell: (report: Report) => void) {
    this.#tell = tell
  }

  up(monitor: string, nowMs = performance.now()): void {
    if (isSeparate(monitor)) this.#upMs.set(ownerOf(monitor), nowMs)
  }

  /** @param alsoOf resources here whose module it has not lived through importing */
  down(frame: Down, alsoOf: readonly string[] = [], nowMs = performance.now()): void {
    const { monitor, detail, calls = [], stack, said } = frame
    const seen = { ...(stack && { stack }), ...(said && { said }) }
    const suspects = [...new Set([...(frame.suspects ?? []), ...alsoOf])]
    if (isSeparate(monitor)) this.#upMs.delete(ownerOf(monitor))
    // Of one that is alone already this is no news; of a shared one it is, whenever it was released.
    const isNew = (guid: string) =>
      !isSeparate(monitor) || nowMs - (this.#told.get(guid) ?? -TELL_MS) >= TELL_MS
    const resources = suspects.filter(isNew)
    for (const guid of suspects) this.#here.add(guid)
    if (resources.length === 0) return
    for (const guid of resources) this.#told.set(guid, nowMs)
    this.#tell({
      t: 'isolated',
      resources,
      incident: { atMs: Date.now(), monitor, detail, calls, ...seen },
    })
  }

  /** @param inHive whether the hive says so; undefined: it does not know the resource */
  isAlone(guid: string, inHive: boolean | undefined): boolean {
    // From then on the hive decides: it may say otherwise later.
    if (inHive !== false) this.#here.delete(guid)
    return inHive === true || this.#here.has(guid)
  }

  /** Tells of those that have been well alone for long enough. Asked now and then. */
  look(
    resources: ReadonlyMap<string, Resource>,
    mayReturn: (type: string) => boolean,
    nowMs = performance.now(),
  ): void {
    const well: string[] = []
    for (const [guid, sinceMs] of this.#upMs) {
      const { isolated, isolations, type = '' } = resources.get(guid) ?? {}
      if (!isolated || !mayReturn(type) || nowMs - sinceMs < aloneMs(isolations?.times ?? 1))
        continue
      well.push(guid)
      // Said once; if the control plane sees it otherwise, its time begins anew.
      this.#upMs.set(guid, nowMs)
    }
    if (well.length > 0) this.#tell({ t: 'wellAlone', resources: well })
  }
}

/**
 * Resources of these types that are placed here. Each that is alone costs a process, and of a module that
 * cannot be imported little is to be hoped: of many none.
 */
export function placedOf(
  hive: Hive,
  grants: readonly HeldGroup[],
  types: readonly string[] = [],
): string[] {
  const groups = new Set(grants.map((grant) => grant.groupId))
  const found = [...hive.resources.values()]
    .filter((r) => types.includes(r.type) && groups.has(r.groupId))
    .map((r) => r.id)
  return found.length > SUSPECTS_MAX ? [] : found.sort()
}

const ownerOf = (monitor: string) => monitor.slice(monitor.indexOf(':') + 1)
