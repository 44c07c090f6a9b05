/** Faults of the platform that runs the Durable Object. */
import { PROFILES } from '../../../schema/timing.ts'
import { later, type StrikeOf, unitMs } from './strike.ts'

export const ON_CONTROL_PLANE = {
  /** Machine gone: memory and sockets; hosts are reset, or find out by themselves. */
  objectCrash: ({ scene, random }) => scene.platform.crash(random.chance(0.5)),
  /** Right behind a commit: it counts, and nothing of it leaves (C4). */
  objectDiesAfterCommit: ({ scene }) => {
    scene.platform.disk.dieAfterCommit = true
  },
  commitFails: ({ scene, random }) => {
    scene.platform.disk.failCommits = 1 + random.integer(2)
  },
  objectSleeps: ({ scene }) => scene.platform.hibernate(),
  /** Another instance begins; the old one's runtime goes on answering pings (L3). */
  objectSuperseded: ({ scene, random }) =>
    scene.platform.supersede(random.between(0.05, random.chance(0.5) ? 3 : 12) * unitMs(scene)),
  /** Just while somebody waits for a write to be durable (L6). */
  supersededAtSync: ({ scene, random }) => {
    const { disk } = scene.platform
    const forMs = random.between(1, 14) * unitMs(scene)
    // A write that takes its time has others come in behind it.
    const slowMs = random.chance(0.5) ? random.between(100, 2_500) : null
    disk.onSync = () => {
      disk.onSync = () => null
      const inMs = slowMs === null ? 0 : slowMs * random.next() ** 2
      later(scene, inMs, () => scene.platform.supersede(forMs))
      return slowMs
    }
  },
  /**
   * One slow write, and confirms that come in behind it, when there is another instance already (L6):
   * the old one lives for longer than the leases that it must not give, and stopping takes its time. One host
   * finds the new one at once, and could take over.
   */
  supersededAtConfirms: ({ scene, host, random }) => {
    const { disk } = scene.platform
    const { stopMs, gapMs, ttlAuthorityMs } = PROFILES[scene.plan.profile]
    // For so long that the confirms after it, which all hosts send at the same instant, come in behind it.
    const slowMs = random.between(1.02, 1.4) * (ttlAuthorityMs / 3)
    const inMs = random.between(0, 0.2) * slowMs
    const forMs = random.between(1.2, 2) * ttlAuthorityMs
    disk.onSync = () => {
      disk.onSync = () => null
      later(scene, inMs, () => {
        const lines = scene.platform.socketsOf(host.name)
        scene.platform.supersede(forMs, true)
        for (const ws of lines) ws.vanish(true)
      })
      return slowMs
    }
    for (const { modules } of scene.hosts) modules.killMs = (stopMs - gapMs) * 0.95
    later(scene, forMs + slowMs, () => {
      for (const { modules } of scene.hosts) modules.killMs = null
    })
  },
  objectSlow: ({ scene, random }) => scene.platform.slow(random.between(0.01, 1.5) * unitMs(scene)),
  /**
   * Back by any amount, and forward by what m covers or by what everybody is seen to miss (A1, D6):
   * forward steps in between are what the rules assume away.
   */
  objectClockSteps: ({ scene, random }) => {
    const t = PROFILES[scene.plan.profile]
    const draw = random.next()
    if (draw < 0.4) scene.platform.stepClock(-random.between(0, 10_000))
    else if (draw < 0.7) scene.platform.stepClock(random.between(0, t.marginMs * 0.3))
    else scene.platform.stepClock(random.between(2 * t.ttlMs, 3_600_000))
  },
  /** Down for a while: nobody is there to ask. */
  objectAway: ({ scene, random }) => scene.platform.away(random.between(0.1, 3) * unitMs(scene)),
} satisfies Record<string, StrikeOf>
