/**
 * What the rules assume away (A5): the guard, or the whole machine, stands still. Counted apart, for
 * no software on the host can prevent what it runs from running on when it goes on again.
 */
import { PROFILES, waitMs } from '../../../schema/timing.ts'
import { type Blow, busyHost, type StrikeOf, unitMs } from './strike.ts'

export const FREEZES = {
  hostFrozen: (blow) => {
    const { scene, random } = blow
    const host = random.chance(0.7) ? busyHost(blow) : blow.host
    if (!host.on || scene.witness.standsStill(host.name)) return
    const untilMs = freeze({ ...blow, host })
    for (const actor of host.actors()) actor.frozenUntilMs = untilMs
    host.processes.frozenUntilMs = untilMs
    scene.kernel.at(untilMs, null, () => {
      // The first thing that workloads do is to go on writing.
      for (const running of scene.witness.runningOn(host.name)) scene.witness.write(running)
    })
  },
  guardFrozen: (blow) => {
    const { guard, name } = blow.host
    if (guard && !blow.scene.witness.standsStill(name)) guard.actor.frozenUntilMs = freeze(blow)
  },
} satisfies Record<string, StrikeOf>

function freeze({ scene, host, random }: Blow): number {
  const { ttlAuthorityMs, marginMs } = PROFILES[scene.plan.profile]
  // By chance long enough that what it ran has been started elsewhere.
  const longestMs = random.chance(0.5) ? 4 * unitMs(scene) : 1.5 * waitMs(ttlAuthorityMs, marginMs)
  const untilMs = scene.kernel.nowMs + random.between(0.2 * unitMs(scene), longestMs)
  // What it ran too long is over soon after it goes on.
  scene.witness.stoodStill(host.name, untilMs, untilMs + unitMs(scene))
  return untilMs
}
