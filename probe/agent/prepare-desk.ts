/**
 * Pre-warming (S-50): what this host may have to take one day is made ready for a faster Online, while
 * another host runs it. Nothing is started by it, and nothing waits for it.
 */
import type { Group, Hive, HostedType, Resource } from '../../schema/hive.ts'
import type { AgentToGuard } from '../../schema/ipc.ts'
import { offered } from '../core/duties.ts'
import type { MonitorList } from './monitors.ts'

interface Parts {
  readonly monitors: Pick<MonitorList, 'hostOf' | 'isReady' | 'prepares' | 'types'>
  toGuard(frame: AgentToGuard): void
}

/** So many at each look: they are handled one after the other, and are in no hurry. */
const AT_ONCE = 20

export class PrepareDesk {
  readonly #parts: Parts
  /** What each resource was prepared as, by its GUID. */
  readonly #done = new Map<string, string>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Now and then. */
  look(nodeId: string, hive: Hive): void {
    for (const id of this.#done.keys()) if (!hive.resources.has(id)) this.#done.delete(id)
    const node = hive.nodes.get(nodeId)
    if (!node || node.paused) return
    let left = AT_ONCE
    for (const group of hive.groups.values()) {
      if (left <= 0) return
      const members = standby(hive, group, nodeId)
      for (const r of members) {
        const as = JSON.stringify([r.properties, versionOf(this.#parts.monitors.types, r.type)])
        const monitor = this.#parts.monitors.hostOf(r.type)
        if (left <= 0 || this.#done.get(r.id) === as || !this.#parts.monitors.prepares(r.type))
          continue
        if (monitor === null || !this.#parts.monitors.isReady(monitor)) continue
        this.#done.set(r.id, as)
        left -= 1
        const resources = offered(hive, group.id, group.ownership.epoch)
        const one = resources.filter((held) => held.guid === r.id)
        this.#parts.toGuard({ t: 'toRhs', monitor, frame: { t: 'prepare', resources: one } })
      }
    }
  }
}

/** Members that another node runs, and that this one may have to. */
function standby(hive: Hive, group: Group, nodeId: string): Resource[] {
  const { ownership } = group
  if (ownership.phase !== 'owned' || ownership.owner === nodeId) return []
  const members = [...hive.resources.values()].filter((r) => r.groupId === group.id)
  const may = members.every((r) => r.possibleOwners?.includes(nodeId) ?? true)
  return may ? members.filter((r) => r.persistentState === 1) : []
}

const versionOf = (types: readonly HostedType[], type: string) =>
  types.find((t) => t.type === type)?.sha256
