/** Maintenance of a cluster, node, group or resource. */
import type * as z from 'zod'
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
  const { stub, row } = open(call)
  const { scope, name = '' } = call.body
  const id = scope === 'cluster' ? row.id : ((await ids(stub, scope, [name]))[0] as string)
  const request = { type: 'setMaintenance' as const, scope, id, on }
  return ask(call, request, { fields: { id } })
}
