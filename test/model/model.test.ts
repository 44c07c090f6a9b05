/** The whole quick model on every change: a minute or so, after everything else. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('every rule holds, and removing any of the first line breaks the invariant', async () => {
  const main = join(import.meta.dirname, 'main.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--json'])
  const last = stdout.trim().split('\n').at(-1) as string
  expect(JSON.parse(last)).toEqual({ model: true, safe: 29, counterexamples: 72, unexpected: [] })
})
