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
export function maintenanceProblems(state: ClusterState, nowMs: number): ClusterView['problems'] {
  return (state.hive.cluster?.maintenance ?? []).map((one) => {
    const { scope, name } = viewMaintenance(state, one)
    return {
      subject: name,
      message: `${scope} ${name} is in maintenance ${leftText(one, nowMs)}, by ${one.by} (${one.reason}): nothing is done about its health`,
      remedy: `When it is over: holdfast maintenance off ${scope === 'cluster' ? scope : `${scope}/${name}`}`,
    }
  })
}

/** `for another 1 h 5 min`. */
export function leftText({ untilMs }: Pick<Maintenance, 'untilMs'>, nowMs: number): string {
  const minutes = Math.max(1, Math.ceil((untilMs - nowMs) / 60_000))
  const [days, hours] = [Math.floor(minutes / 1_440), Math.floor(minutes / 60) % 24]
  const parts = [
    days > 0 ? `${days} d` : '',
    hours > 0 ? `${hours} h` : '',
    days === 0 && minutes % 60 > 0 ? `${minutes % 60} min` : '',
  ]
  return `for another ${parts.filter(Boolean).join(' ')}`
}
