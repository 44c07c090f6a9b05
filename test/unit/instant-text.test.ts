import fc from 'fast-check'
import { expect, test } from 'vitest'
import { instantText } from '../../schema/instant-text.ts'

test('it says what a clock of the platform says', () => {
  const instant = fc.integer({ min: 0, max: 253_402_300_799_999 })
  fc.assert(
    fc.property(instant, (atMs) => {
      expect(instantText(atMs)).toBe(new Date(atMs).toISOString())
    }),
  )
  for (const text of ['1970-01-01', '2000-02-29', '2100-02-28', '2100-03-01', '2026-12-31'])
    expect(instantText(Date.parse(text))).toBe(`${text}T00:00:00.000Z`)
})
