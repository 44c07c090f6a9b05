/** What a fault gets to work with. */
import { PROFILES } from '../../../schema/timing.ts'
import type { SimHost } from '../../../sim/world/host.ts'
import type { Random } from '../../../sim/world/random.ts'
import type { Scene } from '../../../sim/world/scene.ts'

export interface Blow {
  readonly scene: Scene
  readonly host: SimHost
  /** Of this strike alone. */
  readonly random: Random
}

/** One that runs something, if any does. */
export function busyHost({ scene, host, random }: Blow): SimHost {
  const busy = scene.hosts.filter(({ processes }) => processes.list().length > 0)
  return busy.length > 0 ? random.pick(busy) : host
}

export type StrikeOf = (blow: Blow) => void

/** The pong lease is the measure of all that lasts. */
export const unitMs = (scene: Scene) => PROFILES[scene.plan.profile].ttlMs

export const later = ({ kernel, plan }: Scene, ms: number, work: () => void) =>
  void kernel.at(kernel.nowMs + ms, null, () => {
    // By then all is mended anyway.
    if (kernel.nowMs < plan.endMs) work()
  })

/** How long a fault lasts: now and then longer than every lease. */
export const lastingMs = ({ scene, random }: Blow) =>
  random.between(0.02, random.chance(0.7) ? 1.2 : 4) * unitMs(scene)
