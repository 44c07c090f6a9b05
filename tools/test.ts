/**
 * `npm test`: types, lint and every test. The last line is `N passed, N failed` (and `N skipped`).
 * `npm test -- --fast` leaves out what takes minutes or starts real processes; other arguments go to
 * vitest, e.g. `npm test -- --project unit`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { lint, printChecks, ROOT, typecheck } from './checks.ts'
import type { TestSummary } from './summary-reporter.ts'

const FAST_PROJECTS = ['unit', 'cli', 'worker']
/** Real processes in real time: they mostly wait. */
const REAL_PROJECTS = ['probe', 'e2e']
/** Minutes of the processor under virtual time: they take what the real processes leave over. */
const LONG_PROJECTS = ['long']

const args = process.argv.slice(2)
const fast = args.includes('--fast')
const checks = [...(await typecheck()), ...(await lint())]
const checksFailed = printChecks(checks)
const tests = await runTests(args.filter((arg) => arg !== '--fast'))

for (const { name, reason } of tests.skipped) process.stdout.write(`skipped  ${name}: ${reason}\n`)
if (fast) process.stdout.write(`--fast: only ${FAST_PROJECTS.join(', ')}; no real processes\n`)
const passed = checks.length - checksFailed + tests.passed
const failed = checksFailed + tests.failed
const skipped = tests.skipped.length > 0 ? `, ${tests.skipped.length} skipped` : ''
process.stdout.write(`${passed} passed, ${failed} failed${skipped}\n`)
process.exitCode = failed > 0 ? 1 : 0

async function runTests(extra: readonly string[]): Promise<TestSummary> {
  if (fast) return runVitest(extra, FAST_PROJECTS)
  if (extra.length > 0) return runVitest(extra, [])
  const quick = await runVitest([], FAST_PROJECTS)
  const [real, long] = await Promise.all([
    runVitest([], REAL_PROJECTS),
    runVitest([], LONG_PROJECTS, 'behind'),
  ])
  return [quick, real, long].reduce(sum)
}

/** @param behind at the lowest priority, and printed when it has ended */
async function runVitest(
  extra: readonly string[],
  only: readonly string[],
  behind?: 'behind',
): Promise<TestSummary> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const summaryPath = join(folder, 'summary.json')
  const reporters = ['--reporter=default', '--reporter=./tools/summary-reporter.ts']
  const projects = only.map((name) => `--project=${name}`)
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
  try {
    const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...projects, ...extra], {
      cwd: ROOT,
      stdio: ['inherit', behind ? 'pipe' : 'inherit', 'inherit'],
      env: { ...process.env, HOLDFAST_TEST_SUMMARY: summaryPath },
    })
    if (behind && child.pid) setPriority(child.pid, constants.priority.PRIORITY_LOW)
    const [code, printed] = await Promise.all([
      ended(child),
      child.stdout ? text(child.stdout) : '',
    ])
    process.stdout.write(printed)
    return withExitCode(readSummary(summaryPath), code)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((done) => {
    child.on('close', (exit) => done(exit ?? 1))
  })
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
