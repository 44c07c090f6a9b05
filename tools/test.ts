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
import type { TestSummary } from './summary-reporter.ts'

const FAST_PROJECTS = ['unit', 'cli', 'worker']
/** Real processes in real time: they mostly wait. */
const REAL_PROJECTS = ['probe', 'e2e', 'alone']
/** Of these the ones that wait for minutes: beside all others. */
const PATIENT_PROJECTS = ['patient']
/** Minutes of the processors under virtual time: on what the others leave. */
const LONG_PROJECTS = ['long', 'many']

const args = process.argv.slice(2)
const fast = args.includes('--fast')
const checks = [...(await typecheck()), ...(await lint())]
const checksFailed = printChecks(checks)
// What users run, and in half the time.
await bundleCli()
const tests = await runTests(args.filter((arg) => arg !== '--fast'))

for (const { name, reason } of tests.skipped) process.stdout.write(`skipped  ${name}: ${reason}\n`)
if (fast) process.stdout.write(`--fast: only ${FAST_PROJECTS.join(', ')}; no real processes\n`)
const passed = checks.length - checksFailed + tests.passed
const failed = checksFailed + tests.failed
const skipped = tests.skipped.length > 0 ? `, ${tests.skipped.length} skipped` : ''
process.stdout.write(`${passed} passed, ${failed} failed${skipped}\n`)
process.exitCode = failed > 0 ? 1 : 0

async function runTests(extra: readonly string[]): Promise<TestSummary> {
  // Whatever runs ends with this process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(1))
  if (fast) return runVitest(extra, FAST_PROJECTS)
  if (extra.length > 0) return runVitest(extra, [])
  const lanes = [
    runVitest([], [...FAST_PROJECTS, ...REAL_PROJECTS]),
    runVitest([], PATIENT_PROJECTS, 'aside'),
    runVitest([], LONG_PROJECTS, 'behind'),
  ]
  return (await Promise.all(lanes)).reduce(sum)
}

/** @param how aside: printed when it has ended; behind: that, and on what others leave of the processors */
async function runVitest(
  extra: readonly string[],
  only: readonly string[],
  how: 'first' | 'aside' | 'behind' = 'first',
): Promise<TestSummary> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const summaryPath = join(folder, 'summary.json')
  const reporters = ['--reporter=default', '--reporter=./tools/summary-reporter.ts']
  const projects = only.map((name) => `--project=${name}`)
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
  try {
    const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...projects, ...extra], {
      cwd: ROOT,
      stdio: ['inherit', how === 'first' ? 'inherit' : 'pipe', 'inherit'],
      // A session of its own: see yieldToOthers.
      detached: how !== 'first',
      env: { ...process.env, HOLDFAST_TEST_SUMMARY: summaryPath },
    })
    if (how === 'behind' && child.pid) yieldToOthers(child.pid)
    const endWithUs = () => (how === 'first' ? child.kill() : endGroup(child.pid))
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
 * processes by their nice value where it does not: the lowest of both.
 */
function yieldToOthers(pid: number): void {
  setPriority(pid, constants.priority.PRIORITY_LOW)
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(constants.priority.PRIORITY_LOW))
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
