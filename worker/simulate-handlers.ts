/** What would happen and what has happened; nothing does. */
import type * as z from 'zod'
import type { replay } from '../schema/api/replay.ts'
import type { SimulateAsk, simulate } from '../schema/api/simulate.ts'
import { HoldfastError } from '../schema/errors.ts'
import { type Call, ids, type Kind, open, view } from './calls.ts'

export const simulateHandlers = {
  simulate: async (call: Call<z.output<typeof simulate>>) => {
    const { stub } = open(call)
    const cluster = await view(stub)
    const one = (kind: Kind, name: string) => ids(cluster, kind, [name])[0] as string
    const said = await stub.read({ what: 'simulate', ask: withIds(call.body, one, cluster.id) })
    if ('refused' in said) throw new HoldfastError(said.refused)
    return said
  },
  listTimelines: async (call: Call<unknown, { group?: string; id?: string; limit?: number }>) => {
    const { stub } = open(call)
    const { group, ...rest } = call.query
    const groupId = group === undefined ? undefined : ids(await view(stub), 'group', [group])[0]
    return { timelines: await stub.read({ what: 'timelines', groupId, ...rest }) }
  },
  replay: async (call: Call<z.output<typeof replay>>) => {
    const { stub } = open(call)
    const { group, ...ask } = call.body
    const cluster = group === undefined ? null : await view(stub)
    const id = cluster && ids(cluster, 'group', [group as string])[0]
    const name = cluster?.groups.find((one) => one.id === id)?.name
    const said = await stub.read({ what: 'replay', ...ask, group: name })
    if ('refused' in said) throw new HoldfastError(said.refused)
    return said
  },
  survivability: async (call: Call<unknown, { lost: '1' | '2' }>) =>
    open(call).stub.survivability(call.query.lost === '2' ? 2 : 1),
}

function withIds(
  ask: SimulateAsk,
  one: (kind: Kind, name: string) => string,
  clusterId: string,
): SimulateAsk {
  switch (ask.what) {
    case 'maintenanceOff': {
      const { scope, name = '' } = ask
      return { ...ask, name: scope === 'cluster' ? clusterId : one(scope, name) }
    }
    case 'nodeDown':
    case 'partition':
    case 'drain':
      return { ...ask, nodes: ask.nodes.map((name) => one('node', name)) }
    case 'fail':
      return { ...ask, group: one('group', ask.group) }
    case 'move':
      return {
        ...ask,
        group: one('group', ask.group),
        to: ask.to === null ? null : one('node', ask.to),
      }
  }
}
