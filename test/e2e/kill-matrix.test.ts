/** The kill matrix, a part of it: every process and every pair of them once (`npm run test:kill`). */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ROOT } from '../tidy/tracked-files.ts'

test('kill -9 of each process and each pair: never on two, nothing acknowledged lost, back by itself', {
  timeout: 300_000,
}, async () => {
  const args = ['test/kill/matrix.ts', '--json', '--rounds', '1', '--seed', '3']
  const run = promisify(execFile)(process.execPath, args, { cwd: ROOT })
  // Exit code 1 says that something was found: then the words of it are what to see.
  const { stdout, stderr } = await run.catch((error) => error)
  const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  expect(summary, stderr).toMatchObject({
    singles: 5,
    pairs: 10,
    rounds: 15,
    overlaps: 0,
    lostAcks: 0,
    unrecovered: 0,
    needlessDeaths: 0,
  })
  expect(Object.keys(summary.recoverMs)).toHaveLength(15)
  // 5 single victims and 10 pairs, each of them there when it was killed.
  expect(summary.kills).toBeGreaterThanOrEqual(25)
  expect(summary.missed, stderr).toBe(0)
  expect(summary.acks).toBeGreaterThan(15)
})
