/** The clocks of the probe, with a monotonic clock that stands still as in suspend. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { bootMs, roughBootMs } from '../../probe/clock.ts'

afterEach(() => {
  vi.useRealTimers()
})

test('the rough clock goes with the fine one: never back, never ahead', () => {
  let lastMs = 0
  for (let n = 0; n < 2_000; n += 1) {
    const nowMs = n % 3 === 0 ? bootMs() : roughBootMs()
    expect(nowMs).toBeGreaterThanOrEqual(lastMs)
    lastMs = nowMs
  }
})

test('L1: suspend counts at once; on the rough clock after a second of running', async () => {
  vi.useFakeTimers({ toFake: ['hrtime'] })
  const beforeMs = bootMs()
  await sleep(1_300)
  expect(roughBootMs()).toBe(beforeMs)
  vi.advanceTimersByTime(999)
  expect(roughBootMs()).toBeCloseTo(beforeMs + 999, 3)
  vi.advanceTimersByTime(1)
  expect(roughBootMs()).toBeGreaterThan(beforeMs + 1_250)
  await sleep(300)
  expect(bootMs()).toBeGreaterThan(beforeMs + 1_550)
})
