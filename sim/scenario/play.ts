/** Plays a scenario: production code of control plane and nodes, virtual time. */
import { Mirror } from '../check/mirror.ts'
import type { Code } from '../world/code.ts'
import type { Scene } from '../world/scene.ts'
import { happen } from './happen.ts'
import { type Outcome, outcomeOf } from './outcome.ts'
import { Record } from './record.ts'
import type { Scenario } from './schema.ts'
import { setStage } from './stage.ts'

export interface PlayedScenario {
  readonly outcome: Outcome
  /** What happened, in order, with the seconds since its beginning. */
  readonly transcript: readonly string[]
}

/** More moves than this, and it will not settle. */
const MOVES_MAX = 2_000

/** @throws {Error} it contradicts itself before anything happens in it */
export async function playScenario(scenario: Scenario, code: Code): Promise<PlayedScenario> {
  let record: Record | null = null
  let mirror: Mirror | null = null
  const stage = await setStage(scenario, code, (scene: Scene) => {
    mirror = new Mirror(scene.kernel, scene.platform.disk, scene.witness)
    record = new Record(scene)
  })
  const made = { record: record as unknown as Record, mirror: mirror as unknown as Mirror }
  const { kernel, witness } = stage.scene
  const refused = new Map<number, string>()
  const beginMs = kernel.nowMs
  let atMs = stage.startMs
  const eventsMs = scenario.events.map((event, n) => {
    atMs += event.afterSeconds * 1_000
    const whenMs = Math.max(atMs, beginMs)
    kernel.at(whenMs, null, () => {
      const { type, afterSeconds: _, ...rest } = event
      made.record.say(
        `EVENT ${n} ${type} ${Object.entries(rest)
          .map(([k, v]) => `${k}=${v}`)
          .join(' ')}`,
      )
      happen(stage, event, (why) => {
        refused.set(n, why)
        made.record.say(`EVENT ${n} refused: ${why}`)
      })
    })
    return whenMs
  })
  const endMs = Math.max(atMs, beginMs) + scenario.settleSeconds * 1_000
  const violations: string[] = []
  for (let ms = kernel.nowMs; ms < endMs && violations.length === 0; ) {
    ms = Math.min(ms + 10_000, endMs)
    await kernel.runUntil(ms)
    if (made.record.moves.length > MOVES_MAX)
      violations.push(`it does not settle: ${made.record.moves.length} moves so far`)
  }
  violations.push(
    ...witness.overlaps.map(
      (o) => `overlap of ${o.group} after ${seconds(o.atMs)} s on ${o.hosts.join(' and ')}`,
    ),
    ...witness.doubles,
    ...made.mirror.problems,
    ...kernel.faults.map(
      (f) => `thrown by ${f.actor} after ${seconds(f.atMs)} s: ${String(f.error)}`,
    ),
  )
  const outcome = outcomeOf(scenario, { stage, record: made.record, refused, eventsMs, violations })
  const transcript = made.record.lines
    .filter((line) => line.atMs >= stage.startMs)
    .map((line) => `${seconds(line.atMs).padStart(10)} s  ${line.text}`)
  return { outcome, transcript }

  function seconds(ms: number): string {
    return ((ms - stage.startMs) / 1_000).toFixed(3)
  }
}
