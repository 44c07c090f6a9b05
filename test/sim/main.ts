/**
 * `npm run sim`: whole clusters under virtual time, production code against a hostile world.
 *
 *   npm run sim -- [--seeds 200] [--first 1] [--json]
 *   npm run sim -- --seed N                 one history, with what was struck
 *   npm run sim -- --mutants [--json]       rules switched off: is each of them missed?
 */
import { parseArgs } from 'node:util'
import { loadCode } from './code.ts'
import { playHistory } from './history.ts'
import { MUTANTS } from './mutants.ts'
import { begin } from './quiet.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const say = (line: string) => process.stdout.write(`${line}\n`)

process.exitCode = values.mutants ? await playMutants() : await playSeeds()
process.exit()

async function playSeeds(): Promise<number> {
  const first = Number(values.seed ?? values.first)
  const count = values.seed === undefined ? Number(values.seeds ?? 200) : 1
  const code = await loadCode()
  const end = begin()
  const begun = process.hrtime.bigint()
  const failed: number[] = []
  const sum = { turns: 0, simulatedMs: 0 }
  for (let seed = first; seed < first + count; seed += 1) {
    const result = await playHistory(seed, code)
    sum.turns += result.turns
    sum.simulatedMs += result.simulatedMs
    if (values.seed !== undefined) for (const line of result.struck) say(`  ${line}`)
    if (result.problems.length === 0) continue
    failed.push(seed)
    for (const problem of result.problems.slice(0, 5)) say(`seed ${seed}: ${problem}`)
  }
  end()
  const tookMs = Math.round(Number(process.hrtime.bigint() - begun) / 1e6)
  const simulatedMs = Math.round(sum.simulatedMs)
  say(
    values.json
      ? JSON.stringify({ seeds: count, failed, turns: sum.turns, simulatedMs, tookMs })
      : `${count} histories, ${failed.length} failed: ${Math.round(simulatedMs / 1000)} s of a cluster's life in ${Math.round(tookMs / 1000)} s`,
  )
  return failed.length > 0 ? 1 : 0
}

async function playMutants(): Promise<number> {
  const seeds = Number(values.seeds ?? 40)
  const codes = []
  for (const mutant of MUTANTS) codes.push({ mutant, code: await loadCode(mutant) })
  const end = begin()
  const survived: string[] = []
  for (const { mutant, code } of codes) {
    let found = 0
    let by = ''
    for (let seed = 1; seed <= seeds && found === 0; seed += 1) {
      const { problems } = await playHistory(seed, code)
      if (problems.length > 0) [found, by] = [seed, problems[0] ?? '']
    }
    const name = `${mutant.rule}: ${mutant.breaks}`
    if (found === 0) survived.push(name)
    say(found === 0 ? `SURVIVED  ${name}` : `found within ${found}  ${name}  (${by})`)
  }
  end()
  const summary = { mutants: codes.length, found: codes.length - survived.length, survived }
  say(values.json ? JSON.stringify(summary) : `${summary.found} of ${summary.mutants} found`)
  return 0
}
