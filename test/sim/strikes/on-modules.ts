/** Faults of resource modules and of the managers that they speak to. */
import { lastingMs, later, type StrikeOf, unitMs } from './strike.ts'

export const ON_MODULES = {
  moduleHangs: (blow) => {
    const { modules } = blow.host
    modules.hangsUntilMs = blow.scene.kernel.nowMs + lastingMs(blow)
  },
  /** The next calls take their RHS along. */
  moduleCrashes: ({ host, random }) => {
    host.modules.crashes = 1 + random.integer(3)
  },
  moduleLies: (blow) => {
    const { scene, host, random } = blow
    host.modules.lie = random.pick(['online', 'offline', 'failed', 'unknown'] as const)
    later(scene, lastingMs(blow) / 2, () => {
      host.modules.lie = null
    })
  },
  /** Somebody on the host stops it, and means it (S-68). */
  stoppedByHand: ({ host, random }) => {
    const all = host.processes.list()
    if (all.length === 0) return
    const { resourceId, pid } = random.pick(all)
    host.rhs?.stoppedByHand(resourceId)
    host.processes.kill(pid, 1)
  },
  /** It fails k times; sometimes more often than it is tried (S-75, S-76). */
  startsFail: ({ host, random }) => {
    host.modules.failStarts = 1 + random.integer(6)
  },
  startsSlowly: (blow) => {
    const { scene, host, random } = blow
    host.modules.slowMs = random.between(0.1, 2) * unitMs(scene)
    later(scene, lastingMs(blow), () => {
      host.modules.slowMs = 0
    })
  },
  fenceFails: ({ host, random }) => {
    host.modules.fenceFails = 1 + random.integer(4)
  },
  /** The result comes when the host that it is about has long been back (F2, F6). */
  fenceLate: (blow) => {
    blow.host.modules.fenceLateMs = lastingMs(blow)
    later(blow.scene, lastingMs(blow), () => {
      blow.host.modules.fenceLateMs = 0
    })
  },
  /**
   * It is cut off, and back and at work when the result comes: that is about the boot before (F2). So is the word of an
   * operator who has looked at it meanwhile (F5).
   */
  backBeforeFenced: ({ scene, host, random }) => {
    if (scene.plan.world.fencing === 'none') return
    const busy = scene.hosts.filter(({ processes }) => processes.list().length > 0)
    const struck = busy.length > 0 ? random.pick(busy) : host
    const lateMs = random.between(1, 4) * unitMs(scene)
    const others = scene.hosts.filter((other) => other !== struck)
    for (const { modules } of others) modules.fenceLateMs = lateMs
    struck.powerCut(false)
    const offMs = random.between(1_100, 1_500 + unitMs(scene))
    later(scene, offMs, () => struck.powerOn())
    later(scene, lateMs, () => {
      for (const { modules } of others) modules.fenceLateMs = 0
    })
    scene.operator.confirmOver(offMs + random.between(0, 2) * unitMs(scene))
  },
  managerGone: (blow) => {
    blow.host.manager.goneUntilMs = blow.scene.kernel.nowMs + lastingMs(blow)
  },
  /** What it was asked for is executed when nobody expects it any more. */
  managerLate: (blow) => {
    const { scene, host } = blow
    const lateMs = lastingMs(blow)
    host.modules.managerLateMs = lateMs
    later(scene, lateMs, () => {
      host.modules.managerLateMs = 0
    })
  },
} satisfies Record<string, StrikeOf>
