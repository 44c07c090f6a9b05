/** The simulation on every change: a few histories, and proof that they bite. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Code, loadCode } from './code.ts'
import { playHistory } from './history.ts'
import { MUTANTS } from './mutants/index.ts'
import { drawPlan } from './plan.ts'
import { begin } from './quiet.ts'

const SEEDS = 12
let code: Code
let end: () => void
beforeAll(async () => {
  code = await loadCode()
  end = begin()
})
afterAll(() => end())

test(`never on two, nothing lost, always back: ${SEEDS} histories of faults`, async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { problems, starts } = await playHistory(drawPlan(seed), code)
    expect(problems, `npm run sim -- --seed ${seed}`).toEqual([])
    // Something has run at all.
    expect(starts).toBeGreaterThan(0)
  }
})

test('one seed gives one history', async () => {
  const [first, second] = [
    await playHistory(drawPlan(5), code),
    await playHistory(drawPlan(5), code),
  ]
  expect(second).toEqual(first)
})

test.each(['D3', 'L3', 'L4', 'O2'])('with rule %s switched off it is noticed', async (rule) => {
  const mutant = MUTANTS.find((m) => m.rule === rule)
  const broken = await loadCode(mutant?.edits)
  for (let seed = 1; ; seed += 1) {
    const { problems } = await playHistory(drawPlan(seed), broken)
    if (problems.length > 0) break
    expect(seed).toBeLessThan(30)
  }
})
