/** What would happen and what has happened; nothing does. */
import type * as z from 'zod'
import type { replay } from '../schema/api/replay.ts'
import type { SimulateAsk, simulate } from '../schema/api/simulate.ts'
import { HoldfastError } from '../schema/errors.ts'
import { type Call, ids, named, open } from './calls.ts'
import type { Kind } from './named-things.ts'

export const simulateHandlers = {
  simulate: async (call: Call<z.output<typeof simulate>>) => {
    const { stub, row } = open(call)
    const one = async (kind: Kind, name: string) => (await ids(stub, kind, [name]))[0] as string
    const said = await stub.read({ what: 'simulate', ask: await withIds(call.body, one, row.id) })
    if ('refused' in said) throw new HoldfastError(said.refused)
    return said
  },
  listTimelines: async (call: Call<unknown, { group?: string; id?: string; limit?: number }>) => {
    const { stub } = open(call)
    const { group, ...rest } = call.query
    const groupId = group === undefined ? undefined : (await ids(stub, 'group', [group]))[0]
    return { timelines: await stub.read({ what: 'timelines', groupId, ...rest }) }
  },
  replay: async (call: Call<z.output<typeof replay>>) => {
    const { stub } = open(call)
    const { group, ...ask } = call.body
    const [found] = group === undefined ? [] : await named(stub, 'group', [group])
    const said = await stub.read({ what: 'replay', ...ask, group: found?.name })
    if ('refused' in said) throw new HoldfastError(said.refused)
    return said
  },
  survivability: async (call: Call<unknown, { lost: '1' | '2' }>) =>
    open(call).stub.survivability(call.query.lost === '2' ? 2 : 1),
}

async function withIds(
  ask: SimulateAsk,
  one: (kind: Kind, name: string) => Promise<string>,
  clusterId: string,
): Promise<SimulateAsk> {
  switch (ask.what) {
    case 'maintenanceOff': {
      const { scope, name = '' } = ask
      return { ...ask, name: scope === 'cluster' ? clusterId : await one(scope, name) }
    }
    case 'nodeDown':
    case 'partition':
    case 'drain':
      return { ...ask, nodes: await Promise.all(ask.nodes.map((name) => one('node', name))) }
    case 'fail':
      return { ...ask, group: await one('group', ask.group) }
    case 'move':
      return {
        ...ask,
        group: await one('group', ask.group),
        to: ask.to === null ? null : await one('node', ask.to),
      }
  }
}
