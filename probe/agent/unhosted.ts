import type { Hive } from '../../schema/hive.ts'
import type { HeldGroup, StatusItem } from '../../schema/session.ts'

/**
 * Resources that are ours to run and that no module of this host can: the host policy was changed,
 * or the group got a member of such a type. They have failed here; the Failover Manager decides.
 *
 * @param lacks whether every monitor has said what it hosts, and none hosts the type
 * @param seen what was told of each resource last, by GUID
 * @returns what is not told yet
 */
export function unhostedNews(
  hive: Hive,
  grants: readonly HeldGroup[],
  lacks: (type: string) => boolean,
  seen: ReadonlyMap<string, StatusItem>,
): StatusItem[] {
  const epochs = new Map(grants.map((g) => [g.groupId, g.epoch]))
  const items: StatusItem[] = []
  for (const r of hive.resources.values()) {
    const epoch = epochs.get(r.groupId)
    if (epoch === undefined || !lacks(r.type)) continue
    const detail = `no module for type ${r.type} on this host: see its host policy`
    const wanted = r.persistentState === 1
    const status = wanted ? 'failed' : 'offline'
    const last = seen.get(r.id)
    if (last?.epoch === epoch && last.status === status) continue
    items.push({ resourceId: r.id, epoch, status, restarts: 0, gaveUp: wanted, detail })
  }
  return items
}
