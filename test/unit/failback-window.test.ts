/** S-19: hours of a time zone, through the changes of its clocks. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type FailbackWindow,
  failback,
  failbackText,
  isOpen,
  opensAtMs,
  parseFailback,
} from '../../schema/failback.ts'
import { localMinutes } from '../../schema/time-zone.ts'

const window = (from: string, to: string, timeZone: string): FailbackWindow => ({
  ...{ when: 'window', from, to, timeZone },
})
const BERLIN = 'Europe/Berlin'
const at = (text: string) => Date.parse(text)

describe('the window', () => {
  test.each([
    ['before it', '2026-01-10T00:59:00Z', false],
    ['its first minute', '2026-01-10T01:00:00Z', true],
    ['its last minute', '2026-01-10T02:59:59Z', true],
    ['after it', '2026-01-10T03:00:00Z', false],
    ['its first minute in summer', '2026-07-10T00:00:00Z', true],
    ['after it in summer', '2026-07-10T02:00:00Z', false],
  ])('is open or shut by the clocks of its time zone: %s', (_, when, open) => {
    expect(isOpen(window('02:00', '04:00', BERLIN), at(when))).toBe(open)
  })

  test('goes over midnight; one that ends when it begins is always open', () => {
    const night = window('22:00', '04:00', 'UTC')
    expect(isOpen(night, at('2026-01-10T23:00:00Z'))).toBe(true)
    expect(isOpen(night, at('2026-01-10T03:59:00Z'))).toBe(true)
    expect(isOpen(night, at('2026-01-10T12:00:00Z'))).toBe(false)
    expect(isOpen(window('05:00', '05:00', 'UTC'), at('2026-01-10T12:00:00Z'))).toBe(true)
  })

  test('clocks set forward: 02:00 to 02:30 is left out that night, and opens the next', () => {
    const gap = window('02:00', '02:30', BERLIN)
    expect(new Date(opensAtMs(gap, at('2026-03-29T00:30:00Z'))).toISOString()).toBe(
      '2026-03-30T00:00:00.000Z',
    )
  })

  test('clocks set forward: one that ends after the gap opens at the first time there is', () => {
    const over = window('02:15', '04:00', BERLIN)
    expect(new Date(opensAtMs(over, at('2026-03-28T23:30:00Z'))).toISOString()).toBe(
      '2026-03-29T01:00:00.000Z',
    )
  })

  test('clocks set back: open both times', () => {
    const twice = window('02:00', '03:00', BERLIN)
    for (const when of ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z'])
      expect(isOpen(twice, at(when)), when).toBe(true)
    expect(isOpen(twice, at('2026-10-25T02:00:00Z'))).toBe(false)
  })

  test('opens when it says, soon enough, and not before', () => {
    const minute = fc
      .tuple(fc.nat(23), fc.constantFrom(0, 15, 30, 45))
      .map(([h, m]) => `${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}`)
    const zone = fc.constantFrom(
      'UTC',
      BERLIN,
      'America/New_York',
      'Asia/Kathmandu',
      'Pacific/Apia',
    )
    const nowMs = fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2027-12-31T00:00:00Z') })
    fc.assert(
      fc.property(minute, minute, zone, nowMs, (from, to, timeZone, now) => {
        const shown = window(from, to, timeZone)
        const opens = opensAtMs(shown, now)
        expect(opens).toBeGreaterThanOrEqual(now)
        expect(opens - now).toBeLessThanOrEqual(49 * 3_600_000)
        expect(isOpen(shown, opens)).toBe(true)
        // By the quarter of an hour, which every change of a clock is a multiple of.
        for (let ms = now; ms < opens; ms += 15 * 60_000) expect(isOpen(shown, ms)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })
})

test('a time zone that does not exist is refused, and so are hours that are none', () => {
  expect(failback.safeParse(window('02:00', '04:00', 'Mars/Olympus')).error?.message).toContain(
    'a time zone of the IANA data base',
  )
  expect(failback.safeParse(window('25:00', '04:00', 'UTC')).success).toBe(false)
  expect(localMinutes('Asia/Kathmandu', at('2026-01-01T00:00:00Z'))).toBe(5 * 60 + 45)
})

test('as people write it', () => {
  for (const text of ['off', 'at-once', '22:00-04:00@Europe/Berlin'])
    expect(failbackText(parseFailback(text) ?? { when: 'off' })).toBe(text)
  for (const text of [
    'sometimes',
    '22-04@Europe/Berlin',
    '22:00-04:00@Nowhere/None',
    '22:00-04:00',
  ])
    expect(parseFailback(text), text).toBeNull()
})
