/** Thousands of histories of whole clusters, on all cores: what `npm run sim` shows on every change. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ROOT } from '../tidy/tracked-files.ts'

const SEEDS = 2_000
const MAIN = join(ROOT, 'test/sim/main.ts')
const run = async (...args: string[]) => {
  try {
    return { ...(await promisify(execFile)(process.execPath, [MAIN, ...args])), code: 0 }
  } catch (error) {
    return error as { stdout: string; stderr: string; code: number }
  }
}
const last = (stdout: string) => JSON.parse(stdout.trim().split('\n').at(-1) ?? '')

test(`never on two, nothing lost, always back: ${SEEDS} histories of faults`, async () => {
  const { stdout } = await run('--seeds', String(SEEDS), '--json')
  const result = last(stdout)
  process.stdout.write(`${JSON.stringify(result)}\n`)
  expect(result, stdout).toMatchObject({ sim: true, seeds: SEEDS, violations: 0, failed: [] })
  for (const [kind, times] of Object.entries(result.faultsUsed))
    expect(times, kind).toBeGreaterThanOrEqual(100)
  // Beside the real processes it gets what they leave.
}, 2_400_000)

test('A5: freezes of guards and hosts, counted apart', async () => {
  const { stdout } = await run('--freezes', '--storm', '--seeds', '150', '--json')
  const result = last(stdout)
  process.stdout.write(`${JSON.stringify(result.freezes)}\n`)
  expect(result, stdout).toMatchObject({ violations: 0 })
  expect(result.freezes.overlaps).toBeGreaterThan(0)
}, 300_000)

test.each([
  [['--seed', 'seven'], '--seed takes a whole number from 1 to 2147483648, not "seven"'],
  [['--nodes', '65'], '--nodes takes a whole number from 1 to 64, not "65"'],
  [['--replay', 'nowhere.history'], 'nowhere.history cannot be read'],
  [['--sedes', '3'], "Unknown option '--sedes'"],
])('arguments that make no sense are refused: %j', async (args, says) => {
  const { code, stderr } = await run(...args)
  expect(code).toBe(2)
  expect(stderr).toContain(says)
})
