/** One history: a cluster, an operator, everything that strikes them, and then rest. */

import { checkCalls } from '../../sim/check/calls.ts'
import { Mirror } from '../../sim/check/mirror.ts'
import { checkQuiet, type Idle, idleFromMs, idleNow } from '../../sim/check/quiet.ts'
import { checkReplay } from '../../sim/check/replay.ts'
import { checkReplica, checkReplicaAtRest } from '../../sim/check/replicas.ts'
import { checkRest } from '../../sim/check/rest.ts'
import type { Code } from '../../sim/world/code.ts'
import { formCluster, type MakeScene, makeScene } from '../../sim/world/make-scene.ts'
import { Random } from '../../sim/world/random.ts'
import type { Scene } from '../../sim/world/scene.ts'
import { carryOutAsk } from './asks.ts'
import type { Plan } from './plan.ts'
import { carryOut, type StrikeKind } from './strikes/index.ts'

export interface HistoryResult {
  readonly seed: number
  readonly problems: readonly string[]
  /** How often each kind of fault struck. */
  readonly struck: Readonly<Partial<Record<StrikeKind, number>>>
  /** Turns of all actors: what happened. */
  readonly events: number
  readonly starts: number
  readonly asked: number
  readonly simulatedMs: number
  /** What hosts that had stood still did (A5); never part of the problems. */
  readonly freezes: {
    readonly overlaps: number
    readonly resumeOverlapMs: readonly number[]
    /** Writes with an older epoch than that of a newer owner: a store that knows epochs refuses them. */
    readonly refusedWrites: number
  }
}

export interface PlayOptions {
  readonly watch?: (scene: Scene) => void
  /** The first thing that is wrong is enough. */
  readonly stopAtFirst?: boolean
}

/** Replicas are looked at so often in a storm, and in daily life. */
const LOOK_MS = 900
const LOOK_IN_LIFE_MS = 60_000
const STORM_MS = 300_000
const LAST_CALLS_MS = 1_000

/** @param watch told of the scene before anything happens in it */
export async function playHistory(
  plan: Plan,
  code: Code,
  { watch = () => {}, stopAtFirst = false }: PlayOptions = {},
): Promise<HistoryResult> {
  const made = makeScene(plan, code)
  const { scene } = made
  const { kernel, witness, operator, platform } = scene
  const mirror = new Mirror(kernel, platform.disk, witness)
  const problems: string[] = []
  const struck: Partial<Record<StrikeKind, number>> = {}
  watch(scene)
  if (stopAtFirst) stopEarly(kernel, () => witness.broken || mirror.problems.length > 0)
  formCluster(scene)
  operator.overNow = () =>
    [...mirror.nodes.values()].flatMap(({ id, bootId: boot }) => {
      const host = scene.hosts.find((h) => h.nodeId === id)
      return host && boot !== null && (!host.on || host.boot !== boot) ? [{ nodeId: id, boot }] : []
    })
  strike(scene, plan, struck)
  watchReplicas(scene, mirror, problems)
  kernel.at(plan.endMs, null, () => mend(made))
  const restEndMs = plan.endMs + plan.restMs
  let before: Idle | null = null
  kernel.at(idleFromMs(restEndMs), null, () => {
    before = idleNow(scene, mirror)
  })
  try {
    await kernel.runUntil(restEndMs)
    if (!kernel.stopped) problems.push(...atRest(scene, mirror, code, before))
  } catch (error) {
    problems.push(String(error))
  }
  problems.push(...checkCalls(operator.calls, mirror))
  // A5 is assumed away, but not where nobody takes over without a confirmed fence.
  const fenced =
    plan.world.fencing === 'fence' && !plan.asks.some((a) => a.kind === 'takeoverLease')
  if (fenced)
    problems.push(...witness.excused.map((o) => `OVERLAP under policy fence of ${o.group}`))
  // What was broken first, first.
  const broken = [
    ...witness.overlaps.map(
      (o) =>
        `OVERLAP of ${o.group.slice(0, 8)} at ${Math.round(o.atMs)} ms on ${o.hosts.join(' and ')}`,
    ),
    ...mirror.problems,
    ...witness.doubles,
    ...kernel.faults.map(thrown),
    ...problems,
  ]
  return {
    seed: plan.seed,
    problems: broken,
    struck,
    events: kernel.turns,
    starts: witness.starts,
    asked: operator.calls.length,
    simulatedMs: kernel.nowMs,
    freezes: {
      overlaps: witness.excused.length,
      resumeOverlapMs: witness.resumeOverlapMs,
      refusedWrites: witness.refusedWrites,
    },
  }
}

function atRest(scene: Scene, mirror: Mirror, code: Code, before: Idle | null): string[] {
  return [
    ...checkRest(scene, mirror),
    ...(before ? checkQuiet(scene, before, idleNow(scene, mirror)) : []),
    ...scene.hosts.flatMap((host) => checkReplicaAtRest(host, mirror)),
    ...checkReplay(scene.platform.disk, code.step),
  ]
}

const ENOUGH_MS = 50

function stopEarly(kernel: Scene['kernel'], broken: () => boolean): void {
  const look = () => {
    if (broken()) kernel.stopped = true
    else kernel.at(kernel.nowMs + ENOUGH_MS, null, look)
  }
  look()
}

const thrown = (fault: { atMs: number; actor: string; error: unknown }) =>
  `THROWN at ${Math.round(fault.atMs)} ms by ${fault.actor}: ${String(fault.error)}`

function strike(scene: Scene, plan: Plan, struck: Partial<Record<StrikeKind, number>>): void {
  const { kernel, hosts, operator } = scene
  for (const { atMs, kind, host, seed } of plan.strikes)
    kernel.at(atMs, null, () => {
      struck[kind] = (struck[kind] ?? 0) + 1
      const hit = hosts[host % hosts.length]
      if (hit) carryOut(kind, { scene, host: hit, random: new Random(seed) })
    })
  for (const { atMs, kind, seed } of plan.asks)
    kernel.at(atMs, null, () => carryOutAsk(kind, operator, new Random(seed)))
}

function watchReplicas(scene: Scene, mirror: Mirror, problems: string[]): void {
  const { kernel, plan, hosts } = scene
  const look = () => {
    for (const host of hosts) problems.push(...checkReplica(host, mirror).slice(0, 1))
    if (problems.length < 10 && kernel.nowMs < plan.endMs)
      kernel.at(kernel.nowMs + (kernel.nowMs < STORM_MS ? LOOK_MS : LOOK_IN_LIFE_MS), null, look)
  }
  look()
}

/** Everything is as it should be again: from here on the cluster has to come to rest. */
function mend({ scene, calm }: MakeScene): void {
  calm()
  for (const host of scene.hosts) host.mend()
  scene.platform.mend()
  // Whatever was asked for just before has been carried out by then.
  scene.kernel.at(scene.kernel.nowMs + LAST_CALLS_MS, null, () =>
    scene.operator.tidyUp(scene.hosts),
  )
}
