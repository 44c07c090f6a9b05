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
import { CLUSTER, Demo } from '../../demo/cluster.ts'
import { addScript, daemonScript } from '../e2e/daemon-script.ts'
import { BYSTANDER, OPERATIONS, QUICK, SCRIPTED, SUBJECT } from './operations.ts'
import { Promises, SETTINGS } from './promises.ts'
import { playRound, VICTIMS, type Victim } from './round.ts'

interface CaseResult {
  readonly name: string
  readonly took: number[]
  readonly problems: string[]
  kills: number
  /** Rounds that were played again, because a victim was not there when it was to be killed. */
  repeats: number
  /** Victims that were not there in any of the repeats either. */
  missed: number
}

/** How often a round is played until all of its victims were there. */
const TRIES = 8
const ENDLESS = { attempts: 1_000, periodMs: 1, delayMs: 0 }

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
const policy = { script: { commands: [`${folder}/scripts/*`] } }
const demo = await Demo.start({ folder, port: 0, profile: 'standard', vm: false, policy })
const promises = new Promises(demo)
const script = daemonScript(join(folder, 'scripts'), SCRIPTED)
const scene = { demo, promises, script, go: () => true }
const results: CaseResult[] = []
try {
  await demo.allUp()
  await setUp()
  let turn = 0
  for (const victims of chosen) {
    const result: CaseResult = {
      ...{ name: victims.join('+'), took: [], problems: [] },
      ...{ kills: 0, repeats: 0, missed: 0 },
    }
    results.push(result)
    // A round in which a victim was not there to be hit is none, and is played anew.
    for (let n = 0, begun = 0; n < rounds && begun < 2 * rounds; begun += 1) {
      const operation = OPERATIONS[turn % OPERATIONS.length] as (typeof OPERATIONS)[number]
      turn += 1
      for (let tries = 1; ; tries += 1) {
        const played = await playRound(scene, operation, victims, random, 1 / tries)
        result.kills += played.kills
        for (const problem of played.problems) {
          say(`PROBLEM  ${result.name} in ${operation.name}, round ${n + 1}: ${problem}`)
          result.problems.push(problem)
        }
        // Only a round that has hit all that it was to hit says how long that takes to mend.
        const whole = played.missed.length === 0
        if (whole && played.recoverMs !== null) result.took.push(played.recoverMs)
        if (whole || played.recoverMs === null) {
          n += 1
          break
        }
        if (tries === TRIES) {
          result.missed += played.missed.length
          say(`MISSED   ${result.name} in ${operation.name}, round ${n + 1}: ${played.missed}`)
          break
        }
        result.repeats += 1
      }
    }
    say(row(result))
  }
} finally {
  await demo.kill()
  rmSync(folder, { recursive: true, force: true })
}

const overlaps = [SUBJECT, QUICK, BYSTANDER].reduce((sum, name) => sum + demo.overlaps(name), 0)
const total = (what: 'kills' | 'repeats' | 'missed') => results.reduce((sum, r) => sum + r[what], 0)
const problems = results.flatMap((r) => r.problems)
const summary = {
  singles: chosen.filter((c) => c.length === 1).length,
  pairs: chosen.filter((c) => c.length === 2).length,
  rounds: results.reduce((sum, r) => sum + r.took.length, 0),
  kills: total('kills'),
  repeats: total('repeats'),
  missed: total('missed'),
  acks: promises.acks,
  overlaps,
  lostAcks: promises.lost.length,
  unrecovered: problems.filter((p) => p.startsWith('not recovered')).length,
  needlessDeaths: problems.filter((p) => p.endsWith('was restarted')).length,
  seed: Number(values.seed),
  recoverMs: Object.fromEntries(
    results.map((r) => [
      r.name,
      { median: median(r.took), max: Math.round(Math.max(0, ...r.took)) },
    ]),
  ),
}
for (const lost of promises.lost) say(`LOST     ${lost}`)
process.stdout.write(values.json ? `${JSON.stringify(summary)}\n` : table())
process.exitCode =
  overlaps + summary.lostAcks + summary.unrecovered + summary.needlessDeaths === 0 ? 0 : 1

async function setUp(): Promise<void> {
  for (const name of [SUBJECT, BYSTANDER]) {
    await demo.addGroup(name, { failoverThreshold: 1_000, failoverPeriodMs: 1 })
    await demo.addWitness(name, name, ENDLESS)
    if (name === SUBJECT) await addQuickWitness()
    await promises.want(name, 1)
    await demo.online(name)
  }
  await demo.addGroup(SCRIPTED, { failoverThreshold: 1_000, failoverPeriodMs: 1 })
  await addScript(demo, SCRIPTED, SCRIPTED, script, { restart: ENDLESS })
  await promises.want(SCRIPTED, 1)
  await demo.online(SCRIPTED)
  await demo.addGroup(SETTINGS)
  await demo.addProcess(SETTINGS, SETTINGS, [], { persistentState: 0 })
}

async function addQuickWitness(): Promise<void> {
  const file = new URL('./quick-witness.sh', import.meta.url).pathname
  await demo.api('createResource', {
    params: { cluster: CLUSTER },
    body: {
      ...{ name: QUICK, group: SUBJECT, type: 'process', restart: ENDLESS },
      properties: { command: '/bin/sh', args: [file, demo.witnessFolder(QUICK)] },
    },
  })
}

function table(): string {
  const verdict = `kills ${summary.kills}, overlaps ${overlaps}, lost acknowledgements ${summary.lostAcks}, not recovered ${summary.unrecovered}, needless deaths ${summary.needlessDeaths}`
  return `${['kill -9 of            rounds   median      max  (ms until all is well)', ...results.map(row), verdict].join('\n')}\n`
}

function row({ name, took }: CaseResult): string {
  const cell = (n: number) => String(n).padStart(8)
  return `${name.padEnd(20)}${cell(took.length)} ${cell(median(took))} ${cell(Math.round(Math.max(0, ...took)))}`
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
