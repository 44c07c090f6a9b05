/** S-13: offset and drift of a host's clocks, from the confirms that it sends anyway. */
import { expect, test } from 'vitest'
import { ClusterClock } from '../../probe/agent/cluster-clock.ts'
import { type ClockState, measured, NO_CLOCK } from '../../probe/core/host-clock.ts'
import { clockProblem } from '../../schema/host-clock.ts'
import type { LogEntry } from '../../schema/session.ts'

const START_MS = 1_800_000_000_000

interface World {
  aheadMs: number
  ppm: number
  there: number
  back: number
}

/** A confirm that is sent at this time of the cluster, and takes so long there and back. */
function confirm(atMs: number, { aheadMs, ppm, there, back }: World) {
  const steady = (ms: number) => ms * (1 + ppm / 1e6)
  const held = 7
  const endMs = atMs + there + held + back
  return {
    sentMs: steady(atMs),
    receivedMs: steady(endMs),
    wallMs: START_MS + endMs + aheadMs,
    heardMs: START_MS + atMs + there,
    saidMs: START_MS + atMs + there + held,
  }
}

function watched(world: World, seconds: number): { state: ClockState; told: number } {
  let state = NO_CLOCK
  let told = 0
  for (let s = 0; s <= seconds; s += 20) {
    const next = measured(state, confirm(s * 1_000, world))
    state = next.state
    if (next.tell) told += 1
  }
  return { state, told }
}

test.each([
  { aheadMs: 0, ppm: 0, there: 1, back: 1 },
  { aheadMs: 300_000, ppm: 0, there: 20, back: 3 },
  { aheadMs: -12.5, ppm: 40, there: 2, back: 30 },
  { aheadMs: 5_000, ppm: -8_000, there: 0, back: 0 },
])('the offset is within what is said of its error: $aheadMs ms, $ppm ppm', (world) => {
  const { clock } = watched(world, 600).state
  if (!clock) throw new Error('not measured')
  expect(Math.abs(clock.offsetMs - world.aheadMs)).toBeLessThanOrEqual(clock.errorMs + 0.3)
  expect(clock.errorMs).toBeCloseTo((world.there + world.back) / 2, 0)
  expect(Math.abs((clock.driftPpm ?? Number.NaN) - world.ppm)).toBeLessThanOrEqual(500)
})

test('a steady clock is told of once, and once more when its drift is known', () => {
  expect(watched({ aheadMs: 3, ppm: 0, there: 10, back: 10 }, 3_000).told).toBe(2)
})

test('a step of the wall clock is told at once, and is no drift', () => {
  const world = { aheadMs: 0, ppm: 0, there: 1, back: 1 }
  const before = watched(world, 600).state
  const after = measured(before, confirm(620_000, { ...world, aheadMs: 300_000 }))
  expect(after.tell).toMatchObject({ driftPpm: 0 })
  expect(after.tell?.offsetMs).toBeCloseTo(300_000, 0)
})

test('an answer that was long under way spoils nothing; a step that it shows counts', () => {
  const world = { aheadMs: 40, ppm: 0, there: 1, back: 1 }
  const before = watched(world, 600).state
  const late = measured(before, confirm(620_000, { ...world, there: 900 }))
  expect(late.state.clock?.offsetMs).toBeCloseTo(40, 0)
  expect(late.state.clock?.errorMs).toBeLessThan(2)
  const stepped = measured(before, confirm(620_000, { ...world, aheadMs: 2_000, there: 900 }))
  expect(stepped.state.clock?.offsetMs).toBeCloseTo(1_550.5, 0)
  expect(stepped.state.clock?.errorMs).toBeCloseTo(450.5, 0)
  // What was known well ages: a day later it is worth no more than the one that took long.
  const old = measured(before, confirm(86_400_000, { ...world, there: 900 }))
  expect(old.state.clock?.errorMs).toBeCloseTo(450.5, 0)
})

test('log lines are corrected by what is surely wrong with the clock, and else by nothing', () => {
  const entry = (atMs: number) => ({ atMs }) as LogEntry
  const clock = new ClusterClock(() => {})
  const nowMs = Date.now()
  clock.welcomed(nowMs - 300)
  expect(clock.inClusterTime([entry(nowMs)])[0]?.atMs).toBe(nowMs)
  clock.welcomed(nowMs - 60_000)
  const corrected = clock.inClusterTime([entry(nowMs)])[0]?.atMs ?? 0
  expect(Math.abs(nowMs - 60_000 - corrected)).toBeLessThan(1_000)
  const sample = (aheadMs: number, wayMs: number) => ({
    ...{ sentMs: 0, receivedMs: 2 * wayMs, wallMs: nowMs + wayMs + aheadMs },
    ...{ heardMs: nowMs, saidMs: nowMs },
  })
  clock.sampled(sample(20, 30))
  expect(clock.inClusterTime([entry(nowMs)])[0]?.atMs).toBe(nowMs)
  clock.sampled(sample(20, 5))
  expect(clock.inClusterTime([entry(nowMs)])[0]?.atMs).toBe(nowMs - 20)
})

test('S-13: what is alarming: more than 250 ms for sure, or half of the rate that leases allow for', () => {
  const fine = { offsetMs: 0, errorMs: 1, driftPpm: null }
  expect(clockProblem(fine)).toBeNull()
  expect(clockProblem({ ...fine, offsetMs: 260, errorMs: 20 })).toBeNull()
  expect(clockProblem({ ...fine, offsetMs: -271, errorMs: 20 })).toBe('its clock is 271 ms behind')
  expect(clockProblem({ ...fine, offsetMs: 300_000 })).toBe('its clock is 5 min ahead')
  expect(clockProblem({ ...fine, driftPpm: -6_000 })).toContain('6000 ppm too slow')
})
