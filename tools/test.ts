/**
 * `npm test`: types, lint and every test. The last line is `N passed, N failed` (and `N skipped`).
 * `npm test -- --fast` leaves out the projects that start real processes; other arguments go to
 * vitest, e.g. `npm test -- --project unit`.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleCli } from './bundle-cli.ts'
import { lint, printChecks, ROOT, typecheck } from './checks.ts'
import type { TestSummary } from './summary-reporter.ts'

const FAST_PROJECTS = ['unit', 'cli', 'worker']

const args = process.argv.slice(2)
const fast = args.includes('--fast')
const checks = [...(await typecheck()), ...(await lint())]
const checksFailed = printChecks(checks)
// What users run, and in half the time.
await bundleCli()
const tests = await runVitest(args.filter((arg) => arg !== '--fast'))

for (const { name, reason } of tests.skipped) process.stdout.write(`skipped  ${name}: ${reason}\n`)
if (fast) process.stdout.write(`--fast: only ${FAST_PROJECTS.join(', ')}; no real processes\n`)
const passed = checks.length - checksFailed + tests.passed
const failed = checksFailed + tests.failed
const skipped = tests.skipped.length > 0 ? `, ${tests.skipped.length} skipped` : ''
process.stdout.write(`${passed} passed, ${failed} failed${skipped}\n`)
process.exitCode = failed > 0 ? 1 : 0

async function runVitest(extra: readonly string[]): Promise<TestSummary> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const summaryPath = join(folder, 'summary.json')
  const reporters = ['--reporter=default', '--reporter=./tools/summary-reporter.ts']
  const projects = fast ? FAST_PROJECTS.map((name) => `--project=${name}`) : []
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
  try {
    const code = await new Promise<number>((done) => {
      spawn(process.execPath, [vitest, 'run', ...reporters, ...projects, ...extra], {
        cwd: ROOT,
        stdio: 'inherit',
        env: { ...process.env, HOLDFAST_TEST_SUMMARY: summaryPath },
      }).on('close', (exit) => done(exit ?? 1))
    })
    return withExitCode(readSummary(summaryPath), code)
  } finally {
    rmSync(folder, { recursive: true, force: true })
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
