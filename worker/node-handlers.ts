/** Nodes and how they are fenced. */
import type * as z from 'zod'
import type * as f from '../schema/api/fencing.ts'
import type { changeNode, resumeNode } from '../schema/api/placement.ts'
import { HoldfastError } from '../schema/errors.ts'
import { type Call, ids, kept, onThing, open, thing, view, why } from './calls.ts'

export const nodeHandlers = {
  listNodes: async (call: Call<unknown, { available?: 'true' | 'false' }>) => {
    const { nodes } = await view(open(call).stub)
    return {
      nodes:
        call.query.available === 'true'
          ? nodes.filter((n) => n.state === 'up' && !n.paused)
          : nodes,
    }
  },
  getNode: async (call: Call) => thing(call, 'node'),
  changeNode: async (call: Call<z.output<typeof changeNode>>) =>
    onThing(call, 'node', (nodeId) => ({ type: 'changeNode', nodeId, ...call.body })),
  pauseNode: async (call: Call) =>
    onThing(call, 'node', (nodeId) => ({ type: 'pauseNode', nodeId, paused: true })),
  resumeNode: async (call: Call<z.output<typeof resumeNode>>) =>
    onThing(call, 'node', (nodeId) => ({
      type: 'pauseNode',
      nodeId,
      paused: false,
      failback: call.body.failback,
    })),
  evictNode: async (call: Call<unknown, { lost?: 'true' | 'false' }>) =>
    onThing(call, 'node', (nodeId) => ({
      type: 'evictNode',
      nodeId,
      ...(call.query.lost === 'true' && { lost: true }),
    })),
  whyNode: async (call: Call<unknown, { atMs?: number }>) => why(call, 'node'),

  setFence: async (call: Call<z.output<typeof f.setFence>>) => {
    const { helpers, ...rest } = call.body
    return onThing(call, 'node', async (nodeId, stub) => ({
      type: 'setFence',
      nodeId,
      fence: { ...rest, helpers: helpers && (await ids(stub, 'node', helpers)) },
    }))
  },
  removeFence: async (call: Call) =>
    onThing(call, 'node', (nodeId) => ({ type: 'setFence', nodeId, fence: null })),
  confirmFence: async (call: Call<z.output<typeof f.confirmFence>>) =>
    onThing(call, 'node', (nodeId) => ({ type: 'confirmFence', nodeId, ...call.body })),
  testFence: async (call: Call<z.output<typeof f.testFence>>) => {
    const { stub } = open(call)
    const { id, name, fence } = await thing(call, 'node')
    const { helper } = call.body
    const only = helper === undefined ? null : ((await ids(stub, 'node', [helper]))[0] as string)
    const tested = await stub.testFence(id, only, call.write)
    if ('refused' in tested) throw new HoldfastError(tested.refused)
    return kept(call, stub, { node: name, agent: fence?.agent ?? '', ...tested })
  },
}
