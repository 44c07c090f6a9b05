/** Makes a history that fails as short as it gets while it goes on failing in the same way. */
import type { Code } from '../../sim/world/code.ts'
import type { WorldPlan } from '../../sim/world/setting.ts'
import { playHistory } from './history.ts'
import { formedMs, type Plan } from './plan.ts'

/** Histories played for it, at most. */
const PLAYS_MAX = 250

export interface Shrunk {
  readonly plan: Plan
  readonly problems: readonly string[]
  readonly plays: number
}

/** What went wrong, without where and when: the same way of failing. */
const kindOf = (problems: readonly string[]) => /^[A-Z ]+/.exec(problems[0] ?? '')?.[0] ?? ''

export async function shrink(plan: Plan, problems: readonly string[], code: Code): Promise<Shrunk> {
  const kind = kindOf(problems)
  let best: Shrunk = { plan, problems, plays: 0 }
  let plays = 0
  const tries = async (smaller: Plan): Promise<boolean> => {
    if (plays >= PLAYS_MAX) return false
    plays += 1
    const result = await playHistory(smaller, code, { stopAtFirst: true })
    if (kindOf(result.problems) !== kind) return false
    best = { plan: smaller, problems: result.problems, plays }
    return true
  }
  // Most histories fail long before their end.
  await tries(endAfter(plan, 0.3))
  for (let before = -1; before !== sizeOf(best.plan) && plays < PLAYS_MAX; ) {
    before = sizeOf(best.plan)
    await fewer(best.plan, tries, () => best.plan)
    await tries(endAfterLast(best.plan))
    for (let n = best.plan.groups.length - 1; n >= 0 && best.plan.groups.length > 1; n -= 1)
      await tries({ ...best.plan, groups: best.plan.groups.filter((_, at) => at !== n) })
    for (const nodes of [1, 2, 3, Math.floor(best.plan.nodes / 2)])
      if (nodes > 0 && nodes < best.plan.nodes) await tries({ ...best.plan, nodes })
    for (const world of calmer(best.plan.world)) await tries({ ...best.plan, world })
  }
  return { ...best, plays }
}

const sizeOf = (plan: Plan) =>
  plan.strikes.length + plan.asks.length + plan.groups.length + plan.nodes

/** Leaves out halves, quarters, eighths … of what happens, down to single moments. */
async function fewer(
  from: Plan,
  tries: (plan: Plan) => Promise<boolean>,
  best: () => Plan,
): Promise<void> {
  const count = (plan: Plan) => plan.strikes.length + plan.asks.length
  for (let size = Math.ceil(count(from) / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < count(best()); ) {
      const plan = best()
      const smaller = without(plan, at, size)
      if (!(await tries(smaller))) at += size
    }
  }
}

function without(plan: Plan, at: number, size: number): Plan {
  const gone = (n: number) => n >= at && n < at + size
  const strikes = plan.strikes.filter((_, n) => !gone(n))
  const asks = plan.asks.filter((_, n) => !gone(n + plan.strikes.length))
  return { ...plan, strikes, asks }
}

function endAfter(plan: Plan, part: number): Plan {
  const startMs = formedMs(plan.profile)
  const endMs = Math.round(startMs + (plan.endMs - startMs) * part)
  return cutAt(plan, endMs)
}

function endAfterLast(plan: Plan): Plan {
  const last = Math.max(0, ...[...plan.strikes, ...plan.asks].map((m) => m.atMs))
  return cutAt(plan, Math.max(formedMs(plan.profile), last) + 1)
}

const cutAt = (plan: Plan, endMs: number): Plan => ({
  ...plan,
  endMs,
  strikes: plan.strikes.filter((s) => s.atMs < endMs),
  asks: plan.asks.filter((a) => a.atMs < endMs),
})

/** One thing less that is bad about the surroundings. */
function calmer(world: WorldPlan): WorldPlan[] {
  const calm: Partial<WorldPlan>[] = [
    { loss: 0 },
    { flaky: 0 },
    { hangs: 0 },
    { lies: 0 },
    { extremeClocks: false },
    { alarmLateMaxMs: 5 },
    { onlineMaxMs: 5, offlineMaxMs: 5 },
    { managerLateMaxMs: 5 },
  ]
  return calm
    .filter((change) => Object.entries(change).some(([k, v]) => world[k as keyof WorldPlan] !== v))
    .map((change) => ({ ...world, ...change }))
}
