/** The cluster of a plan, and how it comes to be. */
import { PROFILES } from '../../schema/timing.ts'
import type { Code } from './code.ts'
import { SimHost } from './host.ts'
import type { HostFaults } from './host-faults.ts'
import { type Actor, actorNow, Kernel } from './kernel.ts'
import type { Manager } from './manager.ts'
import { Operator } from './operator.ts'
import { Platform } from './platform.ts'
import type { Random } from './random.ts'
import type { Scene } from './scene.ts'
import type { Setting } from './setting.ts'
import { Witness } from './witness.ts'

/** ρ of the rules: no clock is off by more (A1). */
const RATE_ERROR = 0.01
/** T_wd of docs/rules.md; below TTL − P − m, or it resets hosts that are well. */
const WATCHDOG_MS = { test: 1_300, fast: 1_000, standard: 3_000, wan: 10_000 }
/** A message between two processes of one host that is not busy. */
const IPC_MS = 0.2

export interface MakeScene {
  readonly scene: Scene
  /** From now on the surroundings are as good as they get. */
  calm(): void
}

export function makeScene(plan: Setting, code: Code): MakeScene {
  const kernel = new Kernel(plan.seed)
  const { random } = kernel
  const { world } = plan
  let calm = false
  const chance = (probability: number) => !calm && random.chance(probability)
  const upTo = (most: number) => random.between(0.1, Math.max(most, 0.2))
  const clockRate = () => drawRate(random, world.extremeClocks)
  const platform = new Platform(kernel, code.Cluster, {
    alarmLateMs: () => (chance(world.alarmLate) ? upTo(world.alarmLateMaxMs) : upTo(5)),
    // Its commit fails, and it is long until somebody tells it.
    hangsMs: () => (chance(0.4) ? random.between(0, 12) * PROFILES[plan.profile].ttlMs : 0),
    syncMs: () => upTo(calm ? 5 : world.syncMaxMs),
    clockRate,
  })
  const witness = new Witness(kernel)
  const operator = new Operator(kernel, platform)
  const clusterId = random.uuid()
  const faults: HostFaults = {
    clockRate,
    wallOffsetMs: () => random.between(-1e6, 1e6),
    killMs: () => upTo(world.killMaxMs),
    onlineMs: () => upTo(world.onlineMaxMs),
    offlineMs: () => upTo(world.offlineMaxMs),
    failsOnline: () => chance(world.flaky),
    hangs: () => chance(world.hangs),
    crashes: () => false,
    lie: () =>
      chance(world.lies) ? random.pick(['online', 'offline', 'failed', 'unknown']) : null,
    guardBackMs: () => upTo(PROFILES[plan.profile].gapMs * 0.9),
    leftMs: () => upTo(!calm && random.chance(0.3) ? world.killMaxMs : 2),
    runFolderLasts: world.runFolderLasts,
    watchdogMs: world.watchdog ? WATCHDOG_MS[plan.profile] : null,
    ipcMs: () => IPC_MS + (calm || world.ipcMaxMs === 0 ? 0 : random.between(0, world.ipcMaxMs)),
    fate: () => (chance(world.flaky) ? random.pick(['goesOn', 'copyDies', 'lies']) : 'moves'),
    managerLateMs: () => upTo(calm ? 20 : world.managerLateMaxMs),
  }
  const managers = new Map<string, Manager>()
  const delayMs = () => upTo(world.delayMaxMs)
  const hosts = Array.from(
    { length: plan.nodes },
    (_, n) =>
      new SimHost(
        { kernel, code, platform, witness, managers },
        {
          name: plan.names?.[n] ?? `n${n + 1}`,
          clusterId,
          weather: { up: true, down: true, loss: world.loss, delayMs },
          faults,
        },
      ),
  )
  connect(kernel, hosts, plan, () => calm)
  return {
    scene: { plan, kernel, platform, hosts, witness, operator },
    calm: () => {
      calm = true
    },
  }
}

/** Wires between the hosts: to hear each other by, and plugs to switch each other off by. */
function connect(
  kernel: Kernel,
  hosts: readonly SimHost[],
  { world }: Setting,
  calm: () => boolean,
): void {
  const { random } = kernel
  const byName = new Map(hosts.map((host) => [host.name, host]))
  const byAddress = new Map(hosts.map((host, n) => [`10.0.0.${n + 1}`, host]))
  for (const [address, host] of byAddress) {
    if (world.peers) host.world.address = address
    host.world.tellPeer = (from, to, packet) => {
      const other = byAddress.get(to)
      if (!other || !host.lan || !other.lan || random.chance(host.weather.loss)) return
      const late = random.between(0.05, world.delayMaxMs)
      kernel.at(kernel.nowMs + late, null, () => other.on && other.world.hears?.(packet, from))
    }
    if (world.fencing === 'none') continue
    host.world.switchOn = (target) => byName.get(target)?.powerOn()
    host.world.fence = (target) => {
      const actor = actorNow() as Actor
      const fails = !calm() && host.modules.fenceFails > 0
      const ms = random.between(20, 150) + (calm() ? 0 : host.modules.fenceLateMs)
      if (fails) host.modules.fenceFails -= 1
      // The plug is pulled, whatever becomes of who asked for it.
      else kernel.at(kernel.nowMs + ms / 2, null, () => byName.get(target)?.powerCut(true))
      return new Promise((resolve) => {
        actor.after(ms, () =>
          resolve(
            fails ? { outcome: 'failed', detail: 'exit 1' } : { outcome: 'off', detail: 'off' },
          ),
        )
      })
    }
  }
}

function drawRate(random: Random, extreme: boolean): number {
  if (extreme) return random.chance(0.5) ? 1 - RATE_ERROR : 1 + RATE_ERROR
  return random.between(1 - RATE_ERROR, 1 + RATE_ERROR)
}

/** Formed, joined, powered on, with its groups: before anything strikes. */
export function formCluster({ plan, kernel, operator, hosts }: Scene): void {
  const [first] = hosts
  if (!first) throw new Error('a cluster of no hosts')
  const { profile } = plan
  operator.ask({ type: 'formCluster', clusterId: first.clusterId, name: 'prod', profile }, () => {
    operator.fencing = plan.world.fencing
    if (plan.world.fencing === 'fence') operator.ask({ type: 'setTakeover', takeover: 'fence' })
    for (const host of hosts) operator.join(host, () => host.powerOn())
  })
  kernel.at(700, null, () => {
    for (const group of plan.groups) operator.add(group)
  })
}
