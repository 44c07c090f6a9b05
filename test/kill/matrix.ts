/**
 * `npm run test:kill`: kill -9 of every process, alone and in every pair, while something is under
 * way. The witness judges: never on two; the API's own answers too: nothing acknowledged is lost.
 *
 *   npm run test:kill -- [--json] [--rounds 20] [--seed 1] [--only workerd,agent+rhs]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Demo } from '../../demo/cluster.ts'
import { BYSTANDER, OPERATIONS, SUBJECT } from './operations.ts'
import { Promises } from './promises.ts'
import { playRound, VICTIMS, type Victim } from './round.ts'

interface CaseResult {
  readonly name: string
  readonly took: number[]
  readonly problems: string[]
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const random = seeded(Number(values.seed))
const say = (line: string) => process.stderr.write(`${line}\n`)

const pairs = VICTIMS.flatMap((a, i) => VICTIMS.slice(i + 1).map((b): Victim[] => [a, b]))
const cases: Victim[][] = [...VICTIMS.map((v) => [v]), ...pairs]
const only = values.only?.split(',')
const chosen = cases.filter((c) => !only || only.includes(c.join('+')))

const folder = mkdtempSync(join(tmpdir(), 'holdfast-kill-'))
const demo = await Demo.start({ folder, port: 0, profile: 'standard', vm: false })
const promises = new Promises(demo)
const results: CaseResult[] = []
try {
  await demo.allUp()
  for (const name of [SUBJECT, BYSTANDER]) {
    await demo.addGroup(name, { failoverThreshold: 1_000, failoverPeriodMs: 1 })
    await demo.addWitness(name, name, { attempts: 1_000, periodMs: 1, delayMs: 0 })
    await promises.want(name, 1)
    await demo.online(name)
  }
  let turn = 0
  for (const victims of chosen) {
    const result: CaseResult = { name: victims.join('+'), took: [], problems: [] }
    results.push(result)
    for (let n = 0; n < rounds; n += 1) {
      const operation = OPERATIONS[turn % OPERATIONS.length] as (typeof OPERATIONS)[number]
      turn += 1
      const { recoverMs, problems } = await playRound(demo, promises, operation, victims, random)
      if (recoverMs !== null) result.took.push(recoverMs)
      for (const problem of problems) {
        say(`PROBLEM  ${result.name} in ${operation.name}, round ${n + 1}: ${problem}`)
        result.problems.push(problem)
      }
    }
    say(row(result))
  }
} finally {
  await demo.kill()
  rmSync(folder, { recursive: true, force: true })
}

const overlaps = demo.overlaps(SUBJECT) + demo.overlaps(BYSTANDER)
const problems = results.flatMap((r) => r.problems)
const summary = {
  singles: chosen.filter((c) => c.length === 1).length,
  pairs: chosen.filter((c) => c.length === 2).length,
  rounds: chosen.length * rounds,
  overlaps,
  lostAcks: promises.lost.length,
  unrecovered: problems.filter((p) => p.startsWith('not recovered')).length,
  needlessDeaths: problems.filter((p) => p.endsWith('was restarted')).length,
  seed: Number(values.seed),
  recoverMs: Object.fromEntries(
    results.map((r) => [r.name, { median: median(r.took), max: Math.round(Math.max(...r.took)) }]),
  ),
}
for (const lost of promises.lost) say(`LOST     ${lost}`)
process.stdout.write(values.json ? `${JSON.stringify(summary)}\n` : table())
process.exitCode =
  overlaps + summary.lostAcks + summary.unrecovered + summary.needlessDeaths === 0 ? 0 : 1

function table(): string {
  const verdict = `overlaps ${overlaps}, lost acknowledgements ${summary.lostAcks}, not recovered ${summary.unrecovered}, needless deaths ${summary.needlessDeaths}`
  return `${['kill -9 of            rounds   median      max  (ms until all is well)', ...results.map(row), verdict].join('\n')}\n`
}

function row({ name, took }: CaseResult): string {
  const cell = (n: number) => String(n).padStart(8)
  return `${name.padEnd(20)}${cell(took.length)} ${cell(median(took))} ${cell(Math.round(Math.max(...took)))}`
}

function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b)
  return Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)
}

/** The same numbers for the same seed. */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
