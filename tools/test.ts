/**
 * `npm test`: types, lint and every test. The last line is `N passed, N failed` (and `N skipped`).
 * `npm test -- --fast` leaves out the projects that start real processes; other arguments go to
 * vitest, e.g. `npm test -- --project unit`.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { bundleCli } from './bundle-cli.ts'
import { lint, printChecks, ROOT, typecheck } from './checks.ts'
import { madeIn } from './made-once.ts'
import type { TestSummary } from './summary-reporter.ts'

const FAST_PROJECTS = ['unit', 'shells', 'cli', 'worker']
/** Real processes in real time: they mostly wait. */
const REAL_PROJECTS = ['probe', 'e2e', 'alone']
/** Of these the ones that wait for minutes: beside all others. */
const PATIENT_PROJECTS = ['patient']
/** Minutes of the processors under virtual time: on what the others leave. */
const LONG_PROJECTS = ['long', 'many']

interface Lane {
  /** Else when it has ended, and in a session of its own. */
  readonly printsAtOnce?: true
  readonly nice: number
}
const FIRST: Lane = { printsAtOnce: true, nice: 0 }
const ASIDE: Lane = { nice: 0 }
/** What the others leave. */
const BEHIND: Lane = { nice: constants.priority.PRIORITY_LOW }

const args = process.argv.slice(2)
const bundles = mkdtempSync(join(tmpdir(), 'holdfast-bundles-'))
process.once('exit', () => rmSync(bundles, { recursive: true, force: true }))
const fast = args.includes('--fast')
// What users run, and in half the time.
await bundleCli()
const { checksFailed, checksPassed, tests } = await runAll(args.filter((arg) => arg !== '--fast'))

for (const { name, reason } of tests.skipped) process.stdout.write(`skipped  ${name}: ${reason}\n`)
if (fast) process.stdout.write(`--fast: only ${FAST_PROJECTS.join(', ')}; no real processes\n`)
const passed = checksPassed + tests.passed
const failed = checksFailed + tests.failed
const skipped = tests.skipped.length > 0 ? `, ${tests.skipped.length} skipped` : ''
process.stdout.write(`${passed} passed, ${failed} failed${skipped}\n`)
process.exitCode = failed > 0 ? 1 : 0

/** Types and lint, then what only computes, then the real processes: side by side all would fail by time. */
async function runAll(extra: readonly string[]) {
  // Whatever runs ends with this process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(1))
  const whole = !fast && extra.length === 0
  const lanes = whole ? [runVitest([], LONG_PROJECTS, BEHIND)] : []
  const checks = [...(await typecheck()), ...(await lint())]
  const checksFailed = printChecks(checks)
  if (whole)
    lanes.push(
      runVitest([], [...FAST_PROJECTS, ...REAL_PROJECTS], FIRST),
      runVitest([], PATIENT_PROJECTS, ASIDE),
    )
  else lanes.push(runVitest(extra, fast ? FAST_PROJECTS : [], FIRST))
  const tests = (await Promise.all(lanes)).reduce(sum)
  return { checksFailed, checksPassed: checks.length - checksFailed, tests }
}

async function runVitest(
  extra: readonly string[],
  only: readonly string[],
  lane: Lane,
): Promise<TestSummary> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const summaryPath = join(folder, 'summary.json')
  const reporters = ['--reporter=default', '--reporter=./tools/summary-reporter.ts']
  const projects = only.map((name) => `--project=${name}`)
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
  const apart = !lane.printsAtOnce
  try {
    const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...projects, ...extra], {
      cwd: ROOT,
      stdio: ['inherit', apart ? 'pipe' : 'inherit', 'inherit'],
      // A session of its own: see yieldToOthers.
      detached: apart,
      env: { ...process.env, ...madeIn(bundles), HOLDFAST_TEST_SUMMARY: summaryPath },
    })
    if (lane.nice > 0 && child.pid) yieldToOthers(child.pid, lane.nice)
    const endWithUs = () => (apart ? endGroup(child.pid) : child.kill())
    process.once('exit', endWithUs)
    const [code, printed] = await Promise.all([
      new Promise<number>((done) => child.on('close', (exit) => done(exit ?? 1))),
      child.stdout ? text(child.stdout) : '',
    ])
    process.off('exit', endWithUs)
    process.stdout.write(printed)
    return withExitCode(readSummary(summaryPath), code)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid) process.kill(-pid)
  } catch {
    // It has ended.
  }
}

/**
 * Linux weighs whole sessions against each other where it makes groups of them (sched_autogroup), and
 * processes by their nice value where it does not: both.
 */
function yieldToOthers(pid: number, nice: number): void {
  setPriority(pid, nice)
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(nice))
  } catch {
    // A kernel without such groups.
  }
}

function sum(a: TestSummary, b: TestSummary): TestSummary {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: [...a.skipped, ...b.skipped],
    projects: { ...a.projects, ...b.projects },
  }
}

function readSummary(path: string): TestSummary {
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as TestSummary
  process.stdout.write('vitest ended without a result\n')
  return { passed: 0, failed: 1, skipped: [], projects: {} }
}

/** A run that vitest calls failed, or in which nothing ran, never counts as passed. */
function withExitCode(summary: TestSummary, code: number): TestSummary {
  if (summary.failed > 0) return summary
  if (code !== 0) return { ...summary, failed: 1 }
  if (Object.keys(summary.projects).length > 0) return summary
  process.stdout.write('no test ran\n')
  return { ...summary, failed: 1 }
}
