/** Fencing with real processes: a host is lost, another one runs the fence agent, and what follows. */
import { execFile } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { addFence, fenceFolder, living, Plug } from '../fence/plug.ts'
import { ROOT } from '../tidy/tracked-files.ts'
import { endDemo, eventually, LONGER_THAN_LEASE_MS, startDemo, starts } from './demo.ts'

let demo: Demo
let plugs: Plug[]

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  demo = await startDemo({
    ...{ folder, ownBoot: true, profile: 'standard' },
    policy: { fence: fenceFolder(folder) },
  })
  plugs = demo.hosts.map((host) => new Plug(demo, host))
  await demo.addGroup('ledger', { failoverThreshold: 1_000, failoverPeriodMs: 1 })
  await demo.addWitness('ledger', 'ledger')
  await demo.online('ledger')
  await eventually('the witness writes', () => starts(demo).length === 1)
})
afterAll(async () => {
  for (const plug of plugs ?? []) plug.end()
  await endDemo(demo)
})
beforeEach(async () => {
  for (const plug of plugs) plug.reset()
  // Whatever one of them has come to is no matter of the next one.
  for (const host of demo.hosts) if (!host.isOn) await host.boot()
  await demo.allUp()
})

const owner = async () => (await demo.online('ledger')).owner as string
const plugOf = (name: string) => plugs.find((p) => p.host.name === name) as Plug

async function eventsAfter(seq: number) {
  const query = { after: seq, limit: 500 }
  return (await demo.api('listEvents', { params: { cluster: CLUSTER }, query })).events
}

test('F1, F2: a host that hangs is killed by another one, and its group runs elsewhere at once', async () => {
  const name = await owner()
  const plug = plugOf(name)
  await addFence(demo, plug, { delayMs: 0 })
  const { seq } = await demo.view()
  const before = starts(demo).length
  const pid = starts(demo).at(-1)?.pid as number
  const { agent, guard } = plug.host.treePids()
  // The host lives, and its workload too: only the session is gone, and the agent cannot come back.
  process.kill(guard as number, 'SIGSTOP')
  process.kill(agent as number, 'SIGKILL')
  const lostMs = performance.now()
  await eventually('it runs elsewhere', () => starts(demo).length > before, 20_000)
  const tookMs = performance.now() - lostMs
  expect(living([pid, guard as number, agent as number])).toEqual([])
  expect((await demo.online('ledger')).owner).not.toBe(name)
  expect(plug.calls().slice(0, 2)).toEqual(['off', 'status'])
  const down = (await eventsAfter(seq)).find((e) => e.type === 'node.down')
  expect(down).toMatchObject({ subject: name, because: { code: 'fenceConfirmed', rule: 'F2' } })
  // Before its lease had ended: W(TTL) is 6.62 s. How fast it is: npm run bench:failover.
  expect(tookMs).toBeLessThan(6_000)
  expect(demo.overlaps('ledger')).toBe(0)
  // It is switched on again, with another boot of the guard, and welcome.
  await demo.allUp()
  expect(plug.calls()).toContain('on')
})

test.each([
  ['lie', 'its status says that it is still on'],
  ['hang', 'did not end in time and was killed'],
  ['garbage', 'ended with 77'],
  ['fail', 'Connection timed out'],
] as const)(
  'F1: an agent that misbehaves (%s) changes nothing: the lease is waited for',
  async (mode, said) => {
    const name = await owner()
    const plug = plugOf(name)
    plug.mode(mode)
    // Long enough for an agent to start on a busy machine; who hangs takes all of it.
    const timeoutMs = mode === 'hang' ? 400 : 4_000
    await addFence(demo, plug, { delayMs: 0, timeoutMs, attempts: 1 })
    const { seq } = await demo.view()
    const before = starts(demo).length
    plug.host.powerCut()
    await eventually('it runs elsewhere', () => starts(demo).length > before, 30_000)
    const failed = async () => (await eventsAfter(seq)).find((e) => e.type === 'fence.failed')
    await eventually('it failed', async () => (await failed()) !== undefined, 30_000)
    expect((await failed())?.message).toContain(said)
    const events = await eventsAfter(seq)
    expect(events.find((e) => e.type === 'node.down')?.because.code).toBe('leaseEnded')
    expect(demo.overlaps('ledger')).toBe(0)
    await plug.host.boot()
    await demo.allUp()
  },
)

