/** One catalogue of refusals: each has its page, is used, and a test has seen it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ERRORS } from '../schema/error-catalogue.ts'
import { errorPages } from '../tools/docs-errors.ts'
import { ROOT, readTexts } from './tidy/tracked-files.ts'

const codes = Object.keys(ERRORS)
/** Faults of ours: they have no way to come about, or they would be mended. */
const NOT_PROVOKED = ['INTERNAL']

test('every code has its page, and no page is stale', () => {
  const folder = join(ROOT, 'docs/errors')
  const pages = errorPages()
  expect(readdirSync(folder).sort()).toEqual([...pages.keys()].sort())
  for (const [name, text] of pages)
    expect(readFileSync(join(folder, name), 'utf8'), `npm run docs: ${name}`).toBe(text)
})

test('every code is used by the product', () => {
  const sources = readTexts((path) => /^(schema|worker|probe|cli|demo)\/.*\.ts$/.test(path))
    .filter(({ path }) => path !== 'schema/error-catalogue.ts')
    .map(({ text }) => text)
    .join('\n')
  expect(codes.filter((code) => !sources.includes(`'${code}'`))).toEqual([])
})

test('every code is seen by a test', () => {
  const tests = readTexts((path) => /^test\/.*\.(ts|scenario)$/.test(path))
    .filter(({ path }) => path !== 'test/errors.test.ts')
    .map(({ text }) => text)
    .join('\n')
  const seen = new Set(tests.match(/\b[A-Z]+(?:_[A-Z]+)*\b/g))
  expect(codes.filter((code) => !seen.has(code) && !NOT_PROVOKED.includes(code))).toEqual([])
})
