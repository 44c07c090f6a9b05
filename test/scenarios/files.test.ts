/** Scenario files (docs/scenarios.md): production code of control plane and nodes in virtual time. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseScenario } from '../../sim/scenario/parse.ts'
import { playScenario } from '../../sim/scenario/play.ts'
import { type Code, loadCode } from '../../sim/world/code.ts'
import { begin } from '../../sim/world/quiet.ts'

const FOLDER = join(import.meta.dirname, 'files')

let code: Code
let end: () => void
beforeAll(async () => {
  code = await loadCode()
  end = begin()
}, 60_000)
afterAll(() => end())

it.each(readdirSync(FOLDER).sort())('%s', async (file) => {
  const scenario = parseScenario(readFileSync(join(FOLDER, file), 'utf8'), file)
  expect(`${scenario.id}.yaml`).toBe(file)
  expect(scenario.why, 'why this case matters').toMatch(/\.$/)
  const { outcome, transcript } = await playScenario(scenario, code)
  expect(outcome, transcript.join('\n')).toMatchObject({ ok: true, unmet: [], violations: [] })
})
