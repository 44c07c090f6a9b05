/**
 * A group of this host is moved by an operator, and something goes wrong just then: what was known of
 * it, the guard's file, the replica, the session, is a moment older than what has left.
 */
import { PROFILES } from '../../../schema/timing.ts'
import { type Blow, lastingMs, later, type StrikeOf } from './strike.ts'

/** @returns whether there is anything to move */
function moveAway({ scene, host, random }: Blow): boolean {
  const all = host.processes.list()
  if (all.length === 0) return false
  const { groupId } = random.pick(all)
  scene.operator.ask({ type: 'moveGroup', groupId, to: null })
  return true
}

export const ON_MOVES = {
  /** The guard dies right behind its word that a group is stopped, and hears nothing new (G9). */
  guardDiesAtWord: (blow) => {
    const { scene, host } = blow
    const { guard } = host
    if (!guard || !moveAway(blow)) return
    guard.diesBehindStop = () => {
      // What it has said gets out.
      host.weather.down = false
    }
    later(scene, lastingMs(blow), () => {
      guard.diesBehindStop = null
      host.weather.down = true
    })
  },
  /** The replica on disk stays behind, and a new agent has nothing but that for a while (U1). */
  movedPastReplica: (blow) => {
    const { scene, host, random } = blow
    if (!moveAway(blow)) return
    host.world.diskFull = true
    later(scene, random.between(20, 700), () => {
      host.weather.down = false
      host.killAgent()
    })
    later(scene, 700 + lastingMs(blow), () => {
      host.weather.down = true
      host.world.diskFull = false
    })
  },
  /** Its module says that it is gone, and it dies slowly, while the session is made anew (S3). */
  liesAtStop: (blow) => {
    const { scene, host, random } = blow
    const { stopMs, gapMs } = PROFILES[scene.plan.profile]
    host.modules.lie = 'offline'
    host.modules.killMs = (stopMs - gapMs) * 0.95
    later(scene, random.between(50, 1_500), () => void moveAway(blow))
    for (let atMs = 200; atMs < 2_000; atMs += random.between(50, 400))
      later(scene, atMs, () => {
        if (random.chance(0.3)) host.killGuard()
        else
          for (const ws of scene.platform.socketsOf(host.name))
            ws.break({ object: true, host: true })
      })
    later(scene, 2_500, () => {
      host.modules.lie = host.modules.killMs = null
    })
  },
} satisfies Record<string, StrikeOf>
