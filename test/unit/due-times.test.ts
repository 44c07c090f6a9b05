import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DueTimes } from '../../probe/core/due-times.ts'

it('finds the same as a search through all of them', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
  const step = fc.oneof(
    fc.record({ set: name, atMs: fc.option(fc.integer({ min: 0, max: 20 })) }),
    fc.record({ take: fc.integer({ min: 0, max: 20 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const due = new DueTimes()
      const plain = new Map<string, number>()
      for (const each of steps) {
        if ('take' in each) {
          const passed = [...plain].filter(([, atMs]) => atMs <= each.take).map(([n]) => n)
          for (const n of passed) plain.delete(n)
          expect([...due.take(each.take)].sort()).toEqual(passed.sort())
        } else {
          due.set(each.set, each.atMs)
          if (each.atMs === null) plain.delete(each.set)
          else plain.set(each.set, each.atMs)
        }
        expect(due.next).toBe(plain.size > 0 ? Math.min(...plain.values()) : null)
      }
    }),
    { numRuns: 2_000 },
  )
})
