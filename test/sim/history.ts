/** One history: a cluster, an operator, a swarm of faults, and then rest. One seed gives one. */
import { check } from './checks.ts'
import type { Code } from './code.ts'
import { SimHost } from './host.ts'
import { Kernel } from './kernel.ts'
import { Operator } from './operator.ts'
import { Platform } from './platform.ts'
import { drawSwarm, mend, unleash } from './swarm.ts'
import { Witness } from './witness.ts'

export interface HistoryResult {
  readonly seed: number
  readonly problems: readonly string[]
  readonly struck: readonly string[]
  readonly turns: number
  readonly starts: number
  readonly asked: number
  /** True milliseconds that were simulated. */
  readonly simulatedMs: number
}

/** ρ of the rules: no clock is off by more (A1). */
const RATE_ERROR = 0.0099

const FAULTS_MS = 30_000
/** Profile `test`: W(TTL_A) is 6.3 s, and a session takes some tries. */
const REST_MS = 45_000
const FORMED_MS = 2_500

/** @param look at everything, once it has come to rest */
export async function playHistory(
  seed: number,
  code: Code,
  look: (end: { platform: Platform; hosts: readonly SimHost[] }) => void = () => {},
): Promise<HistoryResult> {
  const kernel = new Kernel(seed)
  const { random } = kernel
  const swarm = drawSwarm(random)
  const slow = random.chance(0.3)
  const platform = new Platform(kernel, code.Cluster, {
    alarmLateMs: () =>
      slow && random.chance(0.2) ? random.between(0, 5_000) : random.between(0, 20),
    syncMs: () => random.between(0.5, slow ? 40 : 5),
    clockRate: () => random.between(1 - RATE_ERROR, 1 + RATE_ERROR),
  })
  const witness = new Witness(kernel)
  const operator = new Operator(kernel, platform)
  const clusterId = random.uuid()
  const flaky = random.chance(0.3) ? random.between(0, 0.3) : 0
  const faults = {
    clockRate: () => random.between(1 - RATE_ERROR, 1 + RATE_ERROR),
    wallOffsetMs: () => random.between(-1e6, 1e6),
    killMs: () => random.between(0.5, 60),
    onlineMs: () => random.between(1, slow ? 400 : 20),
    offlineMs: () => random.between(1, slow ? 300 : 20),
    failsOnline: () => random.chance(flaky),
    hangs: () => false,
    lie: () => null,
  }
  const delayMax = random.between(1, 40)
  const weather = () => ({ up: true, down: true, delayMs: () => random.between(0.1, delayMax) })
  const names = Array.from({ length: 2 + random.integer(4) }, (_, n) => `n${n + 1}`)
  const hosts = names.map(
    (name) =>
      new SimHost(
        { kernel, code, platform, witness },
        { name, clusterId, weather: weather(), faults },
      ),
  )
  form(kernel, operator, hosts, clusterId)
  const groups = Array.from({ length: 1 + random.integer(4) }, () => random.uuid())
  const resources = addGroups(kernel, operator, groups)
  await kernel.runUntil(FORMED_MS)
  const scene = { kernel, platform, hosts }
  const endMs = FORMED_MS + FAULTS_MS
  const struck = unleash(swarm, scene, endMs)
  if (random.chance(0.8))
    operator.meddle(random.between(200, 4_000), endMs, {
      groups,
      resources,
      nodes: hosts.map((h) => h.nodeId),
    })
  await kernel.runUntil(endMs)
  mend(scene)
  await kernel.runUntil(endMs + REST_MS)
  look({ platform, hosts })
  const problems = check({ platform, hosts, witness, operator }, true)
  for (const fault of kernel.faults)
    problems.push(
      `THROWN at ${Math.round(fault.atMs)} ms by ${fault.actor}: ${String(fault.error)}`,
    )
  return {
    seed,
    problems,
    struck,
    turns: kernel.turns,
    starts: witness.starts,
    asked: operator.asked,
    simulatedMs: kernel.nowMs,
  }
}

function form(
  kernel: Kernel,
  operator: Operator,
  hosts: readonly SimHost[],
  clusterId: string,
): void {
  kernel.at(0, null, () =>
    operator.ask({ type: 'formCluster', clusterId, name: 'prod', profile: 'test' }),
  )
  hosts.forEach((host, n) => {
    kernel.at(20 + n, null, () => {
      const { nodeId, name, publicKey } = host
      operator.ask({ type: 'joinNode', nodeId, name, publicKey })
    })
    kernel.at(100, null, () => host.powerOn())
  })
}

function addGroups(kernel: Kernel, operator: Operator, groups: readonly string[]): string[] {
  const resources: string[] = []
  groups.forEach((groupId, n) => {
    const settings = { failoverThreshold: 1_000 }
    kernel.at(1_000 + n, null, () =>
      operator.ask({ type: 'createGroup', groupId, name: `g${n}`, settings }),
    )
    const resourceId = kernel.random.uuid()
    resources.push(resourceId)
    operator.wanted.set(resourceId, { state: 1 })
    kernel.at(1_100 + n, null, () =>
      operator.ask({
        type: 'createResource',
        resourceId,
        groupId,
        name: `r${n}`,
        resourceType: 'process',
        persistentState: 1,
        settings: {
          properties: { command: '/bin/workload' },
          restart: { attempts: 3, periodMs: 5_000, delayMs: 0, retryAfterMs: 1_000 },
          poll: { isAliveMs: 1_000 },
        },
      }),
    )
  })
  return resources
}
