/** S-17: who hears whom, and for whom the alarm may stand late. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LIMITS } from '../../schema/limits.ts'
import { type PeerSession, peerRing, vouchedFor } from '../../worker/core/peers.ts'

const nodes = (count: number, address = (i: number) => `10.0.${i >> 8}.${i & 255}`) =>
  Array.from({ length: count }, (_, i) => ({ nodeId: `n${i}`, address: address(i) }))

test('a small cluster is a mesh', () => {
  for (let count = 1; count <= LIMITS.peerMeshMax; count += 1) {
    const ring = peerRing(nodes(count))
    for (const peers of ring.values()) expect(peers).toHaveLength(count - 1)
  }
})

test('S-17: in a large one everybody is heard by several, mutually, and nobody by all', () => {
  fc.assert(
    fc.property(fc.integer({ min: LIMITS.peerMeshMax + 1, max: 200 }), (count) => {
      const ring = peerRing(nodes(count))
      for (const [id, peers] of ring) {
        expect(new Set(peers).size).toBe(LIMITS.peerRingNeighbours)
        expect(peers.length).toBeLessThanOrEqual(LIMITS.peersMax)
        expect(peers).not.toContain(id)
        for (const peer of peers) expect(ring.get(peer)).toContain(id)
      }
    }),
    { numRuns: 30 },
  )
})

test('the order in which nodes come makes no difference', () => {
  const some = nodes(20)
  expect(peerRing([...some].reverse())).toEqual(peerRing(some))
})

test('only addresses that can reach each other are put together', () => {
  const ring = peerRing([
    { nodeId: 'a', address: '127.0.0.1' },
    { nodeId: 'b', address: '10.0.0.1' },
    { nodeId: 'c', address: 'fd00::1' },
    { nodeId: 'd', address: '10.0.0.2' },
    { nodeId: 'e', address: '127.0.0.2' },
    { nodeId: 'f', address: '::1' },
  ])
  expect(Object.fromEntries(ring)).toEqual({ a: ['e'], b: ['d'], c: [], d: ['b'], e: ['a'], f: [] })
})

const session = (
  nodeId: string,
  number: number,
  hears: PeerSession['hears'] = {},
): PeerSession => ({
  ...{ nodeId, session: number, suspect: false, hears },
})
const heard = (number: number, answered = true) => ({ session: number, answered })
const vouched = (...sessions: PeerSession[]) => [...vouchedFor(sessions)].sort()

test('vouched for: whom another session hears now', () => {
  const n1 = session('n1', 1, { n2: heard(2) })
  expect(vouched(n1, session('n2', 2, { n1: heard(1) }))).toEqual(['n1', 'n2'])
  expect(vouched(n1, session('n2', 2))).toEqual(['n2'])
  expect(vouched(n1)).toEqual([])
})

test('not by a witness that is suspect itself', () => {
  const n1 = { ...session('n1', 1, { n2: heard(2) }), suspect: true }
  expect(vouched(n1, session('n2', 2))).toEqual([])
})

test('not in another session, and not one that says that it is not answered', () => {
  const n2 = session('n2', 2)
  for (const word of [heard(1), heard(3), heard(2, false)])
    expect(vouched(session('n1', 1, { n2: word }), n2)).toEqual([])
})
