/** S-17 with real processes: who is heard, what a lost host costs when alarms are late, who is frozen. */
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo, type LedgerLine } from '../../demo/cluster.ts'
import type { DemoHost } from '../../demo/host.ts'
import { bootMs } from '../../probe/clock.ts'
import { PROFILES, waitMs } from '../../schema/timing.ts'
import { Relay } from '../chaos/relay.ts'
import { endDemo, eventually, startDemo, starts } from './demo.ts'

const FAST = PROFILES.fast
const LATE_MS = 60_000

let demo: Demo
let relay: Relay
beforeAll(async () => {
  // Every alarm of the platform is a minute late, as it may be.
  demo = await startDemo({ alarmsLateMs: LATE_MS })
  relay = await Relay.listen('127.0.0.1', 0)
  relay.target = { host: '127.0.0.1', port: demo.control.port }
  const host = demo.addHost('n4')
  const { token } = await demo.api('createToken', {
    params: { cluster: CLUSTER },
    body: { uses: 1 },
  })
  await host.join(`http://127.0.0.1:${relay.port}`, token)
  host.start()
  await demo.allUp()
  await demo.addGroup('web', { failoverThreshold: 1_000, failoverPeriodMs: 1 })
  await demo.addWitness('ledger', 'web', { delayMs: 0, attempts: 1_000 })
  await running()
})
afterAll(async () => {
  await endDemo(demo)
  relay?.close()
})

/** What the agent says of its peers. */
async function peersOf(host: DemoHost) {
  const info = (await host.status())?.agent.info as unknown as {
    peers: {
      listens: { address: string; port: number }
      peers: { name: string; state: string }[]
      packets: Record<string, number>
    }
    stoodStill: { count: number; last: { who: string; ms: number } | null }
  } | null
  return info
}

const allHeard = () =>
  demo.until('all hear each other', (v) =>
    v.nodes.every((n) => n.connected && n.heardBy.length === demo.hosts.length - 1),
  )

async function log(): Promise<string[]> {
  const { entries } = await demo.api('listLog', {
    params: { cluster: CLUSTER },
    query: { limit: 200 },
  })
  return entries.map((e) => `${e.node} ${e.message}`)
}

/** SIGSTOP: sockets stay open, and nobody says a word. */
async function stopped(pids: readonly number[], work: () => Promise<unknown>): Promise<void> {
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  try {
    await work()
  } finally {
    for (const pid of pids) goOn(pid)
  }
}

function goOn(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT')
  } catch {
    // The guard went on first, and has ended it already: a lapse ends every RHS (G5).
  }
}

/** Since boot, as the witness writes it. */
async function lastAnswerMs(name: string): Promise<number> {
  const { events } = await demo.api('listEvents', {
    params: { cluster: CLUSTER },
    query: { after: Math.max(0, (await demo.view()).seq - 60) },
  })
  const down = events.filter((e) => e.type === 'node.down' && e.subject === name).at(-1)
  return Number(down?.because.evidence?.['lastAnswerMs']) - (Date.now() - bootMs())
}

/** The owner of the witness, once the witness has said so too. */
async function running(node?: string): Promise<string> {
  const owner = (await demo.online('web', node)).owner as string
  await eventually('the witness runs there', () => starts(demo).at(-1)?.owner === owner)
  return owner
}

/** The next start of the witness. */
async function started(before: number) {
  await eventually('it runs elsewhere', () => starts(demo).length > before, 20_000)
  return starts(demo).at(-1) as LedgerLine
}

test('all of them hear each other, and an idle cluster needs no alarm for it', async () => {
  await allHeard()
  const info = await peersOf(demo.host('n1'))
  expect(info?.peers.peers.map((p) => [p.name, p.state]).sort()).toEqual([
    ['n2', 'heard'],
    ['n3', 'heard'],
    ['n4', 'heard'],
  ])
})

const WAIT = waitMs(FAST.ttlMs, FAST.marginMs)
/** For a machine that has other things to do; the alarm would be a minute late. How fast it is: `npm run bench:failover`. */
const SLACK_MS = 10_000

test('D3: a silent host is found out by its peers although the alarm is a minute late', async () => {
  await allHeard()
  const owner = await running()
  const before = starts(demo).length
  // Its guard lives, and stops everything before the lease ends.
  await stopped([demo.host(owner).treePids().agent as number], async () => {
    const start = await started(before)
    const tookMs = start.atMs - (await lastAnswerMs(owner))
    expect(tookMs).toBeGreaterThan(WAIT)
    expect(tookMs).toBeLessThan(WAIT + SLACK_MS)
  })
  expect((await log()).some((line) => line.includes(`no longer hears ${owner}`))).toBe(true)
  await demo.allUp()
  expect(demo.ledger('ledger').filter((line) => line.what === 'overlap')).toEqual([])
})