test.each([
  ['fence_missing', /fence_missing cannot be used here: .* is missing/],
  ['fence_forbidden', /this host's policy does not allow the fence agent fence_forbidden/],
] as const)('the host policy of the helper is the last word: %s', async (agent, said) => {
  const name = await owner()
  const plug = plugOf(name)
  await addFence(demo, plug, { agent })
  const tested = await holdfast('fence', 'test', name, '--json')
  expect(tested.code).toBe(3)
  const { helpers } = JSON.parse(tested.stdout) as { helpers: { fault: string }[] }
  expect(helpers).toHaveLength(2)
  for (const { fault } of helpers) expect(fault).toMatch(said)
  expect(plug.calls()).toEqual([])
})

test('holdfast fence test: status and monitor by every helper, and nothing is switched', async () => {
  const name = await owner()
  const plug = plugOf(name)
  await addFence(demo, plug)
  const { code, stdout } = await holdfast('fence', 'test', name)
  expect(code).toBe(0)
  expect(stdout.match(/the node is on/g)).toHaveLength(2)
  expect(plug.calls().sort()).toEqual(['monitor', 'monitor', 'status', 'status'])
  expect((await demo.view()).nodes.find((n) => n.name === name)).toMatchObject({ state: 'up' })
})

test('S-22, G8: an agent that is restarted is back before it is fenced (default delay)', async () => {
  const name = await owner()
  const plug = plugOf(name)
  await addFence(demo, plug)
  const { seq } = await demo.view()
  const before = starts(demo).length
  const { agent } = plug.host.treePids()
  process.kill(agent as number, 'SIGKILL')
  await eventually('lost', async () =>
    (await eventsAfter(seq)).some((e) => e.type === 'node.session'),
  )
  await sleep(4_000)
  expect(plug.calls()).toEqual([])
  expect(starts(demo)).toHaveLength(before)
})

test('policy fence: cut off from the control plane it runs on, restarts in place, and is adopted', async () => {
  const name = await owner()
  const { host } = plugOf(name)
  for (const plug of plugs) await addFence(demo, plug)
  expect((await holdfast('cluster', 'change', '--takeover', 'fence')).code).toBe(0)
  await demo.until('told', (v) => v.nodes.every((n) => n.under === 'fence'))
  const before = starts(demo).length
  const { seq } = await demo.view()
  const workerd = demo.control.workerdPid() as number
  process.kill(workerd, 'SIGSTOP')
  try {
    // Longer than TTL: under policy lease it would have been stopped.
    await sleep(LONGER_THAN_LEASE_MS + 1_000)
    expect(starts(demo)).toHaveLength(before)
    const pid = starts(demo).at(-1)?.pid as number
    expect(living([pid])).toEqual([pid])
    // C6: it crashes, and is started again where it stands, by the grant alone.
    process.kill(pid, 'SIGKILL')
    await eventually('restarted in place', () => starts(demo).length === before + 1, 10_000)
    expect(starts(demo).at(-1)?.owner).toBe(name)
    // G10: a new guard adopts what runs, although the lease is long over.
    const again = starts(demo).at(-1)?.pid as number
    process.kill(host.guardPid as number, 'SIGKILL')
    await eventually('a new guard', async () => (await host.status())?.guard.records.length === 1)
    await sleep(700)
    expect(living([again])).toEqual([again])
    expect(starts(demo)).toHaveLength(before + 1)
  } finally {
    process.kill(workerd, 'SIGCONT')
  }
  // Who was away was the control plane: nobody is fenced for it.
  await demo.allUp()
  await demo.online('ledger', name)
  await sleep(2_000)
  expect(plugs.flatMap((p) => p.calls())).toEqual([])
  expect((await eventsAfter(seq)).filter((e) => e.type === 'node.down')).toEqual([])
  expect(demo.overlaps('ledger')).toBe(0)
})

test('F5: without an agent a lost host waits for its operator, says so, and is confirmed', async () => {
  const name = await owner()
  const { host } = plugOf(name)
  expect((await holdfast('fence', 'remove', name, '--yes')).code).toBe(0)
  host.powerCut()
  await demo.until('it waits', (v) => v.groups[0]?.state === 'waiting')
  await sleep(LONGER_THAN_LEASE_MS + 1_000)
  const listed = await holdfast('fence', 'list')
  expect(listed.code).toBe(4)
  expect(listed.stderr).toContain(`holdfast fence confirm ${name}`)
  const why = await holdfast('why', 'ledger')
  expect(why.stdout).toContain(`${name} is unreachable and takeover needs a confirmed fence`)
  const status = await holdfast('status')
  expect(status.stdout).toMatch(/takeover fence[\s\S]*no session, needs a fence/)
  const nobody = await holdfast('fence', 'confirm', name)
  expect(nobody.code).toBe(2)
  const old = await holdfast('fence', 'confirm', name, '--boot', 'another-boot', '--yes')
  expect(old.code).toBe(7)
  expect((await demo.group('ledger')).owner).toBe(name)
  const done = await holdfast('fence', 'confirm', name, '--yes')
  expect(done.stderr).toMatch(/boot [0-9a-f-]{36}, view 3/)
  expect(done.code).toBe(0)
  const group = await demo.online('ledger')
  expect(group.owner).not.toBe(name)
  expect(demo.overlaps('ledger')).toBe(0)
  await host.boot()
  await demo.allUp()
})

test('back to lease: every guard acknowledges it, and a lost host is taken over by its lease again', async () => {
  expect((await holdfast('cluster', 'change', '--takeover', 'lease')).code).toBe(0)
  await demo.until('all say so', (v) => v.nodes.every((n) => n.under === 'lease'))
  for (const plug of plugs) await holdfast('fence', 'remove', plug.host.name, '--yes')
  const name = await owner()
  const before = starts(demo).length
  const { seq } = await demo.view()
  plugOf(name).host.powerCut()
  await eventually('it runs elsewhere', () => starts(demo).length > before, 30_000)
  const down = (await eventsAfter(seq)).find((e) => e.type === 'node.down')
  expect(down?.because.code).toBe('leaseEnded')
  expect(demo.overlaps('ledger')).toBe(0)
  await plugOf(name).host.boot()
  await demo.allUp()
})

function holdfast(...args: string[]) {
  const env = {
    ...process.env,
    HOLDFAST_URL: demo.control.url,
    HOLDFAST_API_KEY: demo.control.key,
    HOLDFAST_CLUSTER: CLUSTER,
  }
  const run = promisify(execFile)(process.execPath, [join(ROOT, 'cli/main.ts'), ...args], { env })
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code: code as number, stdout, stderr }),
  )
}
