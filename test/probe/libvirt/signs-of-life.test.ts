import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { identityOf } from '../../../probe/gate/proc.ts'
import { LOOKS_PER_QUESTION, SignsOfLife } from '../../../probe/libvirt/signs-of-life.ts'
import type { ProcessRef } from '../../../schema/workload.ts'

let child: ChildProcess | undefined
afterEach(() => void child?.kill('SIGKILL'))

/** Its main thread goes to sleep and wakes up all the time, or never sleeps. */
async function running(script: string): Promise<ProcessRef> {
  child = spawn('/bin/sh', ['-c', script])
  await new Promise((resolve) => child?.stdout?.once('data', resolve))
  return identityOf(child.pid as number) as ProcessRef
}

const WAKES = 'echo up; while :; do sleep 0.01; done'
const SPINS = 'echo up; while :; do :; done'
const LOOK_MS = 300

test('S-43: a main loop that goes to sleep of its own accord lives; now and then it is asked all the same', async () => {
  const signs = new SignsOfLife()
  const process = await running(WAKES)
  const seen: boolean[] = []
  for (let n = 0; n < 2 * LOOKS_PER_QUESTION; n += 1) {
    seen.push(signs.seen(process))
    await sleep(LOOK_MS)
  }
  expect(seen[0]).toBe(false)
  expect(seen.flatMap((is, n) => (is ? [] : [n + 1]))).toEqual([
    1,
    LOOKS_PER_QUESTION,
    2 * LOOKS_PER_QUESTION,
  ])
  signs.forget()
}, 20_000)

const harms: [string, string, (of: ProcessRef) => void][] = [
  ['is stopped', WAKES, ({ pid }) => void process.kill(pid, 'SIGSTOP')],
  ['is dead', WAKES, ({ pid }) => void process.kill(pid, 'SIGKILL')],
  ['spins', SPINS, () => {}],
]

test.for(harms)('S-43: one that %s gives no sign of life', { timeout: 20_000 }, async (harmed) => {
  const [, script, harm] = harmed
  const signs = new SignsOfLife()
  const of = await running(script)
  signs.seen(of)
  await sleep(LOOK_MS)
  harm(of)
  await sleep(LOOK_MS)
  for (let n = 0; n < 3; n += 1) {
    expect(signs.seen(of)).toBe(false)
    await sleep(LOOK_MS)
  }
  signs.forget()
})

test('what has come under the same number is another process', async () => {
  const signs = new SignsOfLife()
  const process = await running(WAKES)
  const other = { ...process, startTicks: process.startTicks + 1 }
  expect(signs.seen(other)).toBe(false)
  await sleep(LOOK_MS)
  expect(signs.seen(other)).toBe(false)
  expect(signs.seen(null)).toBe(false)
})
