/** The control plane is killed under running workloads, which is back within the lease on any machine. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { killPid } from '../../demo/host.ts'
import { endDemo, eventually, startDemo, starts } from './demo.ts'

let demo: Demo
beforeAll(async () => {
  demo = await startDemo({ profile: 'wan' })
  await demo.addGroup('ledger')
  await demo.addWitness('ledger', 'ledger')
  await demo.online('ledger')
  await eventually('the witness writes', () => starts(demo).length === 1)
})
afterAll(() => endDemo(demo))

test('C4, D5: workerd killed (-9) and back: no pid changes, no acknowledged change is lost', async () => {
  const created: string[] = []
  for (let round = 0; round < 3; round += 1) {
    const name = `kept-${round}`
    await demo.addGroup(name)
    created.push(name)
    const pid = demo.control.workerdPid()
    expect(pid).not.toBeNull()
    killPid(pid as number)
    await demo.allUp(20_000)
    await sleep(500)
  }
  const view = await demo.view()
  for (const name of created) expect(view.groups.map((g) => g.name)).toContain(name)
  expect(starts(demo)).toHaveLength(1)
  const group = await demo.online('ledger')
  expect(group.epoch).toBe(1)
})

test('S-04, S-78: every replica reaches the version and hash of the hive', async () => {
  await demo.addGroup('last')
  await demo.online('ledger')
  for (const host of demo.hosts)
    await eventually(`${host.name} has caught up`, async () => {
      const { seq, hash } = await demo.view()
      const replica = (await host.status())?.agent.info?.replica
      return replica?.seq === seq && replica.hash === hash
    })
})

test('S-97, S-81, S-82: the log of a failover has its steps in order, under one id', async () => {
  const before = await demo.group('ledger')
  await demo.api('changeResource', {
    params: { cluster: CLUSTER, resource: 'ledger' },
    body: { restart: { attempts: 0 } },
  })
  const { seq } = await demo.view()
  await eventually('its host has heard of it', async () => {
    const status = await demo.host(before.owner as string).status()
    return (status?.agent.info?.replica.seq ?? 0) >= seq
  })
  killPid(starts(demo)[0]?.pid as number)
  await eventually('it comes up elsewhere', () => starts(demo).length === 2)
  await demo.online('ledger')
  const steps = [
    /^\[RHS\] failed: .*attempts used up/,
    /^\[RCM\] ledger is failed .*restart attempts used up/,
    /^\[FM\] group ledger: leaves /,
    /^\[NM\] node list for FM: /,
    /^\[FM\] offer to /,
    /^\[FM\] offer accepted by /,
    /^\[FM\] group ledger: \S+ owns it/,
    /^\[FM\] list for RHS: .*=1/,
    /^\[RHS\] open ledger PersistentState=1/,
    /^\[RHS\] online ledger PersistentState=1/,
  ]
  // Hosts write a moment later than they see: the clock, one for all here, tells the order.
  const chain = async () => {
    const params = { cluster: CLUSTER }
    const query = { limit: 1_000, resource: 'ledger' }
    const { entries } = await demo.api('listLog', { params, query })
    const failed = entries.find((e) => e.component === 'RHS' && /used up/.test(e.message))
    if (!failed?.correlationId) return []
    const { correlationId } = failed
    const all = await demo.api('listLog', { params, query: { limit: 1_000, correlationId } })
    return [...all.entries].sort((x, y) => x.atMs - y.atMs || x.id - y.id)
  }
  const textOf = (log: Awaited<ReturnType<typeof chain>>) =>
    log.map((e) => `[${e.component}] ${e.message}`)
  const placesIn = (text: readonly string[]) =>
    steps.map((step) => text.findIndex((line) => step.test(line)))
  await eventually('all have written', async () => !placesIn(textOf(await chain())).includes(-1))
  const log = await chain()
  const text = textOf(log)
  const found = placesIn(text)
  const times = found.map((at) => log[at]?.atMs ?? 0)
  expect(times, text.join('\n')).toEqual([...times].sort((x, y) => x - y))
  expect((await demo.group('ledger')).owner).not.toBe(before.owner)
})

test('S-05, S-06: what is decided has one of the known managers and reasons', async () => {
  const { events } = await demo.api('listEvents', {
    params: { cluster: CLUSTER },
    query: { limit: 1_000 },
  })
  for (const event of events) {
    expect(event.because.manager).toMatch(/^(RCM|FM|NM|MM)$/)
    // The one renderer knows the code: no message shows a bare code word.
    expect(event.message).not.toMatch(/\([a-z]+[A-Z]/)
  }
})

test('S-09, S-10: what one host writes is read through the control plane, with its contact', async () => {
  const { entries } = await demo.api('listLog', {
    params: { cluster: CLUSTER },
    query: { limit: 1_000 },
  })
  expect(new Set(entries.map((e) => e.node))).toContain('control')
  expect(entries.some((e) => e.node.startsWith('n') && e.component === 'RHS')).toBe(true)
  for (const node of (await demo.view()).nodes) {
    expect(node.connected).toBe(true)
    expect(node.lastAnswerAgoMs).toBeLessThan(6_000)
  }
})

test('S-48, S-79: a move is Offline and Close here, Open and Online there', async () => {
  const from = (await demo.group('ledger')).owner as string
  const to = demo.hosts.find((host) => host.name !== from)?.name as string
  const sinceMs = Date.now()
  const before = starts(demo).length
  await demo.api('moveGroup', { params: { cluster: CLUSTER, group: 'ledger' }, body: { to } })
  await demo.online('ledger', to)
  await eventually('the witness writes', () => starts(demo).length > before)
  const order = [`${from} offline`, `${from} close`, `${to} open`, `${to} online`]
  const called = async () => {
    const { entries } = await demo.api('listLog', {
      params: { cluster: CLUSTER },
      query: { limit: 200, resource: 'ledger', component: 'RHS' },
    })
    return [...entries]
      .filter((e) => e.atMs >= sinceMs)
      .map((e) => `${e.node} ${e.message.split(' ')[0]}`)
      .filter((text) => / (open|close|online|offline)$/.test(text))
  }
  const allIn = (calls: readonly string[]) => order.every((step) => calls.includes(step))
  await eventually('all have written', async () => allIn(await called()))
  const calls = await called()
  expect(calls.indexOf(`${from} offline`)).toBeLessThan(calls.indexOf(`${from} close`))
  expect(calls.indexOf(`${to} open`)).toBeLessThan(calls.indexOf(`${to} online`))
})
