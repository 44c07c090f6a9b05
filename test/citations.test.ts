/** Every rule that code or a test cites is defined in docs/rules.md. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { citations, definedRules } from './tidy/citations.ts'
import { ROOT, readTexts } from './tidy/tracked-files.ts'

const defined = definedRules(readFileSync(join(ROOT, 'docs/rules.md'), 'utf8'))

it('docs/rules.md has all of them, each once', () => {
  const range = (letter: string, last: number) =>
    Array.from({ length: last }, (_, i) => `${letter}${i + 1}`)
  const rows = Array.from({ length: 102 }, (_, i) => `S-${String(i + 1).padStart(2, '0')}`)
  const all = Object.entries({
    L: 6,
    G: 12,
    D: 6,
    S: 5,
    C: 6,
    U: 4,
    O: 3,
    F: 6,
    M: 7,
    H: 11,
    A: 9,
    Q: 7,
  })
    .flatMap(([letter, last]) => range(letter, last))
    .concat(rows)
  expect([...defined].sort()).toEqual(all.sort())
  const text = readFileSync(join(ROOT, 'docs/rules.md'), 'utf8')
  expect([...text.matchAll(/^- \*\*[A-Z]-?\d+\*\*/gm)]).toHaveLength(all.length)
})

it('finds citations where they count, and nothing else', () => {
  const text = [
    '// D3 and S-33, (G13), Q9; not 0xA1, SHA-256, a.D1, HF-D1-x or F1.5',
    "const because = { rule: 'Z9', other: 'H12' }",
    "const more = { rule: late ? 'L9' : 'L8' }",
    "it('U9: a title', () => expect(x).toBe('O9'))",
    "it.each([1])('M9', () => {})",
    'const sql = `C9`',
  ].join('\n')
  const found = citations({ path: 'test/sample.test.ts', text }).map((one) => one.rule)
  expect(found).toEqual(['D3', 'S-33', 'G13', 'Q9', 'L9', 'L8', 'U9', 'M9'])
})

it('holds', () => {
  const files = readTexts((path) =>
    /^(?:schema|worker|probe|cli|console|test|demo|bench)\/.*\.ts$/.test(path),
  ).filter((file) => file.path !== 'test/citations.test.ts')
  const all = files.flatMap(citations)
  expect(all.length).toBeGreaterThan(50)
  expect(all.filter((one) => !defined.has(one.rule))).toEqual([])
})
