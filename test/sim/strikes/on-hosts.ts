/** Faults of hosts and their processes, as far as the assumptions A5 and A6 allow. */
import { PROFILES } from '../../../schema/timing.ts'
import type { SimGuard } from '../../../sim/world/guard.ts'
import { busyHost, lastingMs, later, type StrikeOf, unitMs } from './strike.ts'

const REPLICA = '/state/hive.json'

export const ON_HOSTS = {
  powerCut: (blow) => {
    const { scene, host, random } = blow
    host.powerCut(random.chance(0.5))
    later(scene, lastingMs(blow), () => host.powerOn())
  },
  /** Back before anybody has noticed. */
  reboot: ({ scene, host, random }) => {
    host.powerCut(random.chance(0.7))
    later(scene, random.between(5, 400), () => host.powerOn())
  },
  cleanShutdown: (blow) => {
    const { scene, host } = blow
    host.shutDown()
    // Orderly, or out of patience.
    later(scene, 31_000 + lastingMs(blow), () => {
      host.powerCut(false)
      host.powerOn()
    })
  },
  killGuard: ({ host }) => host.killGuard(),
  /** Between two effects: what is on file and what has left differ at most by that (G9). */
  guardDiesAtEffect: ({ host, random }) => {
    if (host.guard) host.guard.effectsLeft = random.integer(12)
  },
  /** All of T_stop is needed: the guard goes just before the deadline, and all that follows is slow. */
  slowestLapse: (blow) => {
    const { scene, random } = blow
    const host = busyHost(blow)
    const { stopMs, gapMs } = PROFILES[scene.plan.profile]
    host.weather.up = host.weather.down = false
    const { modules } = host
    modules.killMs = (stopMs - gapMs) * 0.985
    modules.guardBackMs = gapMs * 0.98
    const dies = (guard: SimGuard | null, triesLeft: number): void => {
      const dueMs = guard?.dueInMs ?? null
      if (guard === null || guard !== host.guard || dueMs === null || triesLeft === 0) return
      const earlyMs = random.between(1, 30)
      if (dueMs <= earlyMs + 1) return host.killGuard()
      later(scene, (dueMs - earlyMs) / guard.actor.rate, () => dies(guard, triesLeft - 1))
    }
    dies(host.guard, 20)
    later(scene, random.between(2, 8) * unitMs(scene), () => {
      modules.killMs = modules.guardBackMs = null
      host.weather.up = host.weather.down = true
    })
  },
  /** Nobody brings the guard back (A6): just before its deadline, or right behind a late start (G12). */
  guardGone: (blow) => {
    const { scene, random } = blow
    const host = busyHost(blow)
    if (!scene.plan.world.watchdog || host.processes.list().length === 0) return
    const { ttlMs, stopMs } = PROFILES[scene.plan.profile]
    host.weather.up = host.weather.down = false
    later(scene, random.between(2, 5) * unitMs(scene), () => {
      host.weather.up = host.weather.down = true
    })
    const { guard } = host
    const gone = () => {
      if (guard !== null && host.guard === guard) host.killGuardForGood()
    }
    if (random.chance(0.3)) return later(scene, random.between(0.7, 1) * (ttlMs - stopMs), gone)
    // Just before no start is allowed any more; until then nothing runs, and an idle host feeds its device.
    const idleMs = 0.3 * (ttlMs - stopMs)
    // Late enough for the device to outlast the lease, early enough for the start to be let through.
    const earlyMs = random.between(40, 240)
    const restart = (triesLeft: number): void => {
      const dueMs = guard?.dueInMs ?? null
      if (guard === null || guard !== host.guard || dueMs === null || triesLeft === 0) return
      const inMs = dueMs / guard.actor.rate - idleMs - earlyMs
      if (inMs > 2) return later(scene, inMs, () => restart(triesLeft - 1))
      host.modules.slowMs = idleMs
      for (const { pid } of host.processes.list()) host.processes.kill(pid, 0)
      later(scene, idleMs + random.between(0.5, 1) * earlyMs, () => {
        host.modules.slowMs = 0
        gone()
      })
    }
    restart(50)
  },
  killAgent: ({ host }) => host.killAgent(),
  agentDiesAtWrite: ({ host, random }) => {
    host.world.writesLeft = random.integer(4)
  },
  killRhs: ({ host }) => host.killRhs(),
  killWorkload: ({ host, random }) => {
    const all = host.processes.list()
    if (all.length > 0) host.processes.kill(random.pick(all).pid, 0)
  },
  /** SIGSTOP of the agent alone: the guard goes on (G1). */
  pauseAgent: (blow) => {
    const { scene, host } = blow
    const { agent } = host
    if (agent) agent.actor.frozenUntilMs = scene.kernel.nowMs + lastingMs(blow)
  },
  pauseRhs: (blow) => {
    const { scene, host } = blow
    const { rhs } = host
    if (rhs) rhs.actor.frozenUntilMs = scene.kernel.nowMs + lastingMs(blow)
  },
  /** A busy host: everything now and then, the guard by less than T_kill has room for. */
  slowHost: (blow) => {
    const { scene, host, random } = blow
    const endMs = scene.kernel.nowMs + lastingMs(blow)
    const again = () => {
      if (scene.kernel.nowMs > endMs) return
      for (const actor of host.actors()) {
        const guards = actor === host.guard?.actor
        const forMs = random.between(0, guards ? 15 : 0.2 * unitMs(scene))
        actor.frozenUntilMs = Math.max(actor.frozenUntilMs, scene.kernel.nowMs + forMs)
      }
      later(scene, random.between(20, 300), again)
    }
    again()
  },
  fullDisk: (blow) => {
    const { scene, host } = blow
    host.world.diskFull = true
    later(scene, lastingMs(blow), () => {
      host.world.diskFull = false
    })
  },
  fullRunFolder: (blow) => {
    const { scene, host } = blow
    host.stateFile.fileFull = true
    later(scene, lastingMs(blow), () => {
      host.stateFile.fileFull = false
    })
  },
  replicaLost: ({ host }) => {
    host.world.files.delete(REPLICA)
    host.killAgent()
  },
  replicaDamaged: ({ host, random }) => {
    const { files } = host.world
    const text = files.get(REPLICA) ?? ''
    const at = random.integer(text.length + 1)
    files.set(REPLICA, `${text.slice(0, at)}7${text.slice(at + 1)}`)
    if (random.chance(0.5)) host.killAgent()
  },
  guardFileLost: ({ host }) => {
    host.stateFile.file = null
    host.killGuard()
  },
  wallClockSteps: ({ host, random }) => {
    const byMs = random.between(-86_400_000, 86_400_000)
    for (const actor of host.actors()) actor.wallOffsetMs += byMs
  },
} satisfies Record<string, StrikeOf>
