/** An idle cluster is quiet: nothing but pings, confirms and checks of health. */
import { PROFILES } from '../../schema/timing.ts'
import type { Scene } from '../world/scene.ts'
import type { Mirror } from './mirror.ts'

/** Long enough for every timer of daily life to come round. */
const LOOK_MS = 20_000

export interface Idle {
  readonly seq: number
  readonly turns: number
  readonly logged: number
}

export const idleFromMs = (endMs: number) => endMs - LOOK_MS

export function idleNow(scene: Scene, mirror: Mirror): Idle {
  const { kernel, platform } = scene
  const row = platform.disk.db.prepare('select max(id) as id from log').get() as { id: number }
  return { seq: mirror.seq, turns: kernel.turns, logged: row.id ?? 0 }
}

export function checkQuiet(scene: Scene, before: Idle, after: Idle): string[] {
  const problems: string[] = []
  if (after.seq !== before.seq)
    problems.push(`NOT QUIET: ${after.seq - before.seq} updates of an idle cluster`)
  if (after.logged !== before.logged)
    problems.push(`NOT QUIET: ${after.logged - before.logged} log lines of an idle cluster`)
  const t = PROFILES[scene.plan.profile]
  const resources = [...scene.operator.groups.values()].flatMap((g) => g.resources).length
  // A ping is some turns of its own; a check of health is some more.
  const most =
    (LOOK_MS / t.pingMs) *
      (12 + (scene.plan.world.peers ? 8 * scene.hosts.length : 0)) *
      scene.hosts.length +
    (LOOK_MS / t.ttlAuthorityMs) * 60 * scene.hosts.length +
    (LOOK_MS / 1_000) * 12 * (resources + scene.hosts.length) +
    200
  const turns = after.turns - before.turns
  if (turns > most) problems.push(`NOT QUIET: ${turns} turns of an idle cluster, ${most} at most`)
  return problems
}
