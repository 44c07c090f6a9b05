/** The arrows between folders hold (S-24), and a bad one is found. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { layers } from '../tools/checks.ts'
import { ROOT } from './tidy/tracked-files.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-layers-'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

it('hold', async () => {
  const check = await layers()
  expect(check.output).toBe('')
  expect(check.passed).toBe(true)
})

it.each([
  ['schema/a.ts', '../worker/b.ts', 'schema-is-data'],
  ['worker/core/a.ts', '../b.ts', 'worker-core-is-pure'],
  ['probe/core/a.ts', '../b.ts', 'probe-core-is-pure'],
  ['worker/a.ts', '../probe/b.ts', 'worker-without-probe'],
  ['probe/a.ts', '../worker/b.ts', 'probe-without-worker'],
  ['extensions/a.ts', '../worker/b.ts', 'extensions-are-pure'],
  ['worker/handlers.ts', '../extensions/index.ts', 'extensions-by-one-door'],
  ['probe/a.ts', '../extensions/vm/b.ts', 'extensions-by-one-door'],
  ['worker/settings.ts', '../extensions/vm/b.ts', 'extensions-by-the-registry'],
  ['cli/a.ts', '../schema/b.ts', 'surfaces-see-the-api'],
  ['client/a.ts', '../worker/b.ts', 'surfaces-see-the-api'],
  ['probe/guard/a.ts', '../rhs/b.ts', 'guard-stands-alone'],
  ['probe/agent/a.ts', '../resources/b.ts', 'modules-in-rhs-only'],
  ['probe/a.ts', '../test/b.ts', 'probe-without-worker'],
])('%s must not import %s', async (from, to, rule) => {
  write(from, `import type { B } from '${to}'\nexport type A = B\n`)
  write(join(dirname(from), to), 'export type B = 1\n')
  const check = await layers(folder)
  expect(check.passed).toBe(false)
  expect(check.output).toContain(`${rule}: ${from} → `)
})

it('the guard imports no ws', async () => {
  write('probe/guard/a.ts', "import { WebSocket } from 'ws'\nexport const a = WebSocket\n")
  expect((await layers(folder)).output).toContain('guard-without-packages: probe/guard/a.ts')
})

it('fail when no module is seen at all', async () => {
  mkdirSync(join(folder, 'schema'))
  expect((await layers(folder)).output).toContain('no module was seen')
})
