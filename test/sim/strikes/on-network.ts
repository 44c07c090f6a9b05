/** Faults of the network between a host and the control plane. */
import { PROFILES } from '../../../schema/timing.ts'
import type { Scene } from '../../../sim/world/scene.ts'
import { type Blow, busyHost, lastingMs, later, type StrikeOf, unitMs } from './strike.ts'

function cut(blow: Blow, ways: readonly ('up' | 'down')[]): void {
  const { scene, host } = blow
  for (const way of ways) host.weather[way] = false
  later(scene, lastingMs(blow), () => {
    for (const way of ways) host.weather[way] = true
  })
}

/** Under policy `fence` whoever is cut off runs on meanwhile, as it may. */
function nobodyIsFenced({ hosts }: Scene, fails: boolean): void {
  for (const { modules } of hosts) modules.fenceFails = fails ? Number.POSITIVE_INFINITY : 0
}

/** Everything that a session is made of. */
const FROM_NODE = ['report', 'confirm', 'status', 'released', 'accept', 'refuse', 'ping', 'goodbye']
const FROM_OBJECT = ['challenge', 'welcome', 'updates', 'offer', 'confirmed', 'ack', 'pong', 'bye']

export const ON_NETWORK = {
  cutUp: (blow) => cut(blow, ['up']),
  cutDown: (blow) => cut(blow, ['down']),
  cutBoth: (blow) => cut(blow, ['up', 'down']),
  /** The control plane's side of the network: everybody at once. */
  cutAll: (blow) => {
    for (const host of blow.scene.hosts) cut({ ...blow, host }, ['up', 'down'])
  },
  /** An answer to a ping arrives when the lease of that ping has nearly run out, or has (L1). */
  latePong: ({ scene, host, random }) => {
    const t = PROFILES[scene.plan.profile]
    const pingsMs = 1.2 * t.pingMs
    host.weather.down = false
    later(scene, pingsMs, () => {
      host.weather.up = false
    })
    const lateMs = (t.ttlMs - t.stopMs) * random.between(0.6, 0.95)
    later(scene, lateMs, () => {
      host.weather.down = true
    })
    later(scene, pingsMs + random.between(2, 5) * t.ttlMs, () => {
      host.weather.up = true
    })
  },
  flapping: (blow) => {
    const { scene, host, random } = blow
    const endMs = scene.kernel.nowMs + lastingMs(blow)
    const again = () => {
      const open = scene.kernel.nowMs > endMs || random.chance(0.5)
      host.weather.up = open
      host.weather.down = open
      if (scene.kernel.nowMs <= endMs) later(scene, random.between(10, 0.5 * unitMs(scene)), again)
    }
    again()
  },
  /** Its peers do not hear it, and it does not hear them (S-17). */
  cutFromPeers: (blow) => {
    blow.host.lan = false
    later(blow.scene, lastingMs(blow), () => {
      blow.host.lan = true
    })
  },
  lossy: (blow) => {
    const { scene, host, random } = blow
    const before = host.weather.loss
    host.weather.loss = random.between(0.1, 0.5)
    later(scene, lastingMs(blow), () => {
      host.weather.loss = before
    })
  },
  /** One connection is held back, and its successors are not: it delivers late, dead or not. */
  stalled: (blow) => {
    const { scene, host, random } = blow
    for (const ws of scene.platform.socketsOf(host.name))
      ws.stall(random.chance(0.5) ? 'up' : 'down', lastingMs(blow))
  },
  /** Only one end is told that the connection is gone. */
  halfOpen: ({ scene, host, random }) => {
    const object = random.chance(0.5)
    for (const ws of scene.platform.socketsOf(host.name)) ws.break({ object, host: !object })
  },
  /** The connection goes with one certain frame. */
  cutAtFrame: ({ scene, host, random }) => {
    const frame = random.pick(random.chance(0.5) ? FROM_NODE : FROM_OBJECT)
    const loud = random.chance(0.7)
    for (const ws of scene.platform.socketsOf(host.name)) ws.trap = { frame, loud }
  },
  /** The report of one session arrives when the next one has long made its own (S2). */
  reportLate: ({ scene, host, random }) => {
    const lateMs = random.between(0.2, 1.5) * unitMs(scene)
    scene.platform.traps.set(host.name, { frame: 'report', loud: true, lateMs })
    for (const ws of scene.platform.socketsOf(host.name)) ws.break({ object: true, host: true })
  },
  /** The policy changes twice while the first answer to it is under way, and the last change is cut off. */
  cutAtFlips: (blow) => {
    const { scene, random } = blow
    const { fencing } = scene.plan.world
    if (fencing === 'none') return
    const host = busyHost(blow)
    const { ttlMs, ttlAuthorityMs } = PROFILES[scene.plan.profile]
    const flip = (ms: number, to: 'lease' | 'fence') =>
      later(scene, ms, () => scene.operator.takeover(to))
    const firstMs = fencing === 'fence' ? 0 : 1_000
    if (fencing === 'lease') flip(0, 'fence')
    flip(firstMs, 'lease')
    const backMs = firstMs + random.between(20, 150)
    flip(backMs, 'fence')
    const againMs = backMs + random.between(20, 200)
    flip(againMs, 'lease')
    later(scene, firstMs, () => {
      nobodyIsFenced(scene, true)
      // What it says is on its way until the last change, or gone with that.
      for (const ws of scene.platform.socketsOf(host.name))
        ws.stall('up', againMs - firstMs + random.between(10, 120))
    })
    later(scene, againMs + random.between(-20, 30), () => {
      host.weather.down = false
    })
    later(scene, againMs + 200, () => {
      host.weather.up = false
    })
    later(scene, againMs + Math.min(1.3 * ttlAuthorityMs, 30 * ttlMs), () => {
      host.weather.up = host.weather.down = true
      nobodyIsFenced(scene, false)
      scene.operator.takeover(fencing)
    })
  },
  /** Back for one moment after its leases have run out, and told meanwhile that they bind it (G9). */
  cutAtTurn: (blow) => {
    const { scene, random } = blow
    const { fencing } = scene.plan.world
    if (fencing === 'none') return
    const host = busyHost(blow)
    const { ttlMs, ttlAuthorityMs } = PROFILES[scene.plan.profile]
    // Until it has heard that it may run on.
    const cutMs = fencing === 'fence' ? 0 : 1_000
    if (fencing === 'lease') scene.operator.takeover('fence')
    later(scene, cutMs, () => {
      host.weather.up = host.weather.down = false
      nobodyIsFenced(scene, true)
    })
    const outMs = cutMs + random.between(1.2, 2) * ttlMs
    later(scene, outMs - 0.5 * ttlMs, () => scene.operator.takeover('lease'))
    later(scene, outMs, () => {
      scene.platform.traps.set(host.name, {
        frame: random.pick(['pong', 'confirmed']),
        loud: false,
      })
      // A connection that it has asked for already would have no trap.
      host.killAgent()
      host.weather.up = host.weather.down = true
    })
    later(scene, outMs + 0.5 * ttlMs, () => {
      host.weather.up = host.weather.down = false
    })
    later(scene, outMs + Math.min(1.3 * ttlAuthorityMs, 30 * ttlMs), () => {
      host.weather.up = host.weather.down = true
      nobodyIsFenced(scene, false)
      scene.operator.takeover(fencing)
    })
  },
} satisfies Record<string, StrikeOf>
