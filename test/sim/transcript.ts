/** What happened in a history, in words: faults, updates, starts and ends, the cluster log. */

import { emptyHive } from '../../schema/hive.ts'
import { applyUpdate } from '../../schema/update.ts'
import { follow } from '../../sim/world/follow.ts'
import type { Scene } from '../../sim/world/scene.ts'
import { explain } from '../../worker/core/explain.ts'
import type { Plan } from './plan.ts'

interface Line {
  readonly atMs: number
  readonly text: string
}

/** Watches a scene from its beginning. @returns the lines so far, in their order */
export function transcribe(scene: Scene, plan: Plan): () => string[] {
  const { kernel, platform, witness } = scene
  const lines: Line[] = []
  const say = (text: string) => lines.push({ atMs: kernel.nowMs, text })
  for (const { atMs, kind, host } of plan.strikes)
    lines.push({ atMs, text: `FAULT ${kind} n${(host % plan.nodes) + 1}` })
  for (const { atMs, kind } of plan.asks) lines.push({ atMs, text: `ASK   ${kind}` })
  kernel.complained = (actor, text) => say(`${actor.name}: ${text}`)
  const hive = emptyHive()
  follow(platform.disk, {
    update(update) {
      say(`${update.seq}  ${explain(update, hive).message}`)
      applyUpdate(hive, update)
    },
    line: ({ component, node, message }) => say(`        [${component}] ${node}: ${message}`),
  })
  const { onStart } = witness
  witness.onStart = (running) => {
    onStart(running)
    say(`RUN   ${running.resourceId.slice(0, 8)} on ${running.host}, epoch ${running.epoch}`)
  }
  witness.onEnd = (running) => say(`ENDED ${running.resourceId.slice(0, 8)} on ${running.host}`)
  return () =>
    lines
      .sort((a, b) => a.atMs - b.atMs)
      .map(({ atMs, text }) => `${(atMs / 1_000).toFixed(3).padStart(10)} s  ${text}`)
}
