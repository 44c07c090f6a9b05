/** Values that fit a schema, for fast-check, and values that nearly do. */
import fc from 'fast-check'
import type * as z from 'zod'

type Def = { type: string } & Record<string, unknown>
const defOf = (schema: z.ZodType) => (schema as unknown as { _zod: { def: Def } })._zod.def

const GUIDS = Array.from(
  { length: 8 },
  (_, n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
)
const TEXT = fc.oneof(
  fc.constantFrom('', 'n1', 'web', 'online', 'a'.repeat(64), 'é', '\u0000', '__proto__', '1e999'),
  fc.constantFrom(...GUIDS),
  fc.string({ maxLength: 20 }),
)
const NUMBER = fc.oneof(
  fc.constantFrom(0, 1, 2, -1, 0.5, 2 ** 31, Number.MAX_SAFE_INTEGER, 1e300),
  fc.nat(1_000),
)

/** A value that the schema describes; bounds and patterns are hit often, not always. */
export function arbitraryOf(schema: z.ZodType): fc.Arbitrary<unknown> {
  const def = defOf(schema)
  const inner = () => arbitraryOf(def['innerType'] as z.ZodType)
  switch (def.type) {
    case 'object': {
      const shape = Object.entries(def['shape'] as Record<string, z.ZodType>)
      return fc.record(Object.fromEntries(shape.map(([key, of]) => [key, arbitraryOf(of)])))
    }
    case 'union':
      return fc.oneof(...(def['options'] as z.ZodType[]).map(arbitraryOf))
    case 'literal':
      return fc.constantFrom(...(def['values'] as unknown[]))
    case 'enum':
      return fc.constantFrom(...Object.values(def['entries'] as Record<string, string>))
    case 'array':
      return fc.array(arbitraryOf(def['element'] as z.ZodType), { maxLength: 3 })
    case 'record':
      return fc.dictionary(TEXT, arbitraryOf(def['valueType'] as z.ZodType), { maxKeys: 3 })
    case 'optional':
      return fc.option(inner(), { nil: undefined })
    case 'nullable':
      return fc.option(inner(), { nil: null })
    case 'default':
    case 'readonly':
    case 'nonoptional':
    case 'prefault':
      return inner()
    case 'pipe':
      return arbitraryOf(def['in'] as z.ZodType)
    case 'string':
      return TEXT
    case 'number':
    case 'int':
      return NUMBER
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

/** What may stand where something else should. */
const WRONG = fc.oneof(
  fc.constantFrom(null, [], {}, '', -1, 1e300, true, 'x'.repeat(5_000), [[[[]]]]),
  fc.jsonValue({ maxDepth: 2 }),
)

/** The text of a frame: as it should be, nearly so, or anything at all. */
export function frameText(schema: z.ZodType): fc.Arbitrary<string> {
  const fits = arbitraryOf(schema)
  const text = (value: unknown) => JSON.stringify(value) ?? ''
  const spoilt = fc
    .tuple(fits, fc.nat(), WRONG, fc.constantFrom('replace', 'remove', 'add'))
    .map(([value, at, wrong, how]) => text(spoil(value, at, wrong, how)))
  const cut = fc.tuple(fits, fc.nat()).map(([value, at]) => {
    const whole = text(value)
    return whole.slice(0, at % (whole.length + 1))
  })
  return fc.oneof(
    { weight: 4, arbitrary: spoilt },
    { weight: 2, arbitrary: fits.map(text) },
    { weight: 1, arbitrary: cut },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }).map(text) },
    { weight: 1, arbitrary: fc.string({ maxLength: 40, unit: 'binary' }) },
  )
}

function spoil(value: unknown, at: number, wrong: unknown, how: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong
  const copy: Record<string, unknown> = { ...value }
  const keys = Object.keys(copy)
  const key = keys[at % Math.max(keys.length, 1)]
  if (key === undefined || how === 'add') copy['extra'] = wrong
  else if (how === 'remove') delete copy[key]
  else if (at % 3 === 0 && typeof copy[key] === 'object' && copy[key] !== null)
    copy[key] = spoil(copy[key], Math.floor(at / 7), wrong, how)
  else copy[key] = wrong
  return copy
}
