/** S-29, S-32: a call that never comes back costs its resource a monitor of its own, and nobody else anything. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { bundleProbe } from '../../tools/bundle-probe.ts'
import { endDemo, eventually, startDemo } from './demo.ts'
import { type Monitor, monitorsOf } from './monitors-of.ts'

const NEIGHBOURS = 20
const DEADLOCK_MS = 1_000
const POLL_MS = 200

const folder = mkdtempSync(join(tmpdir(), 'holdfast-hanging-'))
let demo: Demo
beforeAll(async () => {
  demo = await startDemo({ hosts: ['n1'], profile: 'standard' })
  await demo.addGroup('good')
  await demo.addGroup('bad')
  const add = (name: string, group: string) =>
    demo.api('createResource', {
      params: { cluster: CLUSTER },
      body: {
        ...{ name, group, type: 'process' },
        properties: { command: '/bin/sleep', args: ['1000'], env: { TOLD: folder } },
        poll: { isAliveMs: POLL_MS, deadlockMs: DEADLOCK_MS },
      },
    })
  for (let n = 1; n <= NEIGHBOURS; n += 1) await add(`good${n}`, 'good')
  await add('bad', 'bad')
  await demo.online('good')
  await demo.online('bad')
  // Every generation from now on has the module that hangs when it is told to.
  const { rhs } = await bundleProbe(join(demo.folder, 'dist'), 'test/e2e/hanging/entry-rhs.ts')
  expect(rhs).toBe(join(demo.folder, 'dist', 'holdfast-rhs.js'))
  const { pid, generation } = (await monitor('rhs')) as Monitor
  process.kill(pid as number, 'SIGKILL')
  await eventually(
    'the one that hangs',
    async () => (await monitor('rhs'))?.generation !== generation,
  )
  await eventually('all are adopted', async () => (await online('rhs')).length === NEIGHBOURS + 1)
})
afterAll(async () => {
  await endDemo(demo)
  rmSync(folder, { recursive: true, force: true })
})

const { status, monitor, online } = monitorsOf(() => demo)
const resource = (name: string) =>
  demo.api('getResource', { params: { cluster: CLUSTER, resource: name } })

const evidence = async () =>
  (await demo.api('getEvidence', { params: { cluster: CLUSTER, resource: 'bad' } })).incidents

test('a check that never returns: its monitor is replaced, its resource is alone, all others go on', async () => {
  const records = (await status()).guard.records
  const shared = (await monitor('rhs')) as Monitor
  const own = `rhs:${(await resource('bad')).id}`
  writeFileSync(join(folder, 'never'), '')
  const toldMs = performance.now()
  await eventually('another shared one', async () => {
    return ((await monitor('rhs'))?.generation ?? 0) > shared.generation
  })
  expect(performance.now() - toldMs).toBeGreaterThan(DEADLOCK_MS - POLL_MS)
  await eventually('the neighbours answer', async () => {
    return (await online('rhs')).length === NEIGHBOURS
  })
  const tookMs = Math.round(performance.now() - toldMs)
  process.stdout.write(
    `neighbours answer again ${tookMs} ms after the check began to hang (deadlock timeout ${DEADLOCK_MS} ms)\n`,
  )

  const after = (await monitor('rhs')) as Monitor
  await eventually(
    'it hangs alone, again',
    async () => ((await monitor(own))?.generation ?? 0) >= 3,
    20_000,
  )
  expect(await monitor('rhs')).toMatchObject({ pid: after.pid, generation: after.generation })
  expect((await online('rhs')).length).toBe(NEIGHBOURS)
  // No workload has noticed.
  expect((await status()).guard.records).toEqual(records)

  const bad = await resource('bad')
  expect(bad).toMatchObject({ separateMonitor: true, isolated: { node: 'n1' } })
  expect(bad.isolated?.detail).toMatch(
    /^it hangs: isAlive of process has not returned for \d+ ms.* under way: isAlive of process bad for/,
  )
  const incidents = await evidence()
  expect(incidents.at(-1)).toMatchObject({
    node: 'n1',
    monitor: 'rhs',
    detail: bad.isolated?.detail,
  })
  const open = incidents.at(-1)?.calls.filter((call) => call.tookMs === undefined)
  expect(open).toContainEqual(expect.objectContaining({ fn: 'isAlive', of: 'bad', ids: [bad.id] }))
  expect(incidents.at(-1)?.calls.length).toBeGreaterThan(10)
  const { events } = await demo.api('listEvents', { params: { cluster: CLUSTER }, query: {} })
  expect(events.filter((e) => e.because.code === 'resourceIsolated')).toHaveLength(1)
}, 60_000)

test('well again, and released by an operator: it is back with the others', async () => {
  rmSync(join(folder, 'never'))
  const own = `rhs:${(await resource('bad')).id}`
  await eventually('it is online where it is', async () => (await online(own)).length === 1)
  await demo.api('changeResource', {
    params: { cluster: CLUSTER, resource: 'bad' },
    body: { separateMonitor: false },
  })
  await eventually('the shared one has it', async () => {
    return (await online('rhs')).length === NEIGHBOURS + 1
  })
  expect(await resource('bad')).toMatchObject({ separateMonitor: false, isolated: null })
})

test('a check that blocks the whole monitor: it is known whose it was', async () => {
  const shared = (await monitor('rhs')) as Monitor
  writeFileSync(join(folder, 'blocks'), '')
  await eventually('another shared one', async () => {
    return ((await monitor('rhs'))?.generation ?? 0) > shared.generation
  })
  await eventually('the neighbours answer', async () => {
    return (await online('rhs')).length === NEIGHBOURS
  })
  await eventually('it is alone', async () => (await resource('bad')).separateMonitor)
  expect((await resource('bad')).isolated?.detail).toMatch(/no sign of life/)
  const [blocked] = await evidence()
  // On top is what it was in just then: itself, or what it calls all the time.
  expect(blocked?.stack?.join('\n')).toMatch(/isAlive \(file:\/\/\S+holdfast-rhs\.js:\d+:\d+\)$/m)
  rmSync(join(folder, 'blocks'))
}, 60_000)

test('a module that leaks ends its monitor at the limit, and from then on its own alone', async () => {
  await demo.api('changeResource', {
    params: { cluster: CLUSTER, resource: 'bad' },
    body: { separateMonitor: false },
  })
  await eventually('the shared one has it', async () => {
    return (await online('rhs')).length === NEIGHBOURS + 1
  })
  // It is not to be held to hang meanwhile: it answers nobody, and is busy.
  await demo.api('changeResource', {
    params: { cluster: CLUSTER, resource: 'bad' },
    body: { poll: { deadlockMs: 60_000 } },
  })
  const shared = (await monitor('rhs')) as Monitor
  writeFileSync(join(folder, 'leaks'), '')
  await eventually('it is alone', async () => (await resource('bad')).separateMonitor, 30_000)
  rmSync(join(folder, 'leaks'))
  expect((await resource('bad')).isolated?.detail).toMatch(/^SIGABRT; under way: .*process bad for/)
  expect((await evidence())[0]?.said?.join('\n')).toMatch(/heap out of memory/)
  // It was there before when one ended (above), so that once is enough.
  await eventually('all are online', async () => (await online('rhs')).length === NEIGHBOURS)
  expect((await monitor('rhs'))?.generation).toBe(shared.generation + 1)
}, 60_000)
