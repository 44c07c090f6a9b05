/** S-28, S-29, as real processes: one of a hundred crashes its resource monitor again and again. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import type { HostStatus } from '../../demo/host.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const CROWD = 99
/** Checked so often; the crasher more often than the others. */
const CROWD_POLL_MS = 2_000
const CRASH_POLL_MS = 500
const WATCHED_MS = 12_000
/** So many there have to be of those of the crowd, one less than there is time for. */
const CHECKS = WATCHED_MS / CROWD_POLL_MS - 1
const LATE_MS = 30_000

/** A daemon of its own, and a check that takes its monitor, the parent of its shell, along where the file `crashes` is there. */
const SCRIPT = `#!/bin/sh
dir=$HOLDFAST_PROP_folder
pid=$dir/pid.$HOLDFAST_PROP_name
case $1 in
  online) setsid sh -c 'echo $$ > '$pid'; exec sleep 1000' </dev/null >/dev/null 2>&1 &
    while [ ! -s $pid ]; do sleep 0.01; done
    exit 0 ;;
  offline) kill $(cat $pid); rm -f $pid; exit 0 ;;
  isAlive)
    if [ "$HOLDFAST_PROP_name" = crasher ] && [ -f $dir/crashes ]; then kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); sleep 1000; fi
    if [ -s $pid ] && kill -0 $(cat $pid); then exit 0; fi
    exit 7 ;;
esac
exit 3
`

const folder = mkdtempSync(join(tmpdir(), 'holdfast-crowd-'))
const command = join(folder, 'daemon.sh')
const crashes = join(folder, 'crashes')
let demo: Demo
beforeAll(async () => {
  writeFileSync(command, SCRIPT)
  chmodSync(command, 0o755)
  demo = await startDemo({
    hosts: ['n1'],
    profile: 'standard',
    policy: { script: { commands: [`${folder}/*`] } },
  })
  for (const group of ['crowd', 'bad', 'plain']) await demo.addGroup(group)
  const add = (name: string, group: string, isAliveMs: number) =>
    demo.api('createResource', {
      params: { cluster: CLUSTER },
      body: {
        ...{ name, group, type: 'script' },
        properties: { command, parameters: { folder, name } },
        poll: { isAliveMs },
      },
    })
  for (let n = 1; n <= CROWD; n += 1) await add(`one${n}`, 'crowd', CROWD_POLL_MS)
  await add('crasher', 'bad', CRASH_POLL_MS)
  await demo.api('createResource', {
    params: { cluster: CLUSTER },
    body: {
      ...{ name: 'sleeper', group: 'plain', type: 'process' },
      properties: { command: '/bin/sleep', args: ['1000'] },
      poll: { isAliveMs: CRASH_POLL_MS },
    },
  })
  await demo.online('crowd', undefined, 60_000)
  await demo.online('bad')
  await demo.online('plain')
}, 120_000)
afterAll(async () => {
  await endDemo(demo)
  rmSync(folder, { recursive: true, force: true })
})

const status = async () => (await demo.host('n1').status()) as HostStatus
const monitors = async () => (await status()).monitors
const monitor = async (name: string) => (await monitors()).find((m) => m.monitor === name)
const members = async (name: string) => {
  const tables = (await monitor(name))?.tables
  return tables === undefined || tables === 'no answer'
    ? []
    : tables.groups.flatMap((g) => g.members)
}
const records = async () => new Map((await status()).guard.records.map((r) => [r.resourceId, r]))
const alone = (resource: string, separateMonitor: boolean) =>
  demo.api('changeResource', {
    params: { cluster: CLUSTER, resource },
    body: { separateMonitor },
  })
const idOf = async (name: string, from: string) =>
  (await members(from)).find((m) => m.name === name)?.guid as string

