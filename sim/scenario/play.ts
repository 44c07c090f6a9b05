/** Plays a scenario: production code of control plane and nodes, virtual time. */
import type { Code } from '../world/code.ts'
import { happen } from './happen.ts'
import { type Outcome, outcomeOf } from './outcome.ts'
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
  const stage = await setStage(scenario, code)
  const { recorder, mirror } = stage
  const { kernel, witness } = stage.scene
  const refused = new Map<number, string>()
  const beginMs = kernel.nowMs
  let atMs = stage.startMs
  const eventsMs = scenario.events.map((event, n) => {
    atMs += event.afterSeconds * 1_000
    const whenMs = Math.max(atMs, beginMs)
    kernel.at(whenMs, null, () => {
      const { type, afterSeconds: _, ...rest } = event
      recorder.say(
        `EVENT ${n} ${type} ${Object.entries(rest)
          .map(([k, v]) => `${k}=${v}`)
          .join(' ')}`,
      )
      happen(stage, event, (why) => {
        refused.set(n, why)
        recorder.say(`EVENT ${n} refused: ${why}`)
      })
    })
    return whenMs
  })
  const endMs = Math.max(atMs, beginMs) + scenario.settleSeconds * 1_000
  const violations: string[] = []
  for (let ms = kernel.nowMs; ms < endMs && violations.length === 0; ) {
    ms = Math.min(ms + 10_000, endMs)
    await kernel.runUntil(ms)
    if (recorder.moves.length > MOVES_MAX)
      violations.push(`it does not settle: ${recorder.moves.length} moves so far`)
  }
  violations.push(
    ...witness.overlaps.map(
      (o) => `overlap of ${o.group} after ${seconds(o.atMs)} s on ${o.hosts.join(' and ')}`,
    ),
    ...witness.doubles,
    ...mirror.problems,
    ...kernel.faults.map(
      (f) => `thrown by ${f.actor} after ${seconds(f.atMs)} s: ${String(f.error)}`,
    ),
  )
  const outcome = outcomeOf(scenario, { stage, refused, eventsMs, violations })
  const transcript = recorder.lines
    .filter((line) => line.atMs >= stage.startMs)
    .map((line) => `${seconds(line.atMs).padStart(10)} s  ${line.text}`)
  return { outcome, transcript }

  function seconds(ms: number): string {
    return ((ms - stage.startMs) / 1_000).toFixed(3)
  }
}
