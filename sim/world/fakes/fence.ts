/** `probe/fence/fence.ts`: what a fence agent does to a host of the simulation. */
import type { FenceOrder } from '../../../schema/fencing.ts'
import { worldNow } from '../host-world.ts'

export const fenceOff = (order: FenceOrder) => worldNow().fence(order.target.name)

export async function switchOn(order: FenceOrder): Promise<string> {
  worldNow().switchOn(order.target.name)
  return `${order.target.name} is switched on again`
}

export const tryFence = async () => ({ fault: null, probes: [] })
