/**
 * `npm run bench:vm`: virtual machines, watched and moved, beside what libvirt does by itself. `--json`:
 * one line last.
 *
 * Two real libvirts on this machine. Downtime is from the source's event that the guest stands still to
 * the target's that it goes on, as one listener hears them of both. libvirt by itself: the same guest on
 * the same two daemons, migrated paused and resumed at once, with no cluster in between; by turns.
 * CPU of a check is that of guard, agent, resource monitor and libvirtd.
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CLUSTER, Demo } from '../demo/cluster.ts'
import { type DemoHost, killPid } from '../demo/host.ts'
import { libvirtMissing } from '../demo/libvirt-host.ts'
import { tinyDomainXml, writeTinyImage } from '../demo/vm/domain.ts'
import { EVENT, LibvirtClient } from '../probe/libvirt/client.ts'
import { printTable, type Spread, spread } from './figures.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string', default: '10' },
  },
})
const runs = Number(values.runs)

const BUDGETS = { isAliveCpuMs: 200, watchMs: 5, differenceMs: 30 }
/** In one group, as those of `bench:monitor` are: the CPU of a check has to stand out against all the rest. */
const WATCHED = 20
const QUIET_POLL_MS = 5_000
const BUSY_POLL_MS = 200
const SPAN_MS = 12_000
/** As long as an event may lag behind what the hive says. */
const EVENTS_MS = 300

const missing = libvirtMissing()
if (missing !== null) throw new Error(`no virtual machines can be had here: ${missing}`)

const nowMs = () => performance.timeOrigin + performance.now()
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
const demo = await Demo.start({ folder, port: 0, profile: 'standard', hosts: ['n1', 'n2'] })
const clients = new Map<string, LibvirtClient>()
const heard: { host: string; domain: string; event: number; atMs: number }[] = []

const isAliveCpuMs: number[] = []
const libvirtdCpuMs: number[] = []
const seenMs: number[] = []
const libvirtSeenMs: number[] = []
const oursMs: number[] = []
const libvirtMs: number[] = []
const quickMs: number[] = []
const stopStartMs: number[] = []
try {
  await demo.allUp()
  for (const host of demo.hosts) clients.set(host.name, await listen(host))
  await addVms('moves', 1)
  const bare = await addBare('bare')
  for (let n = 0; n < runs; n += 1) {
    oursMs.push(await move('live'))
    libvirtMs.push(await bareMove(bare))
    quickMs.push(await move('quick'))
    stopStartMs.push(await move('stop'))
    process.stderr.write(`moves ${n + 1}/${runs}\n`)
  }
  await addVms('watched', WATCHED)
  for (let n = 0; n < runs; n += 1) {
    const [seen, libvirt] = await crash(`watched${n % WATCHED}`)
    seenMs.push(seen)
    libvirtSeenMs.push(libvirt)
    process.stderr.write(`crashes ${n + 1}/${runs}\n`)
  }
  for (let n = 0; n < Math.ceil(runs / 2); n += 1) await checks()
  report()
} finally {
  for (const client of clients.values()) client.close()
  await demo.kill()
  rmSync(folder, { recursive: true, force: true })
}

async function listen({ name, options }: DemoHost): Promise<LibvirtClient> {
  const client = new LibvirtClient(options.libvirt?.socket ?? '')
  client.onLifecycle(({ domain, event }) =>
    heard.push({ host: name, domain: domain.name, event, atMs: nowMs() }),
  )
  await client.connect()
  return client
}

async function addVms(group: string, count: number): Promise<void> {
  await demo.addGroup(group, { failoverThreshold: 1_000, failoverPeriodMs: 1 })
  for (let n = 0; n < count; n += 1)
    await demo.addVm(`${group}${n}`, group, { attempts: 1_000, periodMs: 1, delayMs: 0 })
  await demo.online(group, undefined, 60_000)
}

