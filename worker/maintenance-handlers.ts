/** Maintenance of a cluster, node, group or resource. */
import type * as z from 'zod'
import type { ClusterView } from '../schema/api/bodies.ts'
import type { maintenanceSubject, startMaintenance } from '../schema/api/maintenance.ts'
import { ask, type Call, ids, open, view } from './calls.ts'

type Subject = z.output<typeof maintenanceSubject>

export const maintenanceHandlers = {
  listMaintenance: async (call: Call) => ({
    maintenance: (await view(open(call).stub)).maintenance,
  }),
  clusterHealth: async (call: Call) => {
    const { managers } = await view(open(call).stub)
    return { ok: managers.every((one) => one.ok), managers }
  },
  startMaintenance: async (call: Call<z.output<typeof startMaintenance>>) => {
    const { reason, forMs } = call.body
    return set(call, { reason, forMs })
  },
  endMaintenance: async (call: Call<Subject>) => set(call, null),
}

async function set(call: Call<Subject>, on: { reason: string; forMs: number } | null) {
  const { stub } = open(call)
  const id = subjectId(await view(stub), call.body)
  const request = { type: 'setMaintenance' as const, scope: call.body.scope, id, on }
  return ask(call, request, { fields: { id } })
}

export const subjectId = (cluster: ClusterView, { scope, name }: Subject): string =>
  scope === 'cluster' ? cluster.id : (ids(cluster, scope, [name ?? ''])[0] as string)
