/** S-32: a resource monitor that hangs as a whole, as real processes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import type { HostStatus } from '../../demo/host.ts'
import { isAlive } from '../../probe/gate/proc.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const DEADLOCK_MS = 2_000
/** The time between two signs of life, and what the guard leaves for reading them. */
const NOTICED_MS = DEADLOCK_MS + 1_250

let demo: Demo
beforeAll(async () => {
  demo = await startDemo({ hosts: ['n1'], profile: 'standard' })
  await demo.addGroup('plain')
  for (const name of ['one', 'two'])
    await demo.api('createResource', {
      params: { cluster: CLUSTER },
      body: {
        ...{ name, group: 'plain', type: 'process' },
        properties: { command: '/bin/sleep', args: ['1000'] },
        poll: { isAliveMs: 500, deadlockMs: DEADLOCK_MS },
      },
    })
  await demo.online('plain')
})
afterAll(() => endDemo(demo))

const status = async () => (await demo.host('n1').status()) as HostStatus
const monitor = async () => {
  const [rhs] = (await status()).monitors
  if (!rhs) throw new Error('no monitor')
  return rhs
}
const online = async () => {
  const { tables } = await monitor()
  const members = tables === 'no answer' ? [] : tables.groups.flatMap((g) => g.members)
  return members.length === 2 && members.every((m) => m.status === 'online')
}

test('it is replaced after the deadlock timeout, and all that it held is adopted at once', async () => {
  const records = (await status()).guard.records
  const { pid, generation } = await monitor()
  const stoppedMs = performance.now()
  process.kill(pid as number, 'SIGSTOP')
  await eventually('another one', async () => (await monitor()).generation > generation, 10_000)
  const replacedMs = performance.now()
  expect(replacedMs - stoppedMs).toBeGreaterThan(DEADLOCK_MS - 1_000)
  expect(replacedMs - stoppedMs).toBeLessThan(NOTICED_MS + 2_000)
  await eventually('all is adopted', online)
  // What was measured is in the bench; here only that nobody waits for another timeout.
  expect(performance.now() - replacedMs).toBeLessThan(DEADLOCK_MS)
  expect((await status()).guard.records).toEqual(records)
  for (const { process: ref } of records) expect(ref && isAlive(ref)).toBe(true)
  await eventually('the log says why', async () => {
    const { entries } = await demo.api('listLog', { params: { cluster: CLUSTER }, query: {} })
    return entries.some((e) => e.message.includes(`no sign of life for ${DEADLOCK_MS} ms`))
  })
})

test('a guard that has stood still reads first what was said meanwhile, and ends nobody for it', async () => {
  const { generation, pid } = await monitor()
  const { guard } = await status()
  process.kill(guard.pid, 'SIGSTOP')
  // Longer than the timeout, and shorter than the lease leaves time for.
  await sleep(2_700)
  process.kill(guard.pid, 'SIGCONT')
  await sleep(1_000)
  expect(await monitor()).toMatchObject({ generation, pid })
  expect(await online()).toBe(true)
})
