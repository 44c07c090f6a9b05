/** S-32: a module file that a monitor does not live through importing is not imported there again. */
import { expect, test } from 'vitest'
import { Imports } from '../../probe/guard/imports.ts'
import type { LastCall } from '../../schema/last-calls.ts'

const call = (over: Partial<LastCall> = {}): LastCall => ({
  ...{ n: 1, type: 'keeper', fn: 'import', of: 'keeper-ab.mjs', ids: [], atMs: 0 },
  ...over,
})
const files = (imports: Imports, monitor: string) =>
  imports.refusedIn(monitor).map(({ file }) => file)

test('whose import had not ended when it was killed for hanging, or ended by itself', () => {
  for (const ending of ['hangs', 'exit'] as const) {
    const imports = new Imports()
    expect(imports.died('rhs', [call()], ending, 'exit 9', 0)).toEqual(['keeper'])
    expect(imports.refusedIn('rhs')).toEqual([
      { file: 'keeper-ab.mjs', why: 'rhs ended while it imported it: exit 9' },
    ])
    // Another monitor may try: it is not the one that has others to serve.
    expect(files(imports, 'rhs:x')).toEqual([])
  }
})

test('one that somebody has killed is blamed for it the second time only', () => {
  const imports = new Imports()
  expect(imports.died('rhs', [call()], 'signal', 'SIGKILL', 0)).toEqual([])
  expect(imports.died('rhs', [call()], 'signal', 'SIGKILL', 900_000)).toEqual([])
  expect(imports.died('rhs', [call()], 'signal', 'SIGKILL', 900_001)).toEqual(['keeper'])
})

test('what has been imported, and what is no import, is not blamed', () => {
  const imports = new Imports()
  const calls = [call({ tookMs: 3 }), call({ fn: 'isAlive' })]
  expect(imports.died('rhs', calls, 'hangs', '', 0)).toEqual([])
  expect(imports.died('rhs', [call()], 'meant', '', 0)).toEqual([])
  expect(imports.some).toBe(false)
})

test('forgotten with its monitor, or when somebody has seen to the files', () => {
  const imports = new Imports()
  for (const monitor of ['rhs', 'rhs:x']) imports.refuse(monitor, { file: 'a.mjs', why: 'late' })
  imports.forget('rhs:x')
  expect([files(imports, 'rhs'), files(imports, 'rhs:x')]).toEqual([['a.mjs'], []])
  imports.forget()
  expect(imports.some).toBe(false)
})
