/** Maintenance as it is shown: in `status`, with its owner, its reason and its end. */
import type { ClusterView } from '../../schema/api/bodies.ts'
import type { MaintenanceView } from '../../schema/api/maintenance.ts'
import type { Maintenance } from '../../schema/maintenance.ts'
import type { ClusterState } from './decision.ts'

export function viewMaintenance({ hive }: ClusterState, one: Maintenance): MaintenanceView {
  const { scope, id } = one
  if (scope === 'cluster') return { ...one, name: hive.cluster?.name ?? id }
  const table = scope === 'node' ? hive.nodes : scope === 'group' ? hive.groups : hive.resources
  return { ...one, name: table.get(id)?.name ?? id }
}

/** Nobody is to wonder why nothing is done. */
export function maintenanceProblems(state: ClusterState): ClusterView['problems'] {
  return (state.hive.cluster?.maintenance ?? []).map((one) => {
    const { scope, name } = viewMaintenance(state, one)
    return {
      subject: name,
      message: `${scope} ${name} is in maintenance until ${utc(one.untilMs)}, by ${one.by} (${one.reason}): nothing is done about its health`,
      remedy: `When it is over: holdfast maintenance off ${scope === 'cluster' ? scope : `${scope}/${name}`}`,
    }
  })
}

const utc = (atMs: number) => `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')}Z`
