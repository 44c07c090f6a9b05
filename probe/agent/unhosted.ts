import type { Hive, Resource } from '../../schema/hive.ts'
import type { HeldGroup, StatusItem } from '../../schema/session.ts'
import type { Isolation } from './isolation.ts'
import type { MonitorList } from './monitors.ts'

/**
 * Resources that are ours to run and that no module of this host can: the host policy was changed,
 * or the group got a member of such a type. They have failed here; the Failover Manager decides.
 *
 * @param lacks whether every monitor has said what it hosts, and none hosts it
 * @param problemOf what a monitor says of a type that it should host
 * @param seen what was told of each resource last, by GUID
 * @returns what is not told yet
 */
export function unhostedNews(
  hive: Hive,
  grants: readonly HeldGroup[],
  lacks: (resource: Pick<Resource, 'id' | 'type'>) => boolean,
  problemOf: (type: string) => string | undefined,
  seen: ReadonlyMap<string, StatusItem>,
): StatusItem[] {
  const epochs = new Map(grants.map((g) => [g.groupId, g.epoch]))
  const items: StatusItem[] = []
  for (const r of hive.resources.values()) {
    const epoch = epochs.get(r.groupId)
    if (epoch === undefined || !lacks(r)) continue
    const problem = problemOf(r.type) ?? 'see its host policy'
    const detail = `no module for type ${r.type} on this host: ${problem}`
    const wanted = r.persistentState === 1
    const status = wanted ? 'failed' : 'offline'
    const last = seen.get(r.id)
    if (last?.epoch === epoch && last.status === status) continue
    items.push({ resourceId: r.id, epoch, status, restarts: 0, gaveUp: wanted, detail })
  }
  return items
}

/** What is alone may be hosted by a monitor of its own although the others may not import its module. */
export function whoLacks(
  monitors: Pick<MonitorList, 'lacks' | 'aloneHostOf'>,
  isolation: Pick<Isolation, 'isAlone'>,
  hive: Hive,
): (resource: Pick<Resource, 'id' | 'type'>) => boolean {
  return ({ id, type }) => {
    if (!monitors.lacks(type)) return false
    const inHive = hive.resources.get(id)?.separateMonitor
    return monitors.aloneHostOf(type) === null || !isolation.isAlone(id, inHive)
  }
}
