/** S-28, S-32: what a module is judged by, which is not how busy the machine is. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { BlockedTime } from '../../../probe/certify/blocked-time.ts'

let blocked: BlockedTime
afterEach(() => blocked.end())

test('a thread that computes lets nobody else run', () => {
  blocked = new BlockedTime()
  const [begunMs, before] = [performance.now(), process.cpuUsage()]
  const spentMs = () => process.cpuUsage(before).user / 1_000
  while (spentMs() < 600);
  expect(blocked.longestMs).toBeGreaterThan(400)
  expect(blocked.longestMs).toBeLessThanOrEqual(performance.now() - begunMs + 10)
})

test('nor does one that sleeps', () => {
  blocked = new BlockedTime()
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
  expect(blocked.longestMs).toBeGreaterThan(400)
})

test('a thread that waits for others keeps nobody', async () => {
  blocked = new BlockedTime()
  const before = blocked.longestMs
  await sleep(1_000)
  expect(blocked.longestMs - before).toBeLessThan(250)
})
