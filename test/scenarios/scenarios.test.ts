import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { replayed } from './engine.ts'

const files = readdirSync(import.meta.dirname)
  .filter((f) => f.endsWith('.scenario'))
  .sort()

test('there are scenarios', () => {
  expect(files.length).toBeGreaterThan(10)
})

test.each(files.map((file) => [basename(file, '.scenario')]))('%s', (name) => {
  const path = join(import.meta.dirname, `${name}.scenario`)
  const text = readFileSync(path, 'utf8')
  const now = replayed(text)
  if (process.env['REWRITE'] === '1') writeFileSync(path, now)
  else expect(now).toBe(text)
})
