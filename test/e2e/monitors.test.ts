/** Two kinds of hosts for modules, as real processes (S-23): the end of one is nothing to the other. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import type { HostStatus } from '../../demo/host.ts'
import { killPid } from '../../demo/host.ts'
import { identityOf, isAlive } from '../../probe/gate/proc.ts'
import { addScript, type DaemonScript, daemonScript } from './daemon-script.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

const POLL = { isAliveMs: 500 }
const scripts = mkdtempSync(join(tmpdir(), 'holdfast-scripts-'))
let demo: Demo
let script: DaemonScript
beforeAll(async () => {
  demo = await startDemo({
    hosts: ['n1'],
    // A tree that was killed is back within the lease, also where that takes six seconds.
    profile: 'wan',
    policy: { script: { commands: [`${scripts}/*`] } },
  })
  script = daemonScript(scripts, 'd')
  await demo.addGroup('plain')
  await demo.api('createResource', {
    params: { cluster: CLUSTER },
    body: {
      name: 'sleeper',
      group: 'plain',
      type: 'process',
      properties: { command: '/bin/sleep', args: ['1000'] },
      poll: POLL,
    },
  })
  await demo.addGroup('scripted')
  await addScript(
    demo,
    'daemon',
    'scripted',
    script,
    { poll: POLL, restart: { attempts: 20, delayMs: 0 } },
    { timeouts: { checkMs: 3_000 } },
  )
  await demo.online('plain')
  await demo.online('scripted')
})
afterAll(async () => {
  await endDemo(demo)
  rmSync(scripts, { recursive: true, force: true })
})

const host = () => demo.host('n1')
const status = async () => (await host().status()) as HostStatus
const monitor = async (name: string) => {
  const found = (await status()).monitors.find((m) => m.monitor === name)
  if (!found) throw new Error(`no monitor ${name}`)
  return found
}
const tables = async (name: string) => {
  const { tables } = await monitor(name)
  return tables === 'no answer' ? null : tables
}
const checks = async (name: string, type: string) =>
  (await tables(name))?.modules.find((m) => m.type === type)?.calls ?? 0

test('S-23: a type runs in the kind of process that hosts it', async () => {
  const types = async (name: string) => (await tables(name))?.modules.map((m) => m.type).sort()
  expect(await types('rhs')).toEqual(['http-endpoint', 'process', 'tcp-endpoint'])
  expect(await types('rhs-exec')).toEqual(['script'])
  const { guard } = await status()
  expect(guard.records.map((r) => [r.monitor, r.daemon]).sort()).toEqual([
    ['rhs', undefined],
    ['rhs-exec', true],
  ])
  // The script's own process has ended long ago; what it left is on record (G2, G3).
  expect(script.daemon()).not.toBeNull()
})

describe.each([
  { dies: 'rhs-exec', lives: 'rhs', type: 'process' },
  { dies: 'rhs', lives: 'rhs-exec', type: 'script' },
])('S-21, S-23: kill -9 of $dies', ({ dies, lives, type }) => {
  test(`${lives} polls on, no workload is touched, and ${dies} adopts its own (G8)`, async () => {
    const before = await status()
    const daemon = script.daemon()
    const other = await monitor(lives)
    const polled = await checks(lives, type)
    const { pid, generation } = await monitor(dies)
    killPid(pid as number)
    await eventually(`${dies} is back`, async () => {
      const now = await monitor(dies)
      return now.generation > generation && now.tables !== 'no answer'
    })
    await eventually('it has looked at what it adopted', async () => {
      const members = (await tables(dies))?.groups.flatMap((g) => g.members)
      return members?.length === 1 && members[0]?.status === 'online'
    })
    await eventually(`${lives} has polled meanwhile`, async () => {
      return (await checks(lives, type)) > polled + 2
    })
    expect(await monitor(lives)).toMatchObject({ pid: other.pid, generation: other.generation })
    expect((await status()).guard.records).toEqual(before.guard.records)
    expect(script.daemon()).toEqual(daemon)
    for (const group of ['plain', 'scripted']) expect((await demo.online(group)).epoch).toBe(1)
    expect(script.calls().filter((call) => call.startsWith('online'))).toHaveLength(1)
  })
})

test('S-25: the tables say what each module and each group does; one that hangs says nothing', async () => {
  const now = await tables('rhs-exec')
  expect(now?.modules[0]).toMatchObject({ resources: 1, states: { online: 1 } })
  const [group] = now?.groups ?? []
  expect(group).toMatchObject({
    epoch: 1,
    members: [{ name: 'daemon', status: 'online', persistentState: 1, restarts: 0 }],
  })
  expect(group?.isAlive?.tookMs).toBeGreaterThan(0)
  const { pid } = await monitor('rhs-exec')
  process.kill(pid as number, 'SIGSTOP')
  try {
    const at = performance.now()
    const during = await status()
    expect(performance.now() - at).toBeLessThan(1_900)
    expect(during.monitors.map((m) => [m.monitor, m.tables === 'no answer'])).toEqual([
      ['rhs', false],
      ['rhs-exec', true],
    ])
  } finally {
    process.kill(pid as number, 'SIGCONT')
  }
})

test('a check that hangs is ended, and the daemon replaced; one that is well again is kept', async () => {
  const daemon = script.daemon()
  script.set('hangs')
  await eventually('another daemon runs', () => {
    const now = script.daemon()
    return now && now.pid !== daemon?.pid
  })
  rmSync(join(script.folder, 'hangs'))
  // A restart never leaves the one before behind.
  expect(daemon && isAlive(daemon)).toBe(false)
  await eventually('it is online', async () => {
    const members = (await tables('rhs-exec'))?.groups.flatMap((g) => g.members)
    return members?.[0]?.status === 'online'
  })
  await demo.online('scripted')
  expect((await tables('rhs-exec'))?.modules[0]?.open.length).toBeLessThanOrEqual(1)
})

test('G8, G10: the whole tree killed: the daemonised workload lives on and is adopted', async () => {
  const daemon = script.daemon()
  const guard = host().guardPid
  const starts = script.calls().filter((call) => call.startsWith('online')).length
  host().killProbe()
  await eventually(
    'a new tree with a session',
    async () => {
      const now = await host().status()
      return now && now.guard.pid !== guard && now.agent.info?.connected
    },
    20_000,
  )
  await sleep(1_500)
  await demo.online('scripted')
  expect(script.daemon()).toEqual(daemon)
  expect(script.calls().filter((call) => call.startsWith('online'))).toHaveLength(starts)
})

test('S-40: offline asks the script; the record ends when nothing of the kill group runs', async () => {
  const daemon = script.daemon()
  await demo.api('offlineGroup', { params: { cluster: CLUSTER, group: 'scripted' } })
  await eventually('the record is gone', async () => (await status()).guard.records.length === 1)
  expect(daemon && isAlive(daemon)).toBe(false)
  expect(script.calls().some((call) => call.startsWith('offline'))).toBe(true)
  await demo.api('onlineGroup', { params: { cluster: CLUSTER, group: 'scripted' } })
  await demo.online('scripted')
})

test('G5, L5: a lapse kills every monitor and what a script has daemonised', async () => {
  const daemon = script.daemon()
  const pids = host().treePids()
  process.kill(pids.agent as number, 'SIGSTOP')
  try {
    await eventually('the daemon is gone', () => daemon && !isAlive(daemon), 30_000)
    // A process that was killed takes a moment to be gone.
    const dead = (pid?: number) => pid === undefined || identityOf(pid) === null
    await eventually('both are gone', () => dead(pids.rhs) && dead(pids.rhsExec), 1_000)
  } finally {
    process.kill(pids.agent as number, 'SIGCONT')
  }
  await demo.allUp()
  await demo.online('scripted')
})
