/**
 * Units of systemd in a cluster (G3 to G5, G8, S-62, S-68), with real probes, a real bus, and a double
 * of systemd that runs real processes in real cgroups. The guard alone ends them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { identityOf, isAlive } from '../../probe/gate/proc.ts'
import { missing, SystemdHost } from '../probe/systemd/host.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

if (missing !== null) process.stderr.write(`skipped: units in a cluster: ${missing}\n`)

const UNIT = 'pg.service'

describe.skipIf(missing !== null)('units of systemd in a cluster', () => {
  let host: SystemdHost
  let demo: Demo
  beforeAll(async () => {
    host = await SystemdHost.start()
    await host.define(UNIT, { exec: 'exec sleep 1000' })
    demo = await startDemo({
      hosts: ['n1', 'n2'],
      profile: 'standard',
      hostOptions: (name) => ({
        policy:
          name === 'n1'
            ? { 'systemd-unit': host.section([UNIT, 'bad.service']) }
            : { 'systemd-unit': host.section(['other.service']) },
      }),
    })
  })
  afterAll(async () => {
    await endDemo(demo)
    await host?.end()
  })

  const add = async (group: string, unit: string) => {
    await demo.addGroup(group)
    await demo.api('createResource', {
      params: { cluster: CLUSTER },
      body: {
        ...{ name: group, group, type: 'systemd-unit', properties: { unit } },
        poll: { isAliveMs: 1_000 },
      },
    })
    await demo.api('onlineGroup', { params: { cluster: CLUSTER, group } })
  }
  const why = async (group: string) =>
    JSON.stringify(await demo.api('whyGroup', { params: { cluster: CLUSTER, group } }))
  const resource = async (group: string) => (await demo.group(group)).resources[0]

  test('it runs where the policy names it, and why says so of the other host', async () => {
    await add('pg', UNIT)
    await demo.online('pg', 'n1')
    expect(host.pids(UNIT)).toHaveLength(1)
    expect((await demo.host('n1').status())?.guard.records).toMatchObject([
      { phase: 'running', undo: { kind: 'unit', unit: UNIT } },
    ])
    const refused = await demo
      .api('moveGroup', { params: { cluster: CLUSTER, group: 'pg' }, body: { to: 'n2' } })
      .then(
        () => null,
        (error: { refusal?: object }) => error.refusal,
      )
    expect(refused).toMatchObject({
      message: expect.stringContaining("this host's policy does not allow unit pg.service"),
    })
    expect(host.pids(UNIT)).toHaveLength(1)
  })

  test('bad input: a unit that does not exist says so, and what to do', async () => {
    await add('bad', 'bad.service')
    await eventually('why says so', async () =>
      /there is no unit bad\.service on this host: install/.test(await why('bad')),
    )
  })

  test('G8: a monitor and an agent that die leave it alone, and know it again', async () => {
    const before = host.pids(UNIT)
    const { agent = 0, rhs = 0 } = demo.host('n1').treePids()
    for (const pid of [agent, rhs]) process.kill(pid, 'SIGKILL')
    await eventually('another monitor', () => {
      const now = demo.host('n1').treePids().rhs
      return now !== undefined && now !== rhs
    })
    await demo.allUp()
    await demo.online('pg', 'n1')
    expect(host.pids(UNIT)).toEqual(before)
  })

  test('a crash is repaired where it stands', async () => {
    const [before = 0] = host.pids(UNIT)
    process.kill(before, 'SIGKILL')
    await eventually('another process', () => host.pids(UNIT).some((pid) => pid !== before))
    await demo.online('pg', 'n1')
  })

  test('S-62, S-68: a stop by an administrator reaches the hive, and it stays stopped', async () => {
    host.busctl('StopUnit', 'ss', UNIT, 'replace')
    await eventually('the hive has it', async () => (await resource('pg'))?.persistentState === 0)
    expect(host.pids(UNIT)).toEqual([])
    await eventually('the record has ended', async () => {
      const records = (await demo.host('n1').status())?.guard.records ?? []
      return records.length === 0
    })
    // What the cluster does not want nobody starts: the guard has taken the permission back.
    host.busctl('StartUnit', 'ss', UNIT, 'replace')
    await sleep(300)
    expect(host.pids(UNIT)).toEqual([])
    await demo.api('onlineGroup', { params: { cluster: CLUSTER, group: 'pg' } })
    await demo.online('pg', 'n1')
    expect(host.pids(UNIT)).toHaveLength(1)
  })

  test('L4, G5: at a lapse the guard ends it without module and without systemd', async () => {
    const [pid = 0] = host.pids(UNIT)
    const daemon = identityOf(pid)
    await host.endBus()
    const { agent = 0, rhs = 0 } = demo.host('n1').treePids()
    for (const one of [agent, rhs]) process.kill(one, 'SIGSTOP')
    const begunMs = performance.now()
    // Gone from its cgroup, and dead: a zombie is.
    const ended = () => host.pids(UNIT).length === 0 && !(daemon && isAlive(daemon))
    await eventually('it is ended', ended, 20_000)
    // TTL of the profile, from the last answer, which may be one ping old.
    const tookMs = performance.now() - begunMs
    process.stderr.write(`a unit of a silent host was ended after ${tookMs.toFixed(0)} ms\n`)
    expect(daemon).not.toBeNull()
    await host.startBus()
    await demo.allUp()
    await eventually('it is started again', () => host.pids(UNIT).length === 1, 30_000)
    expect(host.pids(UNIT)).not.toEqual([pid])
    await demo.online('pg', 'n1')
  })
})
