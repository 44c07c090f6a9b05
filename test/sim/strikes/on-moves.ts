/**
 * A group of this host is moved by an operator, and something goes wrong just then: what was known of
 * it, the guard's file, the replica, the session, is a moment older than what has left.
 */
import { PROFILES } from '../../../schema/timing.ts'
import { type Blow, lastingMs, later, type StrikeOf, unitMs } from './strike.ts'

/** @returns whether there is anything to move */
function moveAway({ scene, host, random }: Blow): boolean {
  const all = host.processes.list()
  if (all.length === 0) return false
  const { groupId } = random.pick(all)
  scene.operator.ask({ type: 'moveGroup', groupId, to: null })
  return true
}

/** A virtual machine of this host is to move while it runs (M1). @returns whether there is one */
function moveLive({ scene, host, random }: Blow): boolean {
  const gates = host.guard?.records().filter(({ way, process }) => way === 'gate' && process) ?? []
  if (gates.length === 0) return false
  const { groupId } = random.pick(gates)
  const method = random.pick(['live', 'live', 'auto'] as const)
  scene.operator.ask({ type: 'moveGroup', groupId, to: null, method, mid: random.uuid() })
  return true
}

/** Somewhere between the first word of it and a little after the last. */
const midWay = ({ random }: Blow) => random.between(50, 1_200)

export const ON_MOVES = {
  /** It ends as it should not: the source goes on, the copy dies, or the manager lies about it (M3). */
  liveMoveFails: (blow) => {
    const { scene, host, random } = blow
    if (!moveLive(blow)) return
    host.modules.fate = random.pick(['goesOn', 'copyDies', 'lies'])
    later(scene, lastingMs(blow), () => {
      host.modules.fate = null
    })
  },
  /** The source is lost in the middle of it, or right behind its ack (M5). */
  liveMoveSourceDies: (blow) => {
    const { scene, host } = blow
    if (!moveLive(blow)) return
    const wasMs = midWay(blow)
    later(scene, wasMs, () => host.powerCut(true))
    later(scene, wasMs + lastingMs(blow), () => host.powerOn())
  },
  /** The source hears and says nothing while it goes on: its lease runs out (M5, M7). */
  liveMoveSourceCut: (blow) => {
    const { scene, host, random } = blow
    if (!moveLive(blow)) return
    const wasMs = midWay(blow)
    // Now and then the source goes on too, with a whole copy on the other side.
    if (random.chance(0.6)) host.modules.fate = 'goesOn'
    later(scene, wasMs, () => {
      host.weather.up = host.weather.down = false
    })
    later(scene, wasMs + 3 * unitMs(scene), () => {
      host.weather.up = host.weather.down = true
      host.modules.fate = null
    })
  },
  /** Some other host, perhaps the one with the copy, loses its session or its guard (M7). */
  liveMoveTargetDies: (blow) => {
    const { scene, host, random } = blow
    if (!moveLive(blow)) return
    const others = scene.hosts.filter((other) => other !== host)
    if (others.length === 0) return
    const target = random.pick(others)
    const happens = random.pick(['killGuard', 'killAgent', 'killRhs'] as const)
    later(scene, midWay(blow), () => target[happens]())
  },
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
  /** A manager executes a start just while what it is for is being stopped, by a move or a lapse (G4). */
  startsWhileStopped: (blow) => {
    const { scene, host, random } = blow
    const { guard, manager, modules } = host
    const gates = guard?.records().filter(({ way, process }) => way === 'gate' && process) ?? []
    if (!guard || gates.length === 0) return
    const { resourceId, groupId, process } = random.pick(gates)
    const { stopMs, gapMs } = PROFILES[scene.plan.profile]
    const lapses = random.chance(0.5)
    manager.goneUntilMs = Number.POSITIVE_INFINITY
    guard.endsUnstarted = (ended) => {
      if (ended === resourceId) manager.goneUntilMs = 0
    }
    // It ends, is to be started again, and nobody executes that.
    if (process) host.processes.kill(process.pid, 0)
    later(scene, random.between(200, 1_000), () => {
      modules.leftMs = (stopMs - gapMs) * 0.95
      if (lapses) host.weather.up = host.weather.down = false
      else scene.operator.ask({ type: 'moveGroup', groupId, to: null })
    })
    later(scene, 1_000 + (lapses ? 3 * unitMs(scene) : lastingMs(blow)), () => {
      host.weather.up = host.weather.down = true
      modules.leftMs = null
      manager.goneUntilMs = 0
      guard.endsUnstarted = null
    })
  },
  /** Who has asked for a start dies, and that is read when the group has been given away (G2). */
  startAskedLate: (blow) => {
    const { scene, host, random } = blow
    const all = host.processes.list()
    if (all.length === 0) return
    const { groupId } = random.pick(all)
    host.modules.askLateMs = random.between(200, 800)
    for (const process of all) if (process.groupId === groupId) host.processes.kill(process.pid, 0)
    later(scene, random.between(5, 30), () => {
      host.modules.askLateMs = 0
      host.killRhs()
      scene.operator.ask({ type: 'moveGroup', groupId, to: null })
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
