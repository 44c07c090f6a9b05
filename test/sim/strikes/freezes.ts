/**
 * What the rules assume away (A5): the guard, or the whole machine, stands still. Counted apart, for
 * no software on the host can prevent what it runs from running on when it goes on again.
 */
import { type Blow, type StrikeOf, unitMs } from './strike.ts'

export const FREEZES = {
  hostFrozen: (blow) => {
    const { scene, host } = blow
    if (!host.on) return
    const untilMs = freeze(blow)
    for (const actor of host.actors()) actor.frozenUntilMs = untilMs
    host.processes.frozenUntilMs = untilMs
    scene.kernel.at(untilMs, null, () => {
      // The first thing that workloads do is to go on writing.
      for (const running of scene.witness.runningOn(host.name)) scene.witness.write(running)
    })
  },
  guardFrozen: (blow) => {
    const { guard } = blow.host
    if (guard) guard.actor.frozenUntilMs = freeze(blow)
  },
} satisfies Record<string, StrikeOf>

function freeze({ scene, host, random }: Blow): number {
  const untilMs = scene.kernel.nowMs + random.between(0.2, 4) * unitMs(scene)
  // What it ran too long is over soon after it goes on.
  scene.witness.stoodStill(host.name, untilMs, untilMs + unitMs(scene))
  return untilMs
}
