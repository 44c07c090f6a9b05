/** What is done to the cluster: each fault ends by itself, and leaves nothing of it behind. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLUSTER } from '../../demo/cluster.ts'
import { type DemoHost, killPid } from '../../demo/host.ts'
import { identityOf, isAlive } from '../../probe/gate/proc.ts'
import type { Random } from '../../sim/world/random.ts'
import { LEASE_MS, livingWitnesses, signal } from './freezes.ts'
import type { FaultKind } from './kinds.ts'
import { addressOf, type Rule } from './network.ts'
import type { Relay, Way } from './relay.ts'
import { askMove, type Scene, WITNESSES } from './scene.ts'

/** Everything that chance decides about one fault, decided before it begins. */
export interface Drawn {
  readonly kind: FaultKind
  readonly host: number
  /** The host that owns the group, instead. */
  readonly aimed: boolean
  readonly group: (typeof WITNESSES)[number]
  readonly ms: number
  readonly coin: boolean
  /** 0 to 1. */
  readonly amount: number
}

/** Every kind once, in any order, before one comes again. */
export class Urn {
  readonly #random: Random
  readonly #kinds: readonly FaultKind[]
  #left: FaultKind[] = []

  constructor(random: Random, kinds: readonly FaultKind[]) {
    this.#random = random
    this.#kinds = kinds
  }

