/** S-30: what a module is given as the properties of a resource. */
import { expect, test } from 'vitest'
import * as z from 'zod'
import { propertiesOf } from '../../probe/rhs/properties.ts'
import type { HeldResource } from '../../schema/ipc.ts'
import type { ResourceModule } from '../../schema/resource-type.ts'

const held = (properties: Record<string, unknown>) => ({ properties }) as unknown as HeldResource

/** A module that is nothing but a schema, which counts how often it was asked. */
function moduleWith(schema: z.ZodType) {
  let parses = 0
  const properties = z.preprocess((given) => {
    parses += 1
    return given
  }, schema)
  return { module: { properties } as unknown as ResourceModule, parses: () => parses }
}

const plain = z.object({ args: z.array(z.object({ name: z.string() })), grace: z.int().default(5) })

test('S-30: they are parsed once for what is held, and anew when that is replaced', () => {
  const { module, parses } = moduleWith(plain)
  const one = held({ args: [{ name: 'a' }] })
  expect(propertiesOf(one, module)).toEqual({ args: [{ name: 'a' }], grace: 5 })
  expect(propertiesOf(one, module)).toBe(propertiesOf(one, module))
  expect(parses()).toBe(1)
  expect(propertiesOf(held({ args: [], grace: 7 }), module)).toEqual({ args: [], grace: 7 })
  expect(parses()).toBe(2)
})

test('S-30: another module parses for itself', () => {
  const one = held({ args: [] })
  propertiesOf(one, moduleWith(plain).module)
  const other = moduleWith(z.object({ args: z.unknown().transform(() => 'other') }))
  expect(propertiesOf(one, other.module)).toEqual({ args: 'other' })
})

test('S-31: no call can leave anything in them for the next one, however deep', () => {
  const { module } = moduleWith(plain)
  const one = held({ args: [{ name: 'a' }] })
  const given = propertiesOf(one, module) as { args: { name: string }[]; grace: number }
  expect(() => {
    given.grace = 0
  }).toThrow(TypeError)
  expect(() => given.args.push({ name: 'b' })).toThrow(TypeError)
  expect(() => {
    ;(given.args[0] as { name: string }).name = 'b'
  }).toThrow(TypeError)
  expect(propertiesOf(one, module)).toEqual({ args: [{ name: 'a' }], grace: 5 })
})

test.each([
  ['a Map', () => new Map([['a', 1]])],
  ['a Date', () => new Date(0)],
  ['bytes', () => new Uint8Array(2)],
  ['an object of a class', () => new (class Own {})()],
  ['a function', () => () => {}],
  ['a getter', () => Object.defineProperty({}, 'now', { get: () => 1, enumerable: true })],
])('S-31: what cannot be frozen is made anew for each call: %s', (_, make) => {
  const { module, parses } = moduleWith(z.object({ deep: z.unknown().transform(() => [make()]) }))
  const one = held({ deep: 1 })
  expect(propertiesOf(one, module)).not.toBe(propertiesOf(one, module))
  expect(parses()).toBe(2)
})

test('S-30: properties that do not fit are said so each time', () => {
  const { module } = moduleWith(plain)
  const one = held({ args: 'none' })
  expect(() => propertiesOf(one, module)).toThrow()
  expect(() => propertiesOf(one, module)).toThrow()
})
