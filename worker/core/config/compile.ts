/** From a configuration document to the requests that make the cluster so, in an order that can be. */
import type { Refusal } from '../../../schema/errors.ts'
import type { Hive } from '../../../schema/hive.ts'
import type { ClusterState } from '../decision.ts'
import { compileGroups } from './compile-groups.ts'
import { compileMaintenance } from './compile-maintenance.ts'
import { compileRules } from './compile-rules.ts'
import { Compiled, differing, type Wanted } from './compiled.ts'
import { amountsForm, clusterForm } from './forms.ts'

/** @returns a refusal that names every place at which the document speaks of what there is not */
export function compile(
  state: ClusterState,
  wanted: Wanted,
  nowMs: number,
): Compiled | { refused: Refusal } {
  const out = new Compiled()
  const { hive } = state
  const groupIds = compileGroups(state, wanted, out)
  compileRules(hive, wanted, groupIds, out)
  compileCluster(hive, wanted, out)
  compileNodes(hive, wanted, out)
  compileMaintenance(hive, wanted, groupIds, nowMs, out)
  const [first, ...more] = out.problems
  if (!first) return out.cycle ? { refused: circular(out.cycle) } : out
  return {
    refused: {
      code: 'BAD_REQUEST',
      message: `the configuration does not fit this cluster: ${first.pointer}: ${first.message}`,
      ...(more.length > 0 && { why: `There are ${more.length} more places.` }),
      remedy: 'Correct the places that are named. Nothing was changed.',
      errors: out.problems.slice(0, 20),
    },
  }
}

function circular(cycle: NonNullable<Compiled['cycle']>): Refusal {
  const message = `the dependencies would form a cycle: ${cycle.map(({ name }) => name).join(' → ')}`
  return {
    ...{ code: 'DEPENDENCY_CYCLE', message, remedy: 'Leave out one of these dependencies.' },
    errors: cycle.slice(1).map(({ pointer }) => ({ pointer: `${pointer}/dependsOn`, message })),
  }
}

function compileCluster(hive: Hive, { config }: Wanted, out: Compiled): void {
  const { cluster } = hive
  if (!cluster) return
  const now = clusterForm(cluster)
  const { takeover, placement, startsPerNode } = config.cluster
  const given = Object.entries({ takeover, placement, startsPerNode })
  const said = Object.fromEntries(
    given.flatMap(([field, value]) => (value === undefined ? [] : [[field, value]])),
  )
  const fields = differing(now, { ...now, ...said })
  if (fields.length === 0) return
  const { name } = cluster
  out.changes.push({ action: 'change', kind: 'cluster', name, pointer: '/cluster', fields })
  const pointer = '/cluster'
  const isNew = (field: string) => fields.some((f) => f.field === field)
  if (placement && isNew('placement'))
    out.settings.push({ pointer, request: { type: 'setPlacement', placement } })
  if (startsPerNode && isNew('startsPerNode'))
    out.settings.push({ pointer, request: { type: 'setStarts', startsPerNode } })
  if (takeover && isNew('takeover'))
    out.settings.push({ pointer, request: { type: 'setTakeover', takeover } })
}

function compileNodes(hive: Hive, { config }: Wanted, out: Compiled): void {
  const byName = new Map([...hive.nodes.values()].map((node) => [node.name, node]))
  for (const [name, { capacity, faultDomain }] of Object.entries(config.nodes)) {
    const pointer = `/nodes/${name}`
    const node = byName.get(name)
    if (!node) {
      out.problems.push({ pointer, message: `no node of this name has joined` })
      continue
    }
    const fields = differing(
      { capacity: amountsForm(node.capacity), faultDomain: node.faultDomain ?? null },
      { capacity: amountsForm(capacity), faultDomain },
    )
    if (fields.length === 0) continue
    out.changes.push({ action: 'change', kind: 'node', name, pointer, fields })
    const request = { type: 'changeNode', nodeId: node.id, capacity, faultDomain } as const
    out.settings.push({ pointer, request })
  }
}
