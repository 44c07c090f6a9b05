/** docs/threat-model.md names the test of each mitigation: it is there. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = new URL('../..', import.meta.url).pathname
const text = readFileSync(join(ROOT, 'docs/threat-model.md'), 'utf8')

test('every test that the threat model names is there', () => {
  const named = [...text.matchAll(/`(test\/[\w./-]+\.test\.ts)`/g)].map(([, path = '']) => path)
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})

test('every row of what somebody may try names a test', () => {
  const [, table = ''] = /## Somebody on the network\n([\s\S]*?)\n## /.exec(text) ?? []
  const rows = table.split('\n').filter((line) => line.startsWith('| to '))
  expect(rows.length).toBeGreaterThan(8)
  for (const row of rows) expect(row).toMatch(/`test\//)
})
