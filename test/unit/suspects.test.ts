/** S-29, S-32: whose module took its resource monitor along. */
import { expect, test } from 'vitest'
import { type Death, suspectsOf } from '../../probe/core/suspects.ts'

const death = (atMs: number, open: number, ...resources: string[]): Death => ({
  ...{ atMs, open, resources },
})

test.each([
  ['hangs in its only call', 'hangs', death(0, 1, 'a'), [], ['a']],
  ['ends by itself in its only call', 'exit', death(0, 1, 'a'), [], ['a']],
  ['is killed once, by anybody', 'signal', death(0, 1, 'a'), [], []],
  ['is killed again in the same call', 'signal', death(9, 1, 'a'), [death(0, 1, 'a')], ['a']],
  ['is killed again in another one', 'signal', death(9, 1, 'a'), [death(0, 1, 'b')], []],
  ['ends in one of two calls', 'exit', death(0, 2, 'a', 'b'), [], []],
  [
    'ends twice, one call was there both times',
    'exit',
    death(9, 2, 'a', 'b'),
    [death(0, 2, 'b', 'c')],
    ['b'],
  ],
  ['ends again much later', 'exit', death(700_000, 2, 'a', 'b'), [death(0, 2, 'b', 'c')], []],
  ['is ended by us', 'meant', death(9, 1, 'a'), [death(0, 1, 'a')], []],
  ['was idle', 'exit', death(0, 0), [], []],
  ['a call about too many', 'hangs', death(0, 1, 'a', 'b', 'c', 'd', 'e'), [], []],
  ['a call about a few', 'hangs', death(0, 1, 'b', 'a', 'b'), [], ['a', 'b']],
] as const)('a monitor that %s', (_, ending, now, earlier, expected) => {
  expect(suspectsOf(earlier, now, ending)).toEqual(expected)
})
