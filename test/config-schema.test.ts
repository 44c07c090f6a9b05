import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configSchema } from '../tools/config-schema.ts'
import { ROOT } from './tidy/tracked-files.ts'

test('docs/config.schema.json is not stale: npm run docs', () => {
  expect(readFileSync(join(ROOT, 'docs/config.schema.json'), 'utf8')).toBe(configSchema())
})
