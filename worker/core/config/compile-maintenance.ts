/**
 * Maintenance that a configuration document speaks of. It ends at an instant, so that a file that is applied
 * once more does not make it longer; what is said of it after that is that there is none.
 */
import type { ConfigMaintenance } from '../../../schema/api/config.ts'
import { canonicalJson } from '../../../schema/canonical.ts'
import type { Hive } from '../../../schema/hive.ts'
import { instantText } from '../../../schema/instant-text.ts'
import type { MaintenanceScope } from '../../../schema/maintenance.ts'
import type { Compiled, Wanted } from './compiled.ts'
import { type Json, maintenanceForm } from './forms.ts'

interface Said {
  readonly scope: MaintenanceScope
  readonly name: string
  readonly id: string | undefined
  readonly pointer: string
  readonly wanted: ConfigMaintenance
}

/** @param groupIds by name: the groups that there will be */
export function compileMaintenance(
  hive: Hive,
  wanted: Wanted,
  groupIds: ReadonlyMap<string, string>,
  nowMs: number,
  out: Compiled,
): void {
  for (const { scope, name, id, pointer, wanted: said } of all(hive, wanted, groupIds, out)) {
    // What is wrong with it has been said where it is made.
    if (id === undefined) continue
    const from = maintenanceForm(hive, scope, id)
    const on = said !== null && said.until > nowMs ? said : null
    const to: Json = on && { reason: on.reason, until: instantText(on.until) }
    if (canonicalJson(from) === canonicalJson(to)) continue
    const fields = [{ field: 'maintenance', from, to }]
    out.changes.push({ action: 'change', kind: scope, name, pointer, fields })
    out.maintenance.push({
      pointer,
      request: {
        ...{ type: 'setMaintenance', scope, id },
        on: on && { reason: on.reason, untilMs: on.until },
      },
    })
  }
}

/** Every place that says something about it. */
function all(
  hive: Hive,
  { config }: Wanted,
  groupIds: ReadonlyMap<string, string>,
  out: Compiled,
): Said[] {
  const said: Said[] = []
  const add = (one: Omit<Said, 'wanted'>, wanted: ConfigMaintenance | undefined) => {
    if (wanted !== undefined) said.push({ ...one, wanted })
  }
  const { cluster } = hive
  const own = { scope: 'cluster' as const, name: cluster?.name ?? '', id: cluster?.id }
  add({ ...own, pointer: '/cluster/maintenance' }, config.cluster.maintenance)
  const nodeIds = new Map([...hive.nodes.values()].map((node) => [node.name, node.id]))
  for (const [name, { maintenance }] of Object.entries(config.nodes))
    add(
      { scope: 'node', name, id: nodeIds.get(name), pointer: `/nodes/${name}/maintenance` },
      maintenance,
    )
  const resourceIds = new Map([...hive.resources.values()].map((r) => [r.name, r.id]))
  for (const { request } of out.resources)
    if (request.type === 'createResource') resourceIds.set(request.name, request.resourceId)
  for (const [name, group] of Object.entries(config.groups)) {
    const pointer = `/groups/${name}`
    const id = groupIds.get(name)
    add({ scope: 'group', name, id, pointer: `${pointer}/maintenance` }, group.maintenance)
    for (const [member, { maintenance }] of Object.entries(group.resources))
      add(
        {
          ...{ scope: 'resource', name: member, id: resourceIds.get(member) },
          pointer: `${pointer}/resources/${member}/maintenance`,
        },
        maintenance,
      )
  }
  return said
}
