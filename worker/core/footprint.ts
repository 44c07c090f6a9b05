/**
 * What a game of what-if has looked at: as long as nothing of that has changed, it would end the same.
 * Nodes themselves, rules, types and what holds for the whole cluster always count as looked at.
 */
import type { Resource } from '../../schema/hive.ts'
import type { Trace } from './census.ts'
import type { Load, SeatMap, Seats } from './seats.ts'

export class Footprint implements Trace {
  readonly groups = new Set<string>()
  /** Nodes of which it was asked who is there. */
  readonly nodes = new Set<string>()
  /** What was taken of nodes when it was asked for, and nothing else of who is there. */
  readonly loads = new Map<string, Load>()
  /** It has gone through all of them. */
  all = false

  readonly ofGroup = (groupId: string | null): void => {
    if (groupId === null) this.all = true
    else this.groups.add(groupId)
  }

  readonly ofNode = (nodeId: string | null): void => {
    if (nodeId === null) this.all = true
    else this.nodes.add(nodeId)
  }

  readonly ofResource =
    (resources: ReadonlyMap<string, Resource>) =>
    (id: string | null): void => {
      const groupId = id === null ? null : resources.get(id)?.groupId
      if (groupId !== undefined) this.ofGroup(groupId)
    }

  seats(under: SeatMap): Seats {
    return {
      of: (groupId) => {
        this.groups.add(groupId)
        return under.of(groupId)
      },
      at: (nodeId) => {
        this.nodes.add(nodeId)
        return under.at(nodeId)
      },
      load: (nodeId) => {
        const load = under.load(nodeId)
        this.loads.set(nodeId, load)
        return load
      },
    }
  }
}