/** From the guest's last moment here to its first one there. */
async function move(method: 'live' | 'quick' | 'stop'): Promise<number> {
  const from = (await demo.group('moves')).owner as string
  const to = other(from)
  // What is asked for at once after a move finds a guest that has hardly begun.
  await sleep(1_500)
  const since = heard.length
  const params = { cluster: CLUSTER, group: 'moves' }
  await demo.api('moveGroup', { params, body: { to, method } })
  await demo.online('moves', to, 60_000)
  await sleep(EVENTS_MS)
  return downtime(since, 'moves0', from, to)
}

interface Bare {
  readonly name: string
  readonly uuid: string
  readonly xml: string
  at: string
}

/** A guest that the cluster knows nothing of. */
async function addBare(name: string): Promise<Bare> {
  const uuid = randomUUID()
  const image = join(folder, 'vm', `${name}.img`)
  writeTinyImage(image)
  const xml = tinyDomainXml({ name, uuid, image, serialLog: join(folder, 'vm', `${name}.serial`) })
  const client = clients.get('n1') as LibvirtClient
  await client.create(await client.define(xml))
  return { name, uuid, xml, at: 'n1' }
}

/** libvirt's own: migrated to wait there, and told to go on as soon as libvirt says that it does. */
async function bareMove(bare: Bare): Promise<number> {
  await sleep(1_500)
  const [from, to] = [bare.at, other(bare.at)]
  const [source, target] = [clients.get(from) as LibvirtClient, clients.get(to) as LibvirtClient]
  const domain = { name: bare.name, uuid: bare.uuid, id: -1 }
  const since = heard.length
  await source.migrate(domain, {
    connect: `qemu+unix:///system?socket=${demo.host(to).options.libvirt?.socket}`,
    uri: 'tcp://127.0.0.1',
    xml: await source.migratable(domain),
    persistent: bare.xml,
    trustStorage: true,
  })
  await target.resume(domain)
  await sleep(EVENTS_MS)
  bare.at = to
  return downtime(since, bare.name, from, to)
}

function downtime(since: number, domain: string, from: string, to: string): number {
  const events = heard.slice(since).filter((e) => e.domain === domain)
  const stands: number[] = [EVENT.suspended, EVENT.shutdown, EVENT.stopped]
  const goesOn: number[] = [EVENT.resumed, EVENT.started]
  const left = events.find((e) => e.host === from && stands.includes(e.event))
  const came = events.findLast((e) => e.host === to && goesOn.includes(e.event))
  if (!left || !came) throw new Error(`libvirt has not told of ${domain}'s way to ${to}`)
  return came.atMs - left.atMs
}

/** From the SIGKILL of QEMU until its monitor has seen it, by its log; and until libvirt tells. */
async function crash(name: string): Promise<[seenMs: number, libvirtMs: number]> {
  const owner = (await demo.group('watched')).owner as string
  const pid = demo.host(owner).options.libvirt?.emulators().get(name)
  const since = heard.length
  const killedMs = nowMs()
  killPid(pid as number)
  const line = await waitFor(async () => {
    const query = { component: 'RHS', resource: name } as const
    const { entries } = await demo.api('listLog', { params: { cluster: CLUSTER }, query })
    return entries.find((e) => e.atMs >= killedMs - 1 && e.message.startsWith('failed: '))
  })
  const told = heard.slice(since).find((e) => e.domain === name && e.event === EVENT.stopped)
  if (!told) throw new Error(`libvirt has not told of the end of ${name}`)
  await demo.online('watched')
  return [line.atMs - killedMs, told.atMs - killedMs]
}

/** CPU of 1,000 checks: what it costs to check often, less what it costs to check seldom. */
async function checks(): Promise<void> {
  const spent: { all: number; libvirtd: number }[] = []
  for (const isAliveMs of [QUIET_POLL_MS, BUSY_POLL_MS]) {
    for (let n = 0; n < WATCHED; n += 1) await change(`watched${n}`, { poll: { isAliveMs } })
    await sleep(1_000)
    spent.push(await cpuMs(SPAN_MS))
  }
  const calls = WATCHED * (SPAN_MS / BUSY_POLL_MS - SPAN_MS / QUIET_POLL_MS)
  const more = (of: 'all' | 'libvirtd') =>
    (((spent[1]?.[of] ?? 0) - (spent[0]?.[of] ?? 0)) * 1_000) / calls
  isAliveCpuMs.push(more('all'))
  libvirtdCpuMs.push(more('libvirtd'))
}

