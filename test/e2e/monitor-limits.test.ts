/**
 * S-32: what a resource monitor may take of its host. A module that fills memory besides the heap, which V8 does not
 * bound, is ended by the kernel at the limit of its monitor; it is known whose it was, and the others go on.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { CgroupLimits } from '../../probe/guard/monitor-limits.ts'
import { bundleProbe } from '../../tools/bundle-probe.ts'
import { endDemo, eventually, startDemo } from './demo.ts'
import { type Monitor, monitorsOf } from './monitors-of.ts'

const NEIGHBOURS = 5
const MEMORY_MB = 160

const folder = mkdtempSync(join(tmpdir(), 'holdfast-limits-'))
const missing = missingHere()
if (missing !== null) process.stdout.write(`skipped: ${missing}\n`)

let demo: Demo
beforeAll(async () => {
  if (missing !== null) return
  const limits = { each: { memoryMb: MEMORY_MB, cpuPercent: 90 }, separate: { memoryMb: 128 } }
  demo = await startDemo({ hosts: ['n1'], profile: 'standard', policy: { monitors: limits } })
  await bundleProbe(join(demo.folder, 'dist'), 'test/e2e/hanging/entry-rhs.ts')
  for (const [group, names] of [
    ['good', Array.from({ length: NEIGHBOURS }, (_, n) => `good${n}`)],
    ['bad', ['bad']],
  ] as const) {
    await demo.addGroup(group)
    for (const name of names)
      await demo.api('createResource', {
        params: { cluster: CLUSTER },
        body: {
          ...{ name, group, type: 'process' },
          properties: { command: '/bin/sleep', args: ['1000'], env: { TOLD: folder } },
          poll: { isAliveMs: 200, deadlockMs: 60_000 },
        },
      })
    await demo.online(group)
  }
  const { pid, generation } = (await monitor('rhs')) as Monitor
  process.kill(pid as number, 'SIGKILL')
  await eventually(
    'the one that grows',
    async () => (await monitor('rhs'))?.generation !== generation,
  )
  await eventually('all are adopted', async () => (await online('rhs')).length === NEIGHBOURS + 1)
})
afterAll(async () => {
  await endDemo(demo)
  rmSync(folder, { recursive: true, force: true })
})

const { status, monitor, online } = monitorsOf(() => demo)
const bad = () => demo.api('getResource', { params: { cluster: CLUSTER, resource: 'bad' } })

test.skipIf(missing !== null)('the limits are there before it has begun anything', async () => {
  const pid = (await monitor('rhs'))?.pid as number
  expect(limitOf(pid, 'memory')).toBe(String(MEMORY_MB * 1_048_576))
  expect(limitOf(pid, 'cpu')).toMatch(/^90000\b/)
  const { guard, agent } = await status()
  for (const other of [guard.pid, agent.pid as number])
    expect(limitOf(other, 'memory')).not.toBe(String(MEMORY_MB * 1_048_576))
})

test.skipIf(missing !== null)(
  'one that leaks to the limit: its monitor ends, it is alone, all others go on',
  async () => {
    const records = (await status()).guard.records
    const { generation } = (await monitor('rhs')) as Monitor
    writeFileSync(join(folder, 'grows'), '')
    await eventually('it is alone', async () => (await bad()).separateMonitor, 60_000)
    await eventually(
      'the neighbours are adopted',
      async () => (await online('rhs')).length === NEIGHBOURS,
    )
    // Several calls may have been under way the first time; it was there the second time at the latest.
    expect((await monitor('rhs'))?.generation).toBeLessThanOrEqual(generation + 2)
    expect((await bad()).isolated?.detail).toMatch(
      new RegExp(`^at its memory limit of ${MEMORY_MB} MB; SIGKILL; under way: .*process bad for`),
    )
    const own = `rhs:${(await bad()).id}`
    await eventually(
      'its own ends at its own limit',
      async () => ((await monitor(own))?.generation ?? 0) > 1,
      60_000,
    )
    rmSync(join(folder, 'grows'))
    await eventually('it is well where it is', async () => (await online(own)).length === 1, 30_000)
    expect(limitOf((await monitor(own))?.pid as number, 'memory')).toBe(String(128 * 1_048_576))
    expect((await status()).guard.records).toEqual(records)
  },
  180_000,
)

test('without controllers it is said once why, and nothing else is different', () => {
  const said: string[] = []
  const limits = new CgroupLimits('00000000-0000-4000-8000-00000000000f', (what) => said.push(what))
  for (const name of ['a', 'b']) limits.apply(name, 2 ** 30, { memoryMb: 96 }, null)
  limits.end()
  expect(said).toHaveLength(1)
  expect(said[0]).toMatch(
    /^the memory of resource monitors cannot be limited, only their heap is bounded: /,
  )
})

/** By the kernel's own word on this process, in the version that has the controller. */
function limitOf(pid: number, controller: 'memory' | 'cpu'): string | null {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'latin1').split('\n')
  const mounts = readFileSync('/proc/self/mounts', 'latin1')
    .split('\n')
    .map((l) => l.split(' '))
  const old = mounts.find(
    ([, , type, o]) => type === 'cgroup' && o?.split(',').includes(controller),
  )
  const unified = mounts.find(([, , type]) => type === 'cgroup2')
  const path = (of: (line: string) => boolean) =>
    lines.find(of)?.split(':').slice(2).join(':') ?? ''
  const [mount, own, file] = old
    ? [
        old[1],
        path((l) => l.split(':')[1] === controller),
        controller === 'memory' ? 'memory.limit_in_bytes' : 'cpu.cfs_quota_us',
      ]
    : [
        unified?.[1],
        path((l) => l.startsWith('0::')),
        controller === 'memory' ? 'memory.max' : 'cpu.max',
      ]
  try {
    return readFileSync(join(mount ?? '', own, file), 'latin1').trim()
  } catch {
    return null
  }
}

/** Why limits cannot be tried here, or null. */
function missingHere(): string | null {
  const mounts = readFileSync('/proc/self/mounts', 'latin1')
  const has = (controller: string) =>
    new RegExp(`^\\S+ \\S+ cgroup \\S*\\b${controller}\\b`, 'm').test(mounts)
  if (process.getuid?.() !== 0) return 'limits of monitors need root'
  return has('memory') && has('cpu') ? null : 'no controllers of cgroup v1 here'
}
