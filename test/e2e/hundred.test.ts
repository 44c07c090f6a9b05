/**
 * S-28, S-29: a hundred resources on one host, of which one ends its resource monitor again and again. It
 * runs in one of its own, by the flag, and the other 99 never miss an answer.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import type { HostStatus } from '../../demo/host.ts'
import { bundleProbe } from '../../tools/bundle-probe.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const GROUPS = 3
const NEIGHBOURS = 99
const POLL_MS = 500
/** An answer is late when the one after it should have come as well. */
const LATE_MS = 3 * POLL_MS
const WATCHED_MS = 8_000

const folder = mkdtempSync(join(tmpdir(), 'holdfast-hundred-'))
let demo: Demo

type Monitor = HostStatus['monitors'][number]
const status = async () => (await demo.host('n1').status()) as HostStatus & { nowMs: number }
const named = (all: HostStatus, name: string) => all.monitors.find((m) => m.monitor === name)
const tablesOf = (monitor: Monitor | undefined) =>
  monitor && monitor.tables !== 'no answer' ? monitor.tables : null
const onlineIn = (monitor: Monitor | undefined) =>
  (tablesOf(monitor)?.groups ?? []).flatMap((g) => g.members).filter((m) => m.status === 'online')

beforeAll(async () => {
  demo = await startDemo({ hosts: ['n1'], profile: 'standard' })
  const add = (name: string, group: string, separateMonitor: boolean) =>
    demo.api('createResource', {
      params: { cluster: CLUSTER },
      body: {
        ...{ name, group, type: 'process', separateMonitor },
        properties: { command: '/bin/sleep', args: ['1000'], env: { TOLD: folder } },
        poll: { isAliveMs: POLL_MS },
      },
    })
  for (let n = 0; n < GROUPS; n += 1) await demo.addGroup(`good${n}`)
  await demo.addGroup('bad')
  for (let n = 0; n < NEIGHBOURS; n += 1) await add(`one${n}`, `good${n % GROUPS}`, false)
  await add('bad', 'bad', true)
  for (let n = 0; n < GROUPS; n += 1) await demo.online(`good${n}`)
  await demo.online('bad')
  // Every generation from now on has the module that ends when it is told to.
  await bundleProbe(join(demo.folder, 'dist'), 'test/e2e/hanging/entry-rhs.ts')
  const before = named(await status(), 'rhs')
  process.kill(before?.pid as number, 'SIGKILL')
  await eventually('another monitor has them all', async () => {
    const now = named(await status(), 'rhs')
    return now?.pid !== before?.pid && onlineIn(now).length === NEIGHBOURS
  })
})
afterAll(async () => {
  await endDemo(demo)
  rmSync(folder, { recursive: true, force: true })
})

test('with the flag set on that one, the other 99 never miss an answer', async () => {
  const { id } = await demo.api('getResource', {
    params: { cluster: CLUSTER, resource: 'bad' },
  })
  const own = `rhs:${id}`
  const begin = await status()
  const shared = named(begin, 'rhs')
  // The monitor of its own began before the module that ends was there.
  process.kill(named(begin, own)?.pid as number, 'SIGKILL')
  writeFileSync(join(folder, 'exits'), '')
  const firstOwn = named(begin, own)?.generation ?? 0
  const end = performance.now() + WATCHED_MS
  let looks = 0
  let oldestMs = 0
  while (performance.now() < end) {
    const now = await status()
    const monitor = named(now, 'rhs')
    expect(monitor).toMatchObject({ pid: shared?.pid, generation: shared?.generation })
    const tables = tablesOf(monitor)
    expect(tables, 'the monitor of the 99 does not answer').not.toBeNull()
    expect(onlineIn(monitor)).toHaveLength(NEIGHBOURS)
    for (const { isAlive } of tables?.groups ?? []) {
      const ageMs = (tables?.atMs ?? 0) - (isAlive?.atMs ?? 0)
      oldestMs = Math.max(oldestMs, ageMs)
      expect(ageMs).toBeLessThan(LATE_MS)
    }
    looks += 1
    await sleep(50)
  }
  const after = await status()
  const ended = (named(after, own)?.generation ?? 0) - firstOwn
  process.stdout.write(
    `${NEIGHBOURS} neighbours looked at ${looks} times while the other's monitor ended ${ended} times: last answer ${Math.round(oldestMs)} ms ago at most\n`,
  )
  expect(ended).toBeGreaterThanOrEqual(4)
  expect(looks).toBeGreaterThan(20)
  // No workload has noticed, the one of the module that ends included.
  expect(after.guard.records).toEqual(begin.guard.records)
}, 60_000)
