/** What takes its time: asked for, looked at, taken back. */
import type * as z from 'zod'
import type * as b from '../schema/api/bodies.ts'
import type { cancelOperation, operationsQuery } from '../schema/api/operations.ts'
import type { drainNode } from '../schema/api/placement.ts'
import { HoldfastError } from '../schema/errors.ts'
import type { Request } from '../schema/event.ts'
import { ask, type Call, find, ids, noteDry, open, settled } from './calls.ts'
import type { Kind } from './named-things.ts'
import { unknownOperation } from './operation-reads.ts'
import { replyBody } from './write.ts'

export const operationHandlers = {
  moveGroup: async (call: Call<z.output<typeof b.moveGroup>>) => {
    const { stub } = open(call)
    const { id: groupId } = await find(call, 'group')
    const { to: wanted, method, stick } = call.body
    const named = wanted === undefined ? null : ((await ids(stub, 'node', [wanted]))[0] as string)
    const target = await stub.targetOf(groupId, named)
    if ('refused' in target) throw new HoldfastError(target.refused)
    const { to } = target
    const mid = crypto.randomUUID()
    const request = { type: 'moveGroup' as const, groupId, to, method, mid, stick }
    return ask(call, request, { begins: true, fields: { id: groupId } })
  },
  failbackGroup: async (call: Call) =>
    begin(call, 'group', (groupId) => ({ type: 'failbackGroup', groupId })),
  failoverGroup: async (call: Call) =>
    begin(call, 'group', (groupId) => ({ type: 'failoverGroup', groupId })),
  drainNode: async (call: Call<z.output<typeof drainNode>>) => {
    const { stub } = open(call)
    const { to: wanted, withinMs } = call.body
    const to = wanted == null ? wanted : (await ids(stub, 'node', [wanted]))[0]
    return begin(call, 'node', (nodeId) => ({ type: 'drainNode', nodeId, to, withinMs }))
  },
  onlineGroup: async (call: Call) => want(call, 'group', 1),
  offlineGroup: async (call: Call) => want(call, 'group', 0),
  onlineResource: async (call: Call) => want(call, 'resource', 1),
  offlineResource: async (call: Call) => want(call, 'resource', 0),

  listOperations: async (call: Call<unknown, z.output<typeof operationsQuery>>) => {
    const { stub } = open(call)
    const { open: only, limit } = call.query
    return {
      operations: await stub.read({ what: 'operations', open: only === 'true', limit }),
    }
  },
  getOperation: async (call: Call) => {
    const { stub } = open(call)
    const id = call.params['operation'] ?? ''
    const found = await stub.read({ what: 'operation', id })
    if (!found) throw new HoldfastError(unknownOperation(id))
    return found
  },
  cancelOperation: async (call: Call<z.output<typeof cancelOperation>>) => {
    const { stub } = open(call)
    const id = call.params['operation'] ?? ''
    const reply = { fields: { id: null, operation: id } }
    const { body, by, write } = call
    const asked = settled(await stub.cancelOperation(id, body, by, write, reply))
    noteDry(call, asked)
    return replyBody(asked, reply)
  },
}

/** A request about one thing that the path names, with the id of its operation. */
async function begin(call: Call, kind: Kind, make: (id: string) => Request) {
  const { id } = await find(call, kind)
  return ask(call, make(id), { begins: true, fields: { id } })
}

const want = (call: Call, kind: 'group' | 'resource', persistentState: 0 | 1) =>
  begin(call, kind, (id) =>
    kind === 'group'
      ? { type: 'setGroupState', groupId: id, persistentState }
      : { type: 'setResourceState', resourceId: id, persistentState },
  )
