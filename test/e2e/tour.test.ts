/**
 * The tour is the product shown: every step has to hold, and none may be left out in CI. With leases
 * that a busy machine can keep: where a guard takes a second to start, A6 does not hold under `fast`.
 */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

test.each([
  ['npm run tour: every step, judged by the witness', ['--profile', 'standard']],
  ['npm run tour -- --vm: every step, by both libvirts and the kernel', ['--vm']],
])('%s', { timeout: 240_000 }, (_what, words) => {
  const run = spawnSync(process.execPath, ['demo/tour.ts', '--json', ...words], {
    encoding: 'utf8',
    timeout: 220_000,
  })
  const last = run.stdout.trim().split('\n').at(-1) ?? ''
  expect(last, run.stderr).toMatch(/^\{"tour":true/)
  const result = JSON.parse(last)
  expect(result.ok, run.stderr).toBe(true)
  expect(result.overlaps).toBe(0)
  for (const name of result.skipped) process.stdout.write(`skipped  tour step: ${name}\n`)
  if (process.env['CI']) expect(result.skipped).toEqual([])
})
