import type { CutOffHost } from '../../schema/api/simulate.ts'
import type { Hive, Node } from '../../schema/hive.ts'
import { PROFILES, waitMs } from '../../schema/timing.ts'

/** What hosts do that live and cannot reach the control plane, by the takeover policy of each. */
export function cutOffHosts({ hive }: { hive: Hive }, nodes: readonly string[]): CutOffHost[] {
  const times = PROFILES[hive.cluster?.profile ?? 'standard']
  const cut = new Set(nodes)
  return nodes.flatMap((id): CutOffHost[] => {
    const node = hive.nodes.get(id)
    // Who is Down already is nobody's to cut off.
    if (!node || node.state === 'down') return []
    if (node.under === 'fence') {
      const does = isFenced(hive, node, cut) ? 'fenced' : 'runsOn'
      return [{ node: node.name, does, stopsAfterMs: null, takenOverAfterMs: null }]
    }
    return [
      {
        ...{ node: node.name, does: 'stops', stopsAfterMs: times.ttlMs - times.stopMs },
        takenOverAfterMs: waitMs(times.ttlMs, times.marginMs),
      },
    ]
  })
}

/** Somebody outside may do it, and is taken to be able to. */
function isFenced({ nodes }: Hive, node: Node, cut: ReadonlySet<string>): boolean {
  if (!node.fence) return false
  const helpers = node.fence.helpers ?? [...nodes.keys()]
  return helpers.some((id) => id !== node.id && !cut.has(id) && nodes.get(id)?.state === 'up')
}
