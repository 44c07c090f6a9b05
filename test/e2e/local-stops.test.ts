/** S-68: a deliberate local stop made while the control plane is away (profile `standard`). */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { type DemoHost, killPid } from '../../demo/host.ts'
import { identityOf } from '../../probe/gate/proc.ts'
import { endDemo, eventually, startDemo, starts } from './demo.ts'

let demo: Demo
beforeAll(async () => {
  demo = await startDemo({ profile: 'standard' })
  await demo.addGroup('ledger')
  await demo.addWitness('ledger', 'ledger')
  await demo.online('ledger', 'n1')
  await eventually('the witness writes', () => starts(demo).length === 1)
})
afterAll(() => endDemo(demo))

const wanted = async () => (await demo.group('ledger')).resources[0]?.persistentState
const pidNow = () => starts(demo).at(-1)?.pid as number

/** The control plane answers nothing for as long as this takes. */
async function away(during: () => Promise<void>): Promise<void> {
  const workerd = demo.control.workerdPid() as number
  process.kill(workerd, 'SIGSTOP')
  try {
    await during()
  } finally {
    process.kill(workerd, 'SIGCONT')
  }
}

async function onlineAgain(node?: string): Promise<void> {
  const before = starts(demo).length
  await demo.api('onlineGroup', { params: { cluster: CLUSTER, group: 'ledger' } })
  await demo.online('ledger', node)
  await eventually('the witness writes', () => starts(demo).length === before + 1)
}

async function restartTree(host: DemoHost): Promise<void> {
  const before = await host.status()
  host.killProbe()
  await eventually('another guard', async () => {
    const now = await host.status()
    return now !== null && now.guard.pid !== before?.guard.pid && now.rhs.pid !== null
  })
}

test('within the lease: it outlives agent, RHS and guard, and reaches the hive', async () => {
  const pid = pidNow()
  const host = demo.host('n1')
  await away(async () => {
    expect(await host.stopHere('ledger')).toMatchObject({ ok: true, resource: 'ledger' })
    await eventually('it is gone', () => identityOf(pid) === null, 3_000)
    await restartTree(host)
    await sleep(700)
    expect(starts(demo)).toHaveLength(1)
  })
  await eventually('the hive has it', async () => (await wanted()) === 0, 20_000)
  await sleep(500)
  expect(starts(demo)).toHaveLength(1)
  expect(demo.ledger('ledger').at(-1)).toMatchObject({ what: 'end', pid })
  const { entries } = await demo.api('listLog', {
    params: { cluster: CLUSTER },
    query: { limit: 500 },
  })
  expect(entries.some((e) => /deliberately changed on its host/.test(e.message))).toBe(true)
})

test('once the hive has it the hive counts: an operator may start it again', async () => {
  await demo.allUp()
  await onlineAgain()
  await sleep(1_000)
  expect(await wanted()).toBe(1)
  expect(starts(demo)).toHaveLength(2)
})

test('for longer than the lease, and over a boot: not started again, here or elsewhere', async () => {
  const { owner } = await demo.group('ledger')
  const host = demo.host(owner as string)
  const pid = pidNow()
  const before = starts(demo).length
  await away(async () => {
    await host.stopHere('ledger', true)
    await eventually('it is gone', () => identityOf(pid) === null, 3_000)
    await sleep(5_000)
    // With everything void the operator may still say what is not to come back.
    host.powerCut()
    host.start()
    await eventually('the host is up', async () => (await host.status()) !== null)
  })
  await eventually('the hive has it', async () => (await wanted()) === 0, 40_000)
  await demo.allUp(90_000)
  await sleep(1_000)
  expect(starts(demo)).toHaveLength(before)
  expect(demo.overlaps('ledger')).toBe(0)
})

test('--kill does not wait for a program that takes its time', async () => {
  await demo.api('changeResource', {
    params: { cluster: CLUSTER, resource: 'ledger' },
    body: { properties: await slowWitness() },
  })
  await onlineAgain()
  const { owner } = await demo.group('ledger')
  const pid = pidNow()
  await demo.host(owner as string).stopHere('ledger')
  await sleep(300)
  expect(identityOf(pid)).not.toBeNull()
  await demo.host(owner as string).stopHere('ledger', true)
  await eventually('it is gone at once', () => identityOf(pid) === null, 2_000)
  await eventually('the hive has it', async () => (await wanted()) === 0)
})

test('what is not of this host is refused, with the host that has it', async () => {
  await onlineAgain()
  const { owner } = await demo.group('ledger')
  const other = demo.hosts.find((h) => h.name !== owner) as DemoHost
  await expect(other.stopHere('ledger')).rejects.toMatchObject({
    refusal: { code: 'NOT_HELD', why: expect.stringContaining(owner as string) },
  })
  await expect(other.stopHere('nothing')).rejects.toMatchObject({ refusal: { code: 'NOT_FOUND' } })
  expect(await wanted()).toBe(1)
})

test('an agent that is gone for the moment: the stop is made once it is back, or refused', async () => {
  const { owner } = await demo.group('ledger')
  const host = demo.host(owner as string)
  const pid = pidNow()
  killPid((await host.status())?.agent.pid as number)
  await eventually('asked until somebody answers', () =>
    host.stopHere('ledger', true).then(
      () => true,
      () => false,
    ),
  )
  await eventually('it is gone', () => identityOf(pid) === null, 8_000)
  await eventually('the hive has it', async () => (await wanted()) === 0)
})

/** A witness that takes 60 s to end when it is asked to. */
async function slowWitness() {
  const [resource] = (await demo.group('ledger')).resources
  const { command, args } = { ...resource?.properties } as { command: string; args: string[] }
  return { command, args: [args[0], args[1], '60000'] as string[], stopTimeoutMs: 60_000 }
}