test('S-29: switched live, there and back: the workload does not notice', async () => {
  const guid = await idOf('sleeper', 'rhs')
  const own = `rhs:${guid}`
  const before = (await records()).get(guid)
  await alone('sleeper', true)
  await eventually('its own monitor holds it', async () => {
    const [held] = await members(own)
    return held?.name === 'sleeper' && held.status === 'online'
  })
  expect(await members('rhs')).toEqual([])
  expect((await records()).get(guid)).toEqual(before)

  // The end of one is nothing to the other (S-21), and its workload is adopted (G8).
  const shared = await monitor('rhs')
  const { pid, generation } = (await monitor(own)) as NonNullable<typeof shared>
  process.kill(pid as number, 'SIGKILL')
  await eventually('another one has adopted it', async () => {
    const now = await monitor(own)
    const [held] = await members(own)
    return (now?.generation ?? 0) > generation && held?.status === 'online'
  })
  expect(await monitor('rhs')).toMatchObject({ pid: shared?.pid, generation: shared?.generation })
  expect((await records()).get(guid)).toEqual(before)

  await alone('sleeper', false)
  await eventually('the shared one holds it again', async () => {
    const [held] = await members('rhs')
    return held?.name === 'sleeper' && held.status === 'online'
  })
  await eventually('its own is gone', async () => (await monitor(own)) === undefined)
  expect((await records()).get(guid)).toEqual(before)
  expect((await demo.online('plain')).epoch).toBe(1)
})

test('S-28, S-29, S-32: who was there twice when all went down is alone, and the other 99 never miss an answer', async () => {
  const guid = await idOf('crasher', 'rhs-exec')
  const own = `rhs-exec:${guid}`
  const before = await records()
  expect(before.size).toBe(CROWD + 2)
  writeFileSync(crashes, '')
  const first = (await monitor('rhs-exec'))?.generation ?? 0
  await eventually(
    'all of them go down with it, and again',
    async () => {
      return ((await monitor('rhs-exec'))?.generation ?? 0) >= first + 2
    },
    30_000,
  )

  await eventually('the log says what it was doing', async () => {
    const { entries } = await demo.api('listLog', { params: { cluster: CLUSTER }, query: {} })
    return entries.some(({ message }) =>
      /^rhs-exec generation .* under way: .*isAlive of script crasher/.test(message),
    )
  })

  await eventually('it is alone from now on', async () => {
    const params = { cluster: CLUSTER, resource: 'crasher' }
    const { separateMonitor, isolated } = await demo.api('getResource', { params })
    return separateMonitor && isolated?.node === 'n1'
  })
  await eventually('it crashes alone', async () => ((await monitor(own))?.generation ?? 0) >= 2)
  await eventually(
    'the others are all known to be online',
    async () => {
      const crowd = await members('rhs-exec')
      return crowd.length === CROWD && crowd.every((m) => m.status === 'online')
    },
    20_000,
  )

  const shared = await monitor('rhs-exec')
  const lonely = (await monitor(own))?.generation ?? 0
  const endMs = performance.now() + WATCHED_MS
  let checked = 0
  let lastMs = 0
  // For a while, and on a machine that is slow until there was something to see.
  const seenEnough = async () =>
    checked >= CHECKS && ((await monitor(own))?.generation ?? 0) > lonely + 2
  while (performance.now() < endMs || !(await seenEnough())) {
    expect(performance.now(), `${checked} checks`).toBeLessThan(endMs + LATE_MS)
    const now = await monitor('rhs-exec')
    expect(now).toMatchObject({ pid: shared?.pid, generation: shared?.generation })
    if (now?.tables === 'no answer' || !now) throw new Error('the shared monitor does not answer')
    const [group] = now.tables.groups
    expect(group?.members.filter((m) => m.status !== 'online')).toEqual([])
    // Each check is one call for all of them (S-27).
    const atMs = group?.isAlive?.atMs ?? 0
    if (atMs !== lastMs) checked += 1
    lastMs = atMs
    await sleep(200)
  }
  // A monitor that crashes is no failure of what it watches: nothing was restarted.
  expect(await records()).toEqual(before)

  rmSync(crashes)
  await eventually('well again, it is watched from where it is', async () => {
    const [held] = await members(own)
    return held?.status === 'online'
  })
})
