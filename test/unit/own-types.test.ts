/** Types of the cluster's own at the control plane: registered, checked, placed, unregistered (S-54 to S-56). */
import { describe, expect, test } from 'vitest'
import { moduleManifest, propertiesSchema } from '../../schema/module-manifest.ts'
import { typeInfo } from '../../schema/resource-types/index.ts'

const manifest = (more: object = {}) => ({
  ...{ type: 'my-db', version: '1.0.0', title: 'A database', way: 'child', example: {} },
  properties: {
    type: 'object',
    properties: {
      port: { type: 'integer', minimum: 1, maximum: 65_535, default: 5_432 },
      mode: { type: 'string', enum: ['fast', 'safe'] },
      labels: { type: 'object', additionalProperties: { type: 'string', maxLength: 10 } },
      peers: { type: 'array', items: { type: 'string' }, maxItems: 2 },
    },
    required: ['mode'],
    additionalProperties: false,
  },
  ...more,
})

describe('a manifest', () => {
  test('is data that describes a strict schema', () => {
    const { properties } = moduleManifest.parse(manifest())
    const schema = propertiesSchema(properties)
    expect(schema.parse({ mode: 'fast' })).toEqual({ mode: 'fast', port: 5_432 })
    expect(schema.parse({ mode: 'safe', labels: { a: 'b' }, peers: ['x'] })).toBeTruthy()
    for (const bad of [
      {},
      { mode: 'slow' },
      { mode: 'fast', port: 0 },
      { mode: 'fast', port: 1.5 },
      { mode: 'fast', other: 1 },
      { mode: 'fast', labels: { a: 1 } },
      { mode: 'fast', labels: { a: 'x'.repeat(11) } },
      { mode: 'fast', peers: ['1', '2', '3'] },
    ])
      expect(schema.safeParse(bad).success, JSON.stringify(bad)).toBe(false)
  })

  test.each([
    ['a pattern, which could take for ever', { mode: { type: 'string', pattern: '(a+)+$' } }],
    ['a reference', { mode: { $ref: '#/properties/mode' } }],
    ['an unknown type', { mode: { type: 'date' } }],
    ['an object that is open', { mode: { type: 'object', properties: {} } }],
    ['a name that is none', { '__proto__ x': { type: 'string' } }],
  ])('%s is refused', (_, properties) => {
    const given = manifest({
      properties: { type: 'object', properties, additionalProperties: false },
    })
    expect(moduleManifest.safeParse(given).success).toBe(false)
  })

  test.each([
    ['a version', { version: 'latest' }],
    ['a name', { type: 'My DB' }],
    ['an unknown field', { entry: 'main' }],
    ['more than it may be', { title: 'x', example: { a: 'x'.repeat(20_000) } }],
  ])('%s is refused', (_, more) => {
    expect(moduleManifest.safeParse(manifest(more)).success).toBe(false)
  })

  test('never takes the place of a type that comes with the probe', () => {
    const value = {
      manifest: moduleManifest.parse(manifest({ type: 'process', way: undefined })),
      versions: [{ version: '1.0.0', sha256: 'a'.repeat(64) }],
    }
    expect(typeInfo(new Map([['process', value]]), 'process')?.startsNothing).toBeUndefined()
    expect(typeInfo(new Map([['my-db', value]]), 'my-db')?.startsNothing).toBe(true)
    expect(typeInfo(new Map(), 'my-db')).toBeUndefined()
  })
})
