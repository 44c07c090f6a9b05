/** N−1 (docs/decisions/compatibility.md): which protocol a node speaks with which control plane. */
import { expect, test } from 'vitest'
import { PROTOCOL, PROTOCOL_OLDEST, spokenWith } from '../../schema/session.ts'

test('a node speaks the lower of both, as long as it knows that one', () => {
  expect(spokenWith(PROTOCOL)).toBe(PROTOCOL)
  expect(spokenWith(PROTOCOL + 1)).toBe(PROTOCOL)
  expect(spokenWith(PROTOCOL_OLDEST)).toBe(PROTOCOL_OLDEST)
})

test('with one that is older than it knows it says its own, and is refused for that', () => {
  expect(spokenWith(PROTOCOL_OLDEST - 1)).toBe(PROTOCOL)
})

test('one version before, and no more', () => {
  expect(PROTOCOL - PROTOCOL_OLDEST).toBeLessThanOrEqual(1)
})
