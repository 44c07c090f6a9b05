/** The simulation on every change: kept histories, one seed for one history, and proof that it bites. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Code, loadCode } from '../../sim/world/code.ts'
import { edited } from '../../sim/world/production.ts'
import { begin } from '../../sim/world/quiet.ts'
import { ROOT } from '../tidy/tracked-files.ts'
import { playHistory } from './history.ts'
import { MUTANTS } from './mutants/index.ts'
import { drawPlan } from './plan.ts'
import { BadHistory, parsePlan, planText } from './plan-text.ts'

const HISTORIES = join(ROOT, 'test/sim/histories')
const kept = readdirSync(HISTORIES).filter((name) => name.endsWith('.history'))

let code: Code
let end: () => void
beforeAll(async () => {
  code = await loadCode()
  end = begin()
})
afterAll(() => end())

test.each(kept)('%s, which once failed', async (name) => {
  const plan = parsePlan(readFileSync(join(HISTORIES, name), 'utf8'), name)
  expect((await playHistory(plan, code)).problems).toEqual([])
})

test('one seed gives one history, and its text gives the same one', async () => {
  const plan = drawPlan(7, { only: 'storm' })
  const first = await playHistory(plan, code)
  expect(first.problems).toEqual([])
  expect(first.starts).toBeGreaterThan(0)
  expect(await playHistory(drawPlan(7, { only: 'storm' }), code)).toEqual(first)
  expect(await playHistory(parsePlan(planText(plan), 'seed-7'), code)).toEqual(first)
})

test('A5: hosts that stood still are counted apart, and what they write is refused', async () => {
  const name = 'hosts-that-stood-still.history'
  const plan = parsePlan(readFileSync(join(HISTORIES, name), 'utf8'), name)
  const { problems, freezes } = await playHistory(plan, code)
  expect(problems).toEqual([])
  expect(freezes.overlaps).toBeGreaterThan(0)
  expect(freezes.resumeOverlapMs.length).toBeGreaterThan(0)
  expect(freezes.refusedWrites).toBeGreaterThan(0)
  // The same under policy `fence`: what is taken over was off before.
  const fenced = { ...plan, world: { ...plan.world, fencing: 'fence' as const } }
  expect(await playHistory(fenced, code)).toMatchObject({
    problems: [],
    freezes: { overlaps: 0, resumeOverlapMs: [], refusedWrites: 0 },
  })
})

test('every rule is switched off where it stands in the code of today', () => {
  for (const { edits } of MUTANTS)
    for (const edit of edits)
      expect(() => edited(readFileSync(join(ROOT, edit.file), 'utf8'), edit)).not.toThrow()
})

test.each(['D3', 'L4', 'C5', 'G5'])(
  'with rule %s switched off it is noticed',
  { timeout: 180_000 },
  async (rule) => {
    const mutant = MUTANTS.find((m) => m.rule === rule)
    const broken = await loadCode(mutant?.edits)
    for (let seed = 1; ; seed += 1) {
      const plan = drawPlan(seed, { only: 'storm' })
      const { problems } = await playHistory(plan, broken, { stopAtFirst: true })
      if (problems.length > 0) break
      expect(seed).toBeLessThan(60)
    }
  },
)

test.each([
  ['seed 1\nprofle test\n', 'kept.history:2: there is no directive "profle"'],
  ['seed x\n', 'kept.history:1: "x" is not a number of 0 or more'],
  ['profile slow\n', 'kept.history:1: there is no profile "slow"'],
  ['# why\n\nat 10 killGard n1 seed 1\n', 'kept.history:3: there is no fault "killGard"'],
  ['at 10 killGuard x seed 1\n', 'kept.history:1: at TIME FAULT nHOST seed NUMBER'],
  ['at 10 ask sing seed 1\n', 'kept.history:1: an operator does not ask for "sing"'],
  ['world loss=0\n', 'kept.history:1: the world does not say its delayMaxMs'],
  ['seed 1\n', 'kept.history:2: the history does not say its profile'],
])('a history that cannot be played says which line is wrong: %j', (text, says) => {
  expect(() => parsePlan(text, 'kept.history')).toThrow(BadHistory)
  expect(() => parsePlan(text, 'kept.history')).toThrow(says)
})