  next(): Drawn {
    if (this.#left.length === 0) this.#left = [...this.#kinds]
    const [kind] = this.#left.splice(this.#random.integer(this.#left.length), 1)
    return draw(this.#random, kind as FaultKind)
  }
}

/** Shorter than the pong lease, about as long, and longer than the authority lease. */
const SPANS: [number, number][] = [
  [100, 1_200],
  [100, 1_200],
  [1_200, 3_500],
  [1_200, 3_500],
  [3_500, 7_500],
]

function draw(random: Random, kind: FaultKind): Drawn {
  return {
    kind,
    host: random.integer(3),
    group: random.pick(WITNESSES),
    // What stands still matters where something runs.
    aimed: random.chance(0.5) || kind === 'freezeHost' || kind === 'freezeGuard',
    ms: Math.round(random.between(...random.pick(SPANS))),
    coin: random.chance(0.5),
    amount: random.next(),
  }
}

export function strike(scene: Scene, drawn: Drawn): Promise<void> {
  return FAULTS[drawn.kind](scene, drawn)
}

type Fault = (scene: Scene, drawn: Drawn) => Promise<void>

function hostOf({ demo }: Scene, { host, aimed, group }: Drawn): DemoHost {
  const owner = demo.ledger(group).findLast((line) => line.what === 'start')?.owner
  const found = aimed ? demo.hosts.find((one) => one.name === owner) : undefined
  return found ?? (demo.hosts[host] as DemoHost)
}

/** After this nobody waits any more for a host that was lost. */
const relayOf = (scene: Scene, drawn: Drawn) => scene.relays.get(hostOf(scene, drawn).name) as Relay

/** A process by what it is. */
type Find = (scene: Scene, drawn: Drawn) => number | null | undefined
const guard: Find = (scene, drawn) => hostOf(scene, drawn).guardPid
const agent: Find = (scene, drawn) => hostOf(scene, drawn).treePids().agent
const rhs: Find = (scene, drawn) => hostOf(scene, drawn).treePids().rhs
const rhsExec: Find = ({ demo }) =>
  demo.hosts.map((host) => host.treePids().rhsExec).find((pid) => pid !== undefined)
const workload: Find = ({ demo }, { group }) => livingWitnesses(demo).get(group)?.[0]
const workerd: Find = ({ demo }) => demo.control.workerdPid()
const emulator: Find = ({ demo }) =>
  demo.hosts.flatMap((host) => [...(host.options.libvirt?.emulators().values() ?? [])])[0]

const kill =
  (find: Find): Fault =>
  async (scene, drawn) => {
    const pid = find(scene, drawn)
    if (pid != null) killPid(pid)
  }

const freeze =
  (find: Find): Fault =>
  async (scene, drawn) => {
    const pid = find(scene, drawn)
    const found = pid == null ? null : identityOf(pid)
    if (!found) return
    signal(found.pid, 'SIGSTOP')
    await sleep(drawn.ms)
    if (isAlive(found)) signal(found.pid, 'SIGCONT')
  }

const rules =
  (make: (drawn: Drawn) => Rule[]): Fault =>
  async (scene, drawn) => {
    const made = make(drawn)
    const { name } = hostOf(scene, drawn)
    await scene.network.add(name, ...made)
    await sleep(drawn.ms)
    await scene.network.remove(name, ...made)
  }
const rule = (chain: Rule['chain'], { coin }: Drawn, lossPercent = 100): Rule => ({
  ...{ chain, lossPercent },
  scope: coin ? 'all' : 'control',
})

const stall =
  (way: Way): Fault =>
  async (scene, drawn) => {
    const relay = relayOf(scene, drawn)
    relay.stall(way)
    await sleep(drawn.ms)
    relay.flow(way)
  }

const fill =
  (folder: 'stateFolder' | 'runFolder'): Fault =>
  async (scene, drawn) => {
    const path = join(hostOf(scene, drawn)[folder], 'fill')
    fillDisk(path)
    await sleep(drawn.ms)
    rmSync(path, { force: true })
  }

/** One fault at a time switches a host off; the other one takes the next host. */
const off =
  (how: (host: DemoHost, drawn: Drawn, scene: Scene) => Promise<void>): Fault =>
  async (scene, drawn) => {
    const { hosts } = scene.demo
    const first = hosts.indexOf(hostOf(scene, drawn))
    const turned = [...hosts.slice(first), ...hosts.slice(0, first)]
    const host = turned.find((one) => !scene.down.has(one)) as DemoHost
    scene.down.add(host)
    try {
      await how(host, drawn, scene)
    } finally {
      scene.down.delete(host)
    }
  }

/** Whatever way it went down: of a machine that boots nothing is left but what lies on disk. */
async function boot({ demo, network }: Scene, host: DemoHost): Promise<void> {
  network.loseAddresses(host.name, addressOf(demo.hosts.indexOf(host)))
  await host.boot()
}

function cutPower({ demo, network }: Scene, host: DemoHost): void {
  host.powerCut()
  network.loseAddresses(host.name, addressOf(demo.hosts.indexOf(host)))
}

const FAULTS: Record<FaultKind, Fault> = {
  killGuard: kill(guard),
  killAgent: kill(agent),
  killRhs: kill(rhs),
  killRhsExec: kill(rhsExec),
  killTree: async (scene, drawn) => hostOf(scene, drawn).killProbe(),
  killWorkload: kill(workload),
  killVm: kill(emulator),
  killWorkerd: kill(workerd),
  freezeAgent: freeze(agent),
  freezeRhs: freeze(rhs),
  freezeRhsExec: freeze(rhsExec),
  freezeWorkload: freeze(workload),
  freezeVm: freeze(emulator),
  freezeWorkerd: freeze(workerd),
  // With its agent cut off, or the lease would be renewed behind its back.
  freezeGuard: async (scene, drawn) => {
    const cut = [rule('in', drawn), rule('out', drawn)]
    const host = hostOf(scene, drawn)
    const standing = scene.freezes.stand(host, 'guard', drawn.ms + LEASE_MS)
    await scene.network.add(host.name, ...cut)
    await standing
    await scene.network.remove(host.name, ...cut)
  },
  freezeHost: (scene, drawn) =>
    scene.freezes.stand(hostOf(scene, drawn), 'host', drawn.ms + (drawn.coin ? LEASE_MS : 0)),
  powerCut: off(async (host, { ms }, scene) => {
    cutPower(scene, host)
    await sleep(ms)
    await boot(scene, host)
  }),
  shutdown: off(async (host, _, scene) => {
    await host.shutDown(15_000)
    // It was frozen, or cut off, for too long.
    if (host.guardPid !== undefined) cutPower(scene, host)
    await boot(scene, host)
  }),
  cutIn: rules((drawn) => [rule('in', drawn)]),
  cutOut: rules((drawn) => [rule('out', drawn)]),
  cutBoth: rules((drawn) => [rule('in', drawn), rule('out', drawn)]),
  loss: rules((drawn) => {
    const percent = 5 + Math.round(drawn.amount * 45)
    return [rule('in', drawn, percent), rule('out', drawn, percent)]
  }),
  delay: async (scene, drawn) => {
    const relay = relayOf(scene, drawn)
    relay.delay(Math.round(20 + drawn.amount * 500))
    await sleep(drawn.ms)
    relay.delay(0)
  },
  stallIn: stall('in'),
  stallOut: stall('out'),
  evict: ({ demo }, { coin }) => demo.control.evict(coin ? 'close' : 'hibernate').catch(() => {}),
  clockJump: async (scene, drawn) => {
    const host = hostOf(scene, drawn)
    const seconds = Math.round((drawn.coin ? 1 : -1) * (1 + drawn.amount ** 3 * 90_000))
    scene.setClock(host, seconds)
    await sleep(drawn.ms)
    scene.setClock(host, 0)
  },
  fullState: fill('stateFolder'),
  fullRun: fill('runFolder'),
  move: async ({ demo }, { group }) => void (await askMove(demo, group)),
  offlineOnline: async ({ promises }, { group, ms }) => {
    await promises.want(group, 0)
    await sleep(ms / 5)
    await promises.want(group, 1)
  },
  pauseResume: async (scene, drawn) => {
    const params = { cluster: CLUSTER, node: hostOf(scene, drawn).name }
    const { api } = scene.demo
    await api('pauseNode', { params }).catch(() => null)
    await askMove(scene.demo, drawn.group)
    await sleep(drawn.ms)
    await api('resumeNode', { params }).catch(() => null)
  },
}

/** To the last byte: what is written next finds no room. */
function fillDisk(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (const size of [1_048_576, 4_096, 1])
      try {
        for (const part = Buffer.alloc(size); ; ) writeSync(file, part)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
  } finally {
    closeSync(file)
  }
}
