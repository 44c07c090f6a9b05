/**
 * `npm run model`: the safety rules checked on small models, exhaustively; every rule removed in its turn.
 *
 *   npm run model                       the quick configurations, and every rule removed
 *   npm run model -- full               the large configurations too (half an hour, 4 GB)
 *   npm run model -- safe [ID]          only configurations in which every rule stands
 *   npm run model -- off [NAME]         only rules removed
 *   npm run model -- trace NAME         what goes wrong without the rule, step by step
 *
 * With `--json` the last line is {"model":true,"safe":…,"counterexamples":…,"unexpected":[…]}. The exit code is
 * 0 if every result is the expected one.
 */
import { parseArgs } from 'node:util'
import { checkRemoval, checkSafe, type Verdict } from './check.ts'
import { SAFE_RUNS, type SafeRun } from './configurations.ts'
import { REMOVALS, type Removal } from './removals.ts'

const MODES = ['quick', 'full', 'safe', 'off', 'trace'] as const
const USAGE = `usage: npm run model -- [full | safe [ID] | off [NAME] | trace NAME] [--json]`

const say = (line: string) => process.stdout.write(`${line}\n`)

function main(): number {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const [mode = 'quick', only] = positionals
  const safe = chosenSafe(mode, only)
  const removals = chosenRemovals(mode, only)
  const wrong = wrongArguments(mode, positionals, safe.length + removals.length)
  if (wrong !== null) {
    process.stderr.write(`${wrong}\n${USAGE}\n`)
    return 2
  }
  const unexpected = [
    ...safe.flatMap((run) => playSafe(run)),
    ...removals.flatMap((run) => playRemoval(run, mode === 'trace')),
  ]
  const counterexamples = removals.filter((run) => run.expected.breaks !== null).length
  const summary = { model: true, safe: safe.length, counterexamples, unexpected }
  say(values.json ? JSON.stringify(summary) : inWords(unexpected))
  return unexpected.length > 0 ? 1 : 0
}

function wrongArguments(mode: string, given: readonly string[], runs: number): string | null {
  if (!(MODES as readonly string[]).includes(mode))
    return `"${mode}" is none of ${MODES.join(', ')}`
  if (given.length > (mode === 'quick' || mode === 'full' ? 1 : 2)) return 'too many arguments'
  if (mode === 'trace' && given.length < 2) return 'which rule is to be removed?'
  if (runs === 0)
    return `there is no run "${given[1]}"; see "npm run model -- ${mode === 'safe' ? 'safe' : 'off'}"`
  return null
}

function chosenSafe(mode: string, only?: string): readonly SafeRun[] {
  if (mode === 'off' || mode === 'trace') return []
  if (only !== undefined) return SAFE_RUNS.filter((run) => run.id === only)
  return SAFE_RUNS.filter((run) => mode === 'full' || !run.large)
}

function chosenRemovals(mode: string, only?: string): readonly Removal[] {
  if (mode === 'safe') return []
  return REMOVALS.filter((run) => only === undefined || namesOf(run).includes(only))
}

/** `naive+noDoMajority` is found by either name and by both. */
const namesOf = ({ name }: Removal) => [name, ...name.split(/[+,]/)]

const number = (value: number) => value.toLocaleString('en-US')
const mark = (verdict: Verdict) => (verdict.unexpected === null ? 'ok    ' : 'WRONG ')

function playSafe(run: SafeRun): string[] {
  const begun = performance.now()
  const verdict = checkSafe(run)
  const { found } = verdict
  const complete = found.complete
    ? run.fingerprintsMax
      ? 'complete (fingerprints)'
      : 'complete'
    : 'CUT OFF'
  const liveness = found.stuck === null ? '' : `; liveness: ${found.stuck} stuck`
  const counts = `${number(found.states)} states, ${number(found.steps)} steps${liveness}`
  const result = `${found.violation?.text ?? 'no violation'}, ${complete}; ${counts}`
  say(`${mark(verdict)}${run.id} ${run.title}: ${result}; ${took(begun)}`)
  return conclude(run.id, verdict, found.violation !== null)
}

function playRemoval(run: Removal, withTrace: boolean): string[] {
  const begun = performance.now()
  const verdict = checkRemoval(run)
  const { violation, states, complete } = verdict.found
  const nothing = `no violation, ${complete ? 'complete' : 'CUT OFF'}`
  const result = violation ? `${violation.text} after ${violation.trace.length} steps` : nothing
  say(
    `${mark(verdict)}without ${run.rule} [${run.name}]: ${result}; ${number(states)} states; ${took(begun)}`,
  )
  return conclude(`${run.name} (${run.rule})`, verdict, withTrace)
}

/** The way to the violation where it is asked for, and what was not expected. */
function conclude(name: string, { found, unexpected }: Verdict, withTrace: boolean): string[] {
  if (withTrace) for (const step of found.violation?.trace ?? []) say(`   ${step}`)
  if (unexpected === null) return []
  say(`   ${unexpected}`)
  return [`${name}: ${unexpected}`]
}

const took = (begun: number) => `${((performance.now() - begun) / 1000).toFixed(1)} s`

const inWords = (unexpected: readonly string[]) =>
  unexpected.length > 0 ? `${unexpected.length} unexpected result(s)` : 'all results as expected'

process.exitCode = main()
