/** S-50: hints of a module on how its resources are stopped; the order between dependents is the agent's, and stays. */
import { expect, test } from 'vitest'
import { Bench, heldResource } from './rhs-bench.ts'

const guid = (n: number) => `00000000-0000-4000-8000-0000000000${String(n).padStart(2, '0')}`

/** So many online, of the type `process` with these hints, or of another one. */
function online(hints: object, count: number, type = 'process'): Bench {
  const bench = new Bench()
  bench.state.hints = new Map([['process', hints]])
  for (let n = 1; n <= count; n += 1) {
    bench.hold({ guid: guid(n), type })
    bench.end({ ok: true }, guid(n))
    bench.end({ ok: true }, guid(n))
    expect(bench.run(guid(n))?.status).toBe('online')
  }
  return bench
}
const stopAll = (bench: Bench, count: number, over: object = {}) =>
  bench.step({
    type: 'held',
    resources: Array.from({ length: count }, (_, n) =>
      heldResource({ guid: guid(n + 1), target: 0, persistentState: 0, ...over }),
    ),
    onRecord: new Set(),
  })
const called = (bench: Bench) =>
  bench.effects.flatMap((e) => (e.type === 'call' ? [`${e.fn} ${Number(e.guid.slice(-2))}`] : []))

test('without a hint all are stopped together, gracefully', () => {
  const bench = online({}, 4)
  stopAll(bench, 4, { leaving: true, hurry: true })
  expect(called(bench)).toEqual(['offline 1', 'offline 2', 'offline 3', 'offline 4'])
})

test('fastOffline: at once where time counts, gracefully where it does not', () => {
  const bench = online({ fastOffline: true }, 2)
  stopAll(bench, 1, { leaving: true })
  expect(called(bench)).toEqual(['offline 1'])
  // The host begins to go down meanwhile: what is being stopped gracefully is not waited for.
  stopAll(bench, 2, { leaving: true, hurry: true })
  expect(called(bench)).toEqual(['terminate 1', 'terminate 2'])
  bench.end({ ok: true }, guid(2))
  expect(bench.run(guid(2))?.status).toBe('offline')
})

test('fastOffline: what is to travel travels', () => {
  const bench = online({ fastOffline: true }, 1)
  const carry = { mid: guid(99), method: 'quick' as const }
  stopAll(bench, 1, { leaving: true, persistentState: 1, carry })
  expect(called(bench)).toEqual(['save 1'])
})

test('parallelStop: so many at once, and the next one with each that has ended', () => {
  const bench = online({ parallelStop: 2 }, 5)
  stopAll(bench, 5)
  expect(called(bench)).toEqual(['offline 1', 'offline 2'])
  expect(bench.effects).toContainEqual({
    type: 'log',
    guid: guid(3),
    message: 'waits: 2 of process are stopped at once',
  })
  bench.end({ ok: true }, guid(2))
  expect(called(bench)).toEqual(['offline 3'])
  // One that is wanted again meanwhile has no turn any more.
  bench.hold({ guid: guid(4) })
  expect(called(bench)).toEqual([])
  bench.end({ ok: true }, guid(1))
  expect(called(bench)).toEqual(['offline 5'])
  expect([...bench.state.waiting]).toEqual([])
  expect(bench.run(guid(4))).toMatchObject({ status: 'online', call: null })
})

test('parallelStop: one that hangs is terminated after its time, and holds up nobody for longer', () => {
  const bench = online({ parallelStop: 1 }, 2)
  stopAll(bench, 2)
  expect(called(bench)).toEqual(['offline 1'])
  bench.wait(10_000)
  expect(called(bench)).toEqual(['terminate 1', 'offline 2'])
})

test('parallelStop: an operator who kills waits for no turn, and other types have turns of their own', () => {
  const bench = online({ parallelStop: 1 }, 2)
  stopAll(bench, 2, { stopHere: 'kill' })
  expect(called(bench)).toEqual(['terminate 1', 'terminate 2'])
  const others = online({ parallelStop: 1 }, 3, 'script')
  stopAll(others, 3, { type: 'script' })
  expect(called(others)).toHaveLength(3)
})
