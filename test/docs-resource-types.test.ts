/** docs/resource-types.md and the pages below it name every type, property, action and exit code that there is (S-60). */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { hostPolicy } from '../schema/host-policy.ts'
import { RESOURCE_TYPES } from '../schema/resource-types/index.ts'
import { SCRIPT_ACTIONS, SCRIPT_EXIT } from '../schema/resource-types/script.ts'
import { typePages } from '../tools/docs-types.ts'
import { ROOT } from './tidy/tracked-files.ts'

const text = readFileSync(join(ROOT, 'docs/resource-types.md'), 'utf8')

/** The part about one type, by its heading. */
const sectionOf = (type: string) =>
  text.split(/^## /m).find((section) => section.split('\n')[0]?.split(', ').includes(type)) ?? ''

test.each([...RESOURCE_TYPES.keys()])('%s: its section has every property', (type) => {
  const schema = z.toJSONSchema(RESOURCE_TYPES.get(type)?.properties as z.ZodType, { io: 'input' })
  const names = Object.keys(schema.properties ?? {})
  expect(names.length).toBeGreaterThan(0)
  const section = sectionOf(type)
  expect(names.filter((name) => !section.includes(`\`${name}\``))).toEqual([])
})

test.each([...RESOURCE_TYPES.keys()])('%s: every property describes itself', (type) => {
  const schema = z.toJSONSchema(RESOURCE_TYPES.get(type)?.properties as z.ZodType, { io: 'input' })
  const mute = Object.entries(schema.properties ?? {}).filter(
    ([, property]) => typeof property === 'boolean' || !property.description,
  )
  expect(mute.map(([name]) => name)).toEqual([])
})

test('docs/resource-types/ is what the schemas say: npm run docs', () => {
  const pages = typePages()
  expect(readdirSync(join(ROOT, 'docs/resource-types')).sort()).toEqual([...pages.keys()].sort())
  for (const [name, page] of pages)
    expect(readFileSync(join(ROOT, 'docs/resource-types', name), 'utf8'), name).toBe(page)
})

test('every action and exit code of scripts, and every section of the host policy', () => {
  const section = sectionOf('script')
  expect(SCRIPT_ACTIONS.filter((action) => !section.includes(`\`${action}\``))).toEqual([])
  for (const code of Object.values(SCRIPT_EXIT))
    expect(section).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'))
  for (const key of Object.keys(hostPolicy.shape)) expect(text).toContain(`{ "${key}": {`)
})
