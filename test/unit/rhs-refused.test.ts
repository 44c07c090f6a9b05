/** C3: what the guard refuses for now is asked for again, and is no failure. */
import { beforeEach, expect, test } from 'vitest'
import { Bench } from './rhs-bench.ts'

let rhs: Bench
beforeEach(() => {
  rhs = new Bench()
})

test('at once at first, and more rarely the longer it waits; the reason is said once', () => {
  rhs.hold()
  rhs.end()
  const asked: number[] = []
  const said: string[] = []
  while (rhs.nowMs < 30_000) {
    asked.push(rhs.nowMs)
    rhs.end({ ok: false, refused: 'noLease' })
    said.push(...rhs.log)
    for (let ms = 0; rhs.run()?.call === null && ms < 1_000; ms += 25) rhs.wait(25)
    expect(rhs.run()?.call?.fn).toBe('online')
  }
  expect(asked.filter((ms) => ms <= 100).length).toBeGreaterThanOrEqual(4)
  expect(asked.filter((ms) => ms > 15_000).length).toBeLessThanOrEqual(16)
  expect(said).toEqual(['online refused by the guard: noLease'])
})

test('asked again soon, not counted, whatever a check says meanwhile', () => {
  rhs.hold()
  rhs.end()
  for (let i = 0; i < 25; i += 1) {
    rhs.end({ ok: false, refused: 'noLease' })
    rhs.push('offline')
    rhs.push('stopped')
    expect(rhs.reports).toEqual([])
    // Within a second, however long it has been waiting.
    rhs.wait(1_000)
    expect(rhs.run()?.call?.fn).toBe('online')
  }
  rhs.end()
  expect(rhs.reports).toMatchObject([{ status: 'online', restarts: 0 }])
})
