import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Overlay } from '../../worker/core/overlay.ts'

const key = fc.constantFrom('a', 'b', 'c', 'd')
const change = fc.oneof(
  fc.record({ key, value: fc.integer() }),
  fc.record({ key, value: fc.constant(null) }),
)

test('property: it is what a copy would be, and leaves alone what it is laid over', () => {
  fc.assert(
    fc.property(fc.dictionary(key, fc.integer()), fc.array(change), (was, changes) => {
      const base = new Map(Object.entries(was))
      const copy = new Map(base)
      const laid = new Overlay(base)
      for (const { key, value } of changes)
        if (value === null) expect(laid.delete(key)).toBe(copy.delete(key))
        else {
          laid.set(key, value)
          copy.set(key, value)
        }
      const sorted = (all: Iterable<[string, number]>) => [...all].sort()
      expect(laid.size).toBe(copy.size)
      expect(sorted(laid)).toEqual(sorted(copy))
      expect([...laid.keys()].sort()).toEqual([...copy.keys()].sort())
      expect([...laid.values()].sort()).toEqual([...copy.values()].sort())
      for (const key of ['a', 'b', 'c', 'd']) {
        expect(laid.get(key)).toBe(copy.get(key))
        expect(laid.has(key)).toBe(copy.has(key))
      }
      const seen: [string, number][] = []
      laid.forEach((value, key) => {
        seen.push([key, value])
      })
      expect(sorted(seen)).toEqual(sorted(copy))
      for (const { key } of changes)
        if (base.has(key) || laid.has(key)) expect([...laid.changed]).toContain(key)
      laid.clear()
      expect([laid.size, [...laid]]).toEqual([0, []])
      expect(Object.fromEntries(base)).toEqual(was)
    }),
  )
})
