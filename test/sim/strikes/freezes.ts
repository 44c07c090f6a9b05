/**
 * What the rules assume away (A5): the guard, or the whole machine, stands still. Counted apart, for
 * no software on the host can prevent what it runs from running on when it goes on again.
 */
import { later, type StrikeOf, unitMs } from './strike.ts'

export const FREEZES = {
  hostFrozen: ({ scene, host, random }) => {
    if (!host.on) return
    const { kernel, witness } = scene
    const untilMs = kernel.nowMs + random.between(0.2, 4) * unitMs(scene)
    for (const actor of host.actors()) actor.frozenUntilMs = untilMs
    host.processes.frozenUntilMs = untilMs
    kernel.at(untilMs, null, () => {
      witness.resumedAt.set(host.name, untilMs)
      // The first thing that workloads do is to go on writing.
      for (const running of witness.runningOn(host.name)) witness.write(running)
    })
  },
  guardFrozen: ({ scene, host, random }) => {
    const { guard } = host
    if (!guard) return
    const { kernel, witness } = scene
    const untilMs = kernel.nowMs + random.between(0.2, 4) * unitMs(scene)
    guard.actor.frozenUntilMs = untilMs
    witness.resumedAt.set(host.name, kernel.nowMs)
    later(scene, untilMs - kernel.nowMs, () => witness.resumedAt.set(host.name, untilMs))
  },
} satisfies Record<string, StrikeOf>
