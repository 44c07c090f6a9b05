/** The cluster of a plan, and how it comes to be. */
import { PROFILES } from '../../schema/timing.ts'
import type { Code } from './code.ts'
import { SimHost } from './host.ts'
import type { HostFaults } from './host-faults.ts'
import { Kernel } from './kernel.ts'
import { Operator } from './operator.ts'
import type { Plan } from './plan.ts'
import { Platform } from './platform.ts'
import type { Random } from './random.ts'
import type { Scene } from './scene.ts'
import { Witness } from './witness.ts'

/** ρ of the rules: no clock is off by more (A1). */
const RATE_ERROR = 0.01

export interface MakeScene {
  readonly scene: Scene
  /** From now on the surroundings are as good as they get. */
  calm(): void
}

export function makeScene(plan: Plan, code: Code): MakeScene {
  const kernel = new Kernel(plan.seed)
  const { random } = kernel
  const { world } = plan
  let calm = false
  const chance = (probability: number) => !calm && random.chance(probability)
  const upTo = (most: number) => random.between(0.1, Math.max(most, 0.2))
  const clockRate = () => drawRate(random, world.extremeClocks)
  const platform = new Platform(kernel, code.Cluster, {
    alarmLateMs: () => (chance(world.alarmLate) ? upTo(world.alarmLateMaxMs) : upTo(5)),
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
    managerLateMs: () => upTo(calm ? 20 : world.managerLateMaxMs),
  }
  const delayMs = () => upTo(world.delayMaxMs)
  const hosts = Array.from(
    { length: plan.nodes },
    (_, n) =>
      new SimHost(
        { kernel, code, platform, witness },
        {
          name: `n${n + 1}`,
          clusterId,
          weather: { up: true, down: true, loss: world.loss, delayMs },
          faults,
        },
      ),
  )
  return {
    scene: { plan, kernel, platform, hosts, witness, operator },
    calm: () => {
      calm = true
    },
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
    for (const host of hosts) operator.join(host, () => host.powerOn())
  })
  kernel.at(700, null, () => {
    for (const group of plan.groups) operator.add(group)
  })
}
