/** S-32: isolated at once on the host, told, tried among the others again, and for longer each time. */
import { beforeEach, expect, test } from 'vitest'
import { Isolation } from '../../probe/agent/isolation.ts'
import type { Report } from '../../probe/agent/reports.ts'
import type { Resource } from '../../schema/hive.ts'
import { aloneMs } from '../../schema/isolation.ts'

const A = '00000000-0000-4000-8000-00000000000a'
const HOUR_MS = 3_600_000
const own = `rhs:${A}`
let told: Report[]
let isolation: Isolation
beforeEach(() => {
  told = []
  isolation = new Isolation((report) => told.push(report))
})

const down = (monitor: string, nowMs: number, suspects = [A]) =>
  isolation.down({ t: 'rhsDown', monitor, generation: 1, detail: 'it hangs', suspects }, [], nowMs)
const hive = (times: number | null): ReadonlyMap<string, Resource> =>
  new Map([
    [
      A,
      {
        separateMonitor: true,
        ...(times !== null && {
          isolated: { node: A, atMs: 0, detail: '' },
          isolations: { times, atMs: 0 },
        }),
      } as Resource,
    ],
  ])

test('alone before the hive says so, and as the hive says from then on', () => {
  expect(isolation.isAlone(A, false)).toBe(false)
  down('rhs', 0)
  expect(told).toMatchObject([{ t: 'isolated', resources: [A], incident: { monitor: 'rhs' } }])
  expect(isolation.isAlone(A, false)).toBe(true)
  expect(isolation.isAlone(A, true)).toBe(true)
  expect(isolation.isAlone(A, false)).toBe(false)
})

test('a monitor of its own that ends again and again is told of once a minute, a shared one always', () => {
  for (const [monitor, atMs] of [
    ['rhs', 0],
    [own, 1_000],
    [own, 59_000],
    [own, 61_000],
    ['rhs', 62_000],
  ] as const)
    down(monitor, atMs)
  expect(told.map((r) => (r.t === 'isolated' ? r.incident.monitor : r.t))).toEqual([
    'rhs',
    own,
    'rhs',
  ])
  down('rhs', 63_000, [])
  expect(told).toHaveLength(3)
})

test('well alone for an hour: told once; its monitor ending in between begins the hour anew', () => {
  isolation.up(own, 0)
  isolation.look(hive(1), () => true, HOUR_MS - 1)
  down(own, HOUR_MS, [])
  isolation.up(own, HOUR_MS)
  isolation.look(hive(1), () => true, 2 * HOUR_MS - 1)
  expect(told).toEqual([])
  isolation.look(hive(1), () => true, 2 * HOUR_MS)
  isolation.look(hive(1), () => true, 2 * HOUR_MS + 60_000)
  expect(told).toEqual([{ t: 'wellAlone', resources: [A] }])
})

test('what an operator wants alone is never released', () => {
  isolation.up(own, 0)
  isolation.look(hive(null), () => true, 100 * HOUR_MS)
  isolation.look(new Map(), () => true, 200 * HOUR_MS)
  expect(told).toEqual([])
})

test('each time for longer, at most a day', () => {
  expect([1, 2, 3, 5, 6, 1_000].map((times) => aloneMs(times) / HOUR_MS)).toEqual([
    1, 2, 4, 16, 24, 24,
  ])
  isolation.up(own, 0)
  isolation.look(hive(3), () => true, 4 * HOUR_MS - 1)
  expect(told).toEqual([])
  isolation.look(hive(3), () => true, 4 * HOUR_MS)
  expect(told).toHaveLength(1)
})