test('L5: a host that stood still as a whole finds out, says so, and starts nothing by an old lease', async () => {
  // Not the witness: it would see the freeze itself, which no guard can prevent (A5).
  await demo.addGroup('plain', { failoverThreshold: 1_000, failoverPeriodMs: 1 })
  const file = join(demo.folder, 'plain')
  const script = `echo "$HOLDFAST_NODE" >> ${file}; exec sleep 100000`
  await demo.api('createResource', {
    params: { cluster: CLUSTER },
    body: {
      ...{ name: 'plain', group: 'plain', type: 'process', restart: { delayMs: 0 } },
      properties: { command: '/bin/sh', args: ['-c', script] },
    },
  })
  const owner = (await demo.online('plain')).owner as string
  const host = demo.host(owner)
  await allHeard()
  const startsThere = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line === owner).length
  const [record] = (await host.status())?.guard.records.filter((r) => r.process) ?? []
  await stopped(Object.values(host.treePids()), async () => {
    // Whoever starts it again by the lease of before would do so now.
    process.kill(record?.process?.pid as number, 'SIGKILL')
    await demo.until('it is elsewhere', (v) => {
      const group = v.groups.find((g) => g.name === 'plain')
      return group?.state === 'online' && group.owner !== owner
    })
  })
  await demo.allUp()
  for (const who of ['agent', 'guard'])
    await eventually(`the ${who} says so`, async () =>
      (await log()).find((line) => line.startsWith(`${owner} the ${who} stood still for`)),
    )
  const info = await peersOf(host)
  expect(info?.stoodStill.count).toBeGreaterThanOrEqual(2)
  expect(info?.stoodStill.last?.ms).toBeGreaterThan(1_000)
  expect(startsThere()).toBe(1)
})

test('S-17: cut off from the control plane alone: found out, and its peers vouch for it', async () => {
  await demo.api('moveGroup', { params: { cluster: CLUSTER, group: 'web' }, body: { to: 'n4' } })
  await running('n4')
  await allHeard()
  const before = starts(demo).length
  relay.cut()
  const start = await started(before)
  expect(start.atMs - (await lastAnswerMs('n4'))).toBeLessThan(WAIT + SLACK_MS)
  expect(demo.ledger('ledger').filter((line) => line.what === 'overlap')).toEqual([])
  const { events } = await demo.api('listEvents', {
    params: { cluster: CLUSTER },
    query: { after: Math.max(0, (await demo.view()).seq - 20) },
  })
  const down = events.findLast((e) => e.type === 'node.down' && e.subject === 'n4')
  expect(down?.because.evidence?.['heardBy']).toBe('n1, n2, n3')
  relay.heal()
  await demo.allUp()
})

test('packets of strangers are counted, said once, and change nothing', async () => {
  await allHeard()
  const host = demo.host('n2')
  const { listens, packets } = (await peersOf(host))?.peers ?? expect.fail('no peers')
  const seq = (await demo.view()).seq
  const socket = createSocket('udp4')
  for (let i = 0; i < 100; i += 1) {
    const packet = Buffer.alloc(i % 3 === 0 ? 2_000 : 96, i)
    packet.write('HF\u0001\u0000', 0, 'latin1')
    socket.send(packet, listens.port, listens.address)
  }
  await eventually('all are counted', async () => {
    const now = (await peersOf(host))?.peers.packets
    const sum = (p: Record<string, number>) => (p['malformed'] ?? 0) + (p['otherCluster'] ?? 0)
    return now && sum(now) - sum(packets) === 100
  })
  socket.close()
  await eventually('it is in the log', async () =>
    (await log()).some((line) => /^n2 peers: \d+ foreign packets dropped/.test(line)),
  )
  expect((await log()).filter((line) => line.includes('foreign packets'))).toHaveLength(1)
  const view = await demo.view()
  expect(view.seq).toBe(seq)
  expect(view.nodes.every((n) => n.connected && n.heardBy.length === 3)).toBe(true)
})

test('--peers: an address that is not of this host is said, and all else goes on', async () => {
  const host = demo.addHost('n5', { runWords: ['--peers', '192.0.2.1:7400'] })
  const { token } = await demo.api('createToken', {
    params: { cluster: CLUSTER },
    body: { uses: 1 },
  })
  await host.join(demo.control.url, token)
  host.start()
  await demo.allUp()
  await eventually('it has tried', async () =>
    JSON.stringify(await peersOf(host)).includes('EADDRNOTAVAIL'),
  )
  const node = (await demo.view()).nodes.find((n) => n.name === 'n5')
  expect(node).toMatchObject({ state: 'up', connected: true, heardBy: [] })
})
