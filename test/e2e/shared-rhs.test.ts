/** One RHS for all resources of a host: what that means, measured (S-28). */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { killPid } from '../../demo/host.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const COUNT = 100
let demo: Demo
beforeAll(async () => {
  demo = await startDemo({ hosts: ['n1'], profile: 'standard' })
  await demo.addGroup('many')
  for (let i = 0; i < COUNT; i += 1)
    await demo.api('createResource', {
      params: { cluster: CLUSTER },
      body: {
        name: `r${i}`,
        group: 'many',
        type: 'process',
        properties: { command: '/bin/sleep', args: ['1000'] },
        restart: { delayMs: 0 },
      },
    })
  await demo.online('many')
})
afterAll(() => endDemo(demo))

test('S-26, S-28: all share one RHS; while it hangs nothing is lost, and nothing is restarted', async () => {
  const host = demo.host('n1')
  const before = await host.status()
  expect(before?.guard.records).toHaveLength(COUNT)
  const rhs = before?.rhs.pid as number
  const victim = before?.guard.records[0]?.process?.pid as number
  process.kill(rhs, 'SIGSTOP')
  killPid(victim)
  await sleep(1_000)
  const during = await host.status()
  // A hang of one module is a hang of all: the crash is seen by the guard, and not acted on.
  expect(during?.guard.records).toHaveLength(COUNT - 1)
  expect(during?.agent.info?.connected).toBe(true)
  const at = performance.now()
  process.kill(rhs, 'SIGCONT')
  await eventually('it is restarted', async () => {
    return (await host.status())?.guard.records.length === COUNT
  })
  process.stdout.write(`restarted ${Math.round(performance.now() - at)} ms after RHS went on\n`)
  const after = await host.status()
  const pids = new Set(after?.guard.records.map((r) => r.process?.pid))
  // The other 99 are the processes they were.
  const kept = before?.guard.records.filter((r) => pids.has(r.process?.pid as number))
  expect(kept).toHaveLength(COUNT - 1)
})

test('S-28, G8: RHS dies: a fresh one has adopted all within a second, and acts', async () => {
  const host = demo.host('n1')
  const before = await host.status()
  const victim = before?.guard.records[0]
  const at = performance.now()
  killPid(before?.rhs.pid as number)
  // A crash in the middle of it: only an RHS that knows the resource again can restart it.
  killPid(victim?.process?.pid as number)
  await eventually('what died meanwhile runs again', async () => {
    const now = (await host.status())?.guard.records.find(
      (r) => r.resourceId === victim?.resourceId,
    )
    return now?.process && now.process.pid !== victim?.process?.pid
  })
  const took = Math.round(performance.now() - at)
  process.stdout.write(`a fresh RHS acted after ${took} ms\n`)
  const after = await host.status()
  const pids = new Set(after?.guard.records.map((r) => r.process?.pid))
  const kept = before?.guard.records.filter((r) => pids.has(r.process?.pid as number))
  expect(kept).toHaveLength(COUNT - 1)
  await demo.online('many')
})