function change(resource: string, body: object) {
  return demo.api('changeResource', { params: { cluster: CLUSTER, resource }, body })
}

/** CPU time of the owner's probe and of its libvirtd within so long. */
async function cpuMs(ms: number): Promise<{ all: number; libvirtd: number }> {
  const host = demo.host((await demo.group('watched')).owner as string)
  const daemon = host.options.libvirt?.daemonPid() as number
  const tree = Object.values(host.treePids())
  const spent = () => ({
    libvirtd: ranMs(daemon),
    probe: tree.reduce((sum, pid) => sum + ranMs(pid), 0),
  })
  const [before, atMs] = [spent(), performance.now()]
  await sleep(ms)
  const after = spent()
  const share = ms / (performance.now() - atMs)
  const libvirtd = (after.libvirtd - before.libvirtd) * share
  return { all: libvirtd + (after.probe - before.probe) * share, libvirtd }
}

/** Ticks of 10 ms would be too coarse for what a few hundred checks take. */
function ranMs(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    const text = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1')
    return sum + Number(text.split(' ')[0]) / 1e6
  }, 0)
}

function other(name: string): string {
  return demo.hosts.find((host) => host.name !== name)?.name as string
}

async function waitFor<T>(look: () => Promise<T>): Promise<NonNullable<T>> {
  for (const end = performance.now() + 30_000; performance.now() < end; await sleep(5)) {
    const found = await look()
    if (found) return found
  }
  throw new Error('waited in vain')
}

function report(): void {
  const lateMs = spread(seenMs.map((ms, n) => ms - (libvirtSeenMs[n] ?? 0)))
  const differenceMs = spread(oursMs.map((ms, n) => ms - (libvirtMs[n] ?? 0)))
  const rows = [
    row('IsAlive of 1,000 `virtual-machine`, CPU with libvirtd', spread(isAliveCpuMs), {
      budget: BUDGETS.isAliveCpuMs,
    }),
    row('… of which libvirtd', spread(libvirtdCpuMs)),
    row('QEMU killed, seen', spread(seenMs)),
    row('… later than libvirt tells of it', lateMs, { budget: BUDGETS.watchMs }),
    row('live move, downtime', spread(oursMs)),
    row('… of libvirt by itself', spread(libvirtMs)),
    row('… the difference, each pair by itself', differenceMs, { budget: BUDGETS.differenceMs }),
    row('quick move, downtime', spread(quickMs)),
    row('stop and start, downtime', spread(stopStartMs)),
  ]
  printTable(
    ['', '', 'median', 'min', 'max', 'budget'],
    rows.map((r) => r.cells),
  )
  const last = {
    benchVm: true,
    runs,
    isAliveCpuMs: { ...spread(isAliveCpuMs), libvirtd: spread(libvirtdCpuMs) },
    watchMs: { ...spread(seenMs), libvirt: spread(libvirtSeenMs), later: lateMs },
    liveMigration: { oursMs: spread(oursMs), libvirtMs: spread(libvirtMs), differenceMs },
    quickMoveMs: spread(quickMs),
    stopStartMs: spread(stopStartMs),
    budgetsMet: rows.every((r) => r.met),
  }
  if (values.json) process.stdout.write(`${JSON.stringify(last)}\n`)
  process.exitCode = last.budgetsMet ? 0 : 1
}

function row(what: string, { median, min, max }: Spread, { budget }: { budget?: number } = {}) {
  const cells = [what, 'ms', String(median), String(min), String(max), String(budget ?? '–')]
  return { cells, met: budget === undefined || median <= budget }
}
