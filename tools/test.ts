/**
 * `npm test`: types, lint and every test. The last line is `N passed, N failed` (and `N skipped`).
 * `npm test -- --fast` leaves out the projects that start real processes; other arguments go to
 * vitest, e.g. `npm test -- --project unit`.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { bundleCli } from './bundle-cli.ts'
import { lint, printChecks, ROOT, typecheck } from './checks.ts'
import { madeIn } from './made-once.ts'
import type { TestSummary } from './summary-reporter.ts'

const FAST_PROJECTS = ['unit', 'shells', 'cli', 'worker']
/** Minutes of the processors under virtual time: before everything else, with both cores to itself. */
const SIMULATION = ['many']
/** Of the model and the fuzzing: beside the Worker's. */
const LONG_PROJECTS = ['long']
/** Real processes in real time: they mostly wait. */
const REAL_PROJECTS = ['probe', 'e2e', 'alone']
/** Of these the ones that wait for minutes: beside all others. */
const PATIENT_PROJECTS = ['patient']

/** Whether what it says is printed at once, or when it has ended. */
type Lane = 'first' | 'aside'

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

/** Types and lint, virtual time, what only computes, and real processes last: side by side they would fail by time. */
async function runAll(extra: readonly string[]) {
  // Whatever runs ends with this process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(1))
  const whole = !fast && extra.length === 0
  const lanes = []
  const checks = [...(await typecheck()), ...(await lint())]
  const checksFailed = printChecks(checks)
  if (whole) {
    // Beside it everything that has to be in time would be late.
    lanes.push(await runVitest([], SIMULATION, 'first'))
    const most = [...FAST_PROJECTS, ...LONG_PROJECTS, ...REAL_PROJECTS]
    lanes.push(runVitest([], most, 'first'), runVitest([], PATIENT_PROJECTS, 'aside'))
  } else lanes.push(runVitest(extra, fast ? FAST_PROJECTS : [], 'first'))
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
  const apart = lane === 'aside'
  try {
    const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...projects, ...extra], {
      cwd: ROOT,
      stdio: ['inherit', apart ? 'pipe' : 'inherit', 'inherit'],
      detached: apart,
      env: { ...process.env, ...madeIn(bundles), HOLDFAST_TEST_SUMMARY: summaryPath },
    })
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
