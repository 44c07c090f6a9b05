/**
 * What goes wrong in one history. Each seed draws which faults exist at all and how often they come
 * (a swarm): a history with every fault at once shows less than many with a few each.
 */
import type { SimHost } from './host.ts'
import type { Kernel } from './kernel.ts'
import type { Platform } from './platform.ts'
import type { Random } from './random.ts'

interface Scene {
  readonly kernel: Kernel
  readonly platform: Platform
  readonly hosts: readonly SimHost[]
}

type Strike = (scene: Scene, host: SimHost) => void

const later = ({ kernel }: Scene, ms: number, work: () => void) =>
  void kernel.at(kernel.nowMs + ms, null, work)

/** Longest that a fault lasts before it is mended by itself. */
const LASTS_MS = 6_000

const lasting = (scene: Scene) => scene.kernel.random.between(50, LASTS_MS)

/** Freezes of a host or its guard are not here: assumption A5 is counted apart. */
export const STRIKES: Readonly<Record<string, Strike>> = {
  powerCut: (scene, host) => {
    host.powerCut(scene.kernel.random.chance(0.5))
    later(scene, lasting(scene), () => host.powerOn())
  },
  killGuard: (_, host) => host.killGuard(),
  killAgent: (_, host) => host.killAgent(),
  killRhs: (_, host) => host.killRhs(),
  killWorkload: ({ kernel }, host) => {
    const all = host.processes.list()
    if (all.length > 0) host.processes.kill(kernel.random.pick(all).pid, 0)
  },
  cutUp: (scene, { weather }) => {
    weather.up = false
    later(scene, lasting(scene), () => {
      weather.up = true
    })
  },
  cutDown: (scene, { weather }) => {
    weather.down = false
    later(scene, lasting(scene), () => {
      weather.down = true
    })
  },
  cutBoth: (scene, { weather }) => {
    weather.up = false
    weather.down = false
    later(scene, lasting(scene), () => {
      weather.up = true
      weather.down = true
    })
  },
  fullDisk: (scene, { world }) => {
    world.diskFull = true
    later(scene, lasting(scene), () => {
      world.diskFull = false
    })
  },
  fullRunFolder: (scene, { stateFile }) => {
    stateFile.fileFull = true
    later(scene, lasting(scene), () => {
      stateFile.fileFull = false
    })
  },
  replicaLost: (_, host) => {
    host.world.files.delete('/state/hive.json')
    host.killAgent()
  },
  replicaDamaged: (_, host) => {
    host.world.files.set('/state/hive.json', '{"hash":"')
    host.killAgent()
  },
  guardFileLost: (_, host) => {
    host.stateFile.file = null
    host.killGuard()
  },
  wallClockSteps: ({ kernel }, host) => {
    for (const actor of [host.agent?.actor, host.guard?.actor])
      if (actor) actor.wallOffsetMs += kernel.random.between(-86_400_000, 86_400_000)
  },
  objectCrash: ({ kernel, platform }) => platform.crash(kernel.random.chance(0.5)),
  objectSleeps: ({ platform }) => platform.hibernate(),
  objectSuperseded: ({ kernel, platform }) => platform.supersede(kernel.random.between(100, 8_000)),
}

export interface Swarm {
  /** Mean time between two strikes of each kind that this history has, milliseconds. */
  readonly everyMs: ReadonlyMap<string, number>
}

export function drawSwarm(random: Random): Swarm {
  const kinds = Object.keys(STRIKES).filter(() => random.chance(0.35))
  return { everyMs: new Map(kinds.map((kind) => [kind, random.between(800, 12_000)])) }
}

/** Schedules everything of the swarm until `endMs`. @returns what was struck, in order */
export function unleash(swarm: Swarm, scene: Scene, endMs: number): string[] {
  const { kernel, hosts } = scene
  const struck: string[] = []
  for (const [kind, everyMs] of swarm.everyMs) {
    const next = () => {
      const atMs = kernel.nowMs - Math.log(1 - kernel.random.next()) * everyMs
      if (atMs >= endMs) return
      kernel.at(atMs, null, () => {
        const host = kernel.random.pick(hosts)
        struck.push(`${Math.round(kernel.nowMs)} ms  ${kind}  ${host.name}`)
        STRIKES[kind]?.(scene, host)
        next()
      })
    }
    next()
  }
  return struck
}

/** Everything is as it should be again: from here on the cluster has to come to rest. */
export function mend({ hosts }: Scene): void {
  for (const host of hosts) {
    host.weather.up = true
    host.weather.down = true
    host.world.diskFull = false
    host.stateFile.fileFull = false
    host.powerOn()
  }
}
