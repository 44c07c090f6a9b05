/** Real probe trees against the real Worker in workerd: every process is killed once (layer 4). */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { childrenOf, killPid } from '../../demo/host.ts'
import { identityOf } from '../../probe/gate/proc.ts'
import { endDemo, eventually, LONGER_THAN_LEASE_MS, startDemo, starts } from './demo.ts'

describe('processes of a host die one by one', () => {
  let demo: Demo
  beforeAll(async () => {
    demo = await startDemo({ profile: 'standard' })
    await demo.addGroup('ledger')
    await demo.addWitness('ledger', 'ledger', { delayMs: 0, attempts: 100 })
    await demo.online('ledger', 'n1')
    await eventually('the witness writes', () => starts(demo).length === 1)
  })
  afterAll(() => endDemo(demo))

  const owner = async () => demo.host((await demo.group('ledger')).owner as string)
  const workload = async () => (await (await owner()).status())?.guard.records[0]?.process?.pid

  test('S-21, G8: RHS killed: the session goes on, the workload is adopted', async () => {
    const host = await owner()
    const before = await host.status()
    const pid = await workload()
    killPid(before?.rhs.pid as number)
    await eventually('a new RHS tells its statuses', async () => {
      const now = await host.status()
      return now?.rhs.pid !== before?.rhs.pid && now?.agent.info?.resources[0]?.status === 'online'
    })
    await sleep(300)
    expect((await host.status())?.agent.info?.session).toBe(before?.agent.info?.session)
    expect(await workload()).toBe(pid)
    expect(starts(demo)).toHaveLength(1)
  })

  test('G8: agent killed: a new session, the workload is not touched', async () => {
    const host = await owner()
    const before = await host.status()
    const pid = await workload()
    killPid(before?.agent.pid as number)
    await eventually('a new session', async () => {
      const info = (await host.status())?.agent.info
      return info?.connected && info.session !== before?.agent.info?.session
    })
    await sleep(LONGER_THAN_LEASE_MS)
    expect(await workload()).toBe(pid)
    expect((await demo.online('ledger', host.name)).epoch).toBe(1)
  })

  test('G10, G11: guard killed and back within T_gap: grant and workload adopted', async () => {
    const host = await owner()
    const pid = await workload()
    const guard = host.guardPid as number
    killPid(guard)
    await eventually('a new guard with a session', async () => {
      const now = await host.status()
      return now && now.guard.pid !== guard && now.agent.info?.connected
    })
    await sleep(LONGER_THAN_LEASE_MS)
    expect(await workload()).toBe(pid)
    expect(starts(demo)).toHaveLength(1)
    expect((await demo.online('ledger', host.name)).epoch).toBe(1)
  })

  test('process: its exit is an event also after the guard was restarted', async () => {
    const pid = (await workload()) as number
    killPid(pid)
    await eventually('it is started again', () => starts(demo).length === 2)
    expect(starts(demo)[1]?.epoch).toBe(1)
    expect(demo.overlaps('ledger')).toBe(0)
  })

  test('process: a daemonised grandchild goes with its workload before the restart', async () => {
    const pid = (await workload()) as number
    const grandchild = await eventually('the grandchild holds the lock', () =>
      childrenOf(pid).find((child) => identityOf(child)),
    )
    killPid(pid)
    await eventually('it is started again', () => starts(demo).length === 3)
    expect(identityOf(grandchild)).toBeNull()
    expect(demo.overlaps('ledger')).toBe(0)
  })

  test('S-15, G5, G6: agent silent (stopped): the guard stops all before the lease ends', async () => {
    const host = await owner()
    const pid = (await workload()) as number
    const { agent } = host.treePids()
    process.kill(agent as number, 'SIGSTOP')
    await eventually('the workload is gone', () => identityOf(pid) === null, 10_000)
    // It is gone before the control plane gives the group away.
    expect(starts(demo)).toHaveLength(3)
    await eventually('it comes up elsewhere', () => starts(demo).length === 4, 20_000)
    process.kill(agent as number, 'SIGCONT')
    expect(starts(demo)[3]?.owner).not.toBe(host.name)
    expect(demo.overlaps('ledger')).toBe(0)
    await demo.allUp()
  })

  test('S-90, D3: a whole host killed: up elsewhere after the lease, never on two', async () => {
    const host = await owner()
    const before = starts(demo).length
    host.powerCut()
    await eventually('it comes up elsewhere', () => starts(demo).length > before, 20_000)
    expect(starts(demo).at(-1)?.owner).not.toBe(host.name)
    expect(demo.overlaps('ledger')).toBe(0)
    await host.boot()
    await demo.allUp()
  })

  test('clean shutdown: groups are released without a lease wait, and stay wanted', async () => {
    const host = await owner()
    const before = starts(demo).length
    const begun = performance.now()
    const ended = host.shutDown()
    await eventually('it comes up elsewhere', () => starts(demo).length > before, 3_000)
    const took = performance.now() - begun
    await ended
    const { groups, nodes } = await demo.view()
    expect(groups[0]?.resources[0]?.persistentState).toBe(1)
    expect(nodes.find((n) => n.name === host.name)?.state).toBe('down')
    const { events } = await demo.api('listEvents', {
      params: { cluster: CLUSTER },
      query: { limit: 1_000 },
    })
    expect(events.at(-1)?.message).toBeDefined()
    expect(events.some((e) => e.because.code === 'saidGoodbye')).toBe(true)
    expect(took).toBeLessThan(3_000)
    expect(demo.overlaps('ledger')).toBe(0)
  })

  test('G8, G10: guard, agent and RHS killed: resources that depend on each other stay up', async () => {
    const args = ['-c', 'exec sleep 1000']
    await demo.addGroup('pair', { preferredOwners: ['n1'] })
    for (const [name, dependsOn] of [
      ['below', []],
      ['above', ['below']],
    ] as const)
      await demo.api('createResource', {
        params: { cluster: CLUSTER },
        body: {
          name,
          group: 'pair',
          type: 'process',
          properties: { command: '/bin/sh', args },
          dependsOn: [...dependsOn],
        },
      })
    await demo.online('pair')
    const owner = demo.host((await demo.group('pair')).owner as string)
    const pids = async () =>
      (await owner.status())?.guard.records.map((r) => r.process?.pid).sort() ?? []
    const before = await pids()
    expect(before.length).toBeGreaterThanOrEqual(2)
    const guard = owner.guardPid
    owner.killProbe()
    await eventually('a new tree with a session', async () => {
      const now = await owner.status()
      return now && now.guard.pid !== guard && now.agent.info?.connected
    })
    await sleep(LONGER_THAN_LEASE_MS)
    await demo.online('pair', owner.name)
    expect(await pids()).toEqual(before)
  })
})
