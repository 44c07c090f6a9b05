/**
 * `npm run bench:monitor`: what watching costs, and how fast it sees. `--json`: one line last.
 *
 * One host with 200 and then 1,000 resources of type `process`. CPU is that of guard, agent and
 * resource monitor together, without what they watch. A call is one resource that is checked. A second
 * host has OCF agents, whose own cost is measured beside.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CLUSTER, Demo } from '../demo/cluster.ts'
import { killPid } from '../demo/host.ts'
import { bundleProbe } from '../tools/bundle-probe.ts'
import { printTable, spread } from './figures.ts'
import { pssMb } from './memory.ts'
import { addDummies, aloneMs, ocfMissing, throughOcfMs } from './ocf-cost.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string', default: '5' },
  },
})
const runs = Number(values.runs)

const GROUP_SIZE = 20
const FEW = 200
const MANY = 1_000
const QUIET_MS = 20_000
const BUSY_MS = 10_000
const BUSY_POLL_MS = 200
const DEADLOCK_MS = 1_000
/** As the kernel counts CPU time: a hundred a second on every Linux of today. */
const TICK_MS = 10

const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
const demo = await Demo.start({
  ...{ folder, port: 0, profile: 'standard', vm: false, hosts: ['n1', 'n2'] },
  // The second host has a monitor for OCF agents, and nothing else.
  hostOptions: (name) =>
    name === 'n2' ? { policy: { ocf: { agents: ['ocf:heartbeat:Dummy'] } } } : {},
})
const [host] = demo.hosts
if (!host) throw new Error('no host')
const told = join(folder, 'told')

const treeCpuPercent: number[] = []
const isAliveCpuMs: number[] = []
const watchMs: number[] = []
const isolationMs: number[] = []
const ocfMs: number[] = []
const dummyMs: number[] = []
const pssFew: number[] = []
const pssMany: number[] = []
const failures: string[] = []
try {
  await demo.allUp()
  await add(0, FEW)
  await sleep(6_000)
  await part('CPU', measureCpu)
  await part('crashes', async () => {
    for (let n = 0; n < 3 * runs; n += 1) watchMs.push(await crash(`r${n}`))
  })
  await add(FEW, MANY)
  await sleep(6_000)
  pssMany.push(await pssMb(tree()))
  if (ocfMissing) process.stderr.write(`skipped: OCF agents: ${ocfMissing}\n`)
  else await part('OCF agents', ocf)
  await part('isolation', async () => {
    await hangingModules()
    for (let n = 0; n < runs; n += 1) isolationMs.push(await isolation())
  })
  report()
} finally {
  await demo.kill()
  rmSync(folder, { recursive: true, force: true })
}

/** One that comes to nothing is said, and takes no figures of others along. */
async function part(name: string, measure: () => Promise<void>): Promise<void> {
  process.stderr.write(`${name} …\n`)
  try {
    await measure()
  } catch (error) {
    failures.push(`${name}: ${(error as Error).message}`)
  }
}

async function measureCpu(): Promise<void> {
  for (let n = 0; n < runs; n += 1) treeCpuPercent.push((await cpuMs(QUIET_MS)) / (QUIET_MS / 100))
  pssFew.push(await pssMb(tree()))
  await pollAll(BUSY_POLL_MS)
  await sleep(2_000)
  const quiet = spread(treeCpuPercent).median / 100
  for (let n = 0; n < runs; n += 1) {
    const spent = (await cpuMs(BUSY_MS)) - quiet * BUSY_MS
    isAliveCpuMs.push((spent * 1_000) / (FEW * (BUSY_MS / BUSY_POLL_MS)))
  }
  await pollAll(5_000)
}

async function add(from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += GROUP_SIZE) {
    const group = `g${first / GROUP_SIZE}`
    await demo.addGroup(group)
    for (let n = first; n < first + GROUP_SIZE; n += 1)
      await demo.api('createResource', {
        params: { cluster: CLUSTER },
        body: {
          ...{ name: `r${n}`, group, type: 'process' },
          properties: { command: '/bin/sleep', args: ['100000'], env: { TOLD: told } },
          restart: { attempts: 100, delayMs: 0 },
        },
      })
    await demo.online(group, undefined, 60_000)
  }
}

/** By turns, so that a busy machine is busy for both. */
async function ocf(): Promise<void> {
  await addDummies(demo, folder)
  await sleep(2_000)
  for (let n = 0; n < runs; n += 1) {
    dummyMs.push(aloneMs())
    ocfMs.push(await throughOcfMs(demo))
  }
  await demo.api('offlineGroup', { params: { cluster: CLUSTER, group: 'ocf' } })
}

async function pollAll(isAliveMs: number): Promise<void> {
  for (let n = 0; n < FEW; n += 1) await change(`r${n}`, { poll: { isAliveMs } })
}

function change(resource: string, body: object) {
  return demo.api('changeResource', { params: { cluster: CLUSTER, resource }, body })
}

function tree(): Record<string, number> {
  return host?.treePids() as Record<string, number>
}

/** CPU time of the tree within so long. */
async function cpuMs(ms: number): Promise<number> {
  const spent = () =>
    Object.values(tree()).reduce((sum, pid) => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
      return sum + (Number(fields[11]) + Number(fields[12])) * TICK_MS
    }, 0)
  const [before, atMs] = [spent(), performance.now()]
  await sleep(ms)
  return ((spent() - before) * ms) / (performance.now() - atMs)
}

/** From the SIGKILL of a workload until its monitor has seen it, by the log of that. */
async function crash(name: string): Promise<number> {
  const { id } = await demo.api('getResource', { params: { cluster: CLUSTER, resource: name } })
  const record = (await host?.status())?.guard.records.find((r) => r.resourceId === id)
  const killedMs = Date.now()
  killPid(record?.process?.pid as number)
  const line = await waitFor('its end is in the log', async () => {
    const query = { component: 'RHS', resource: name } as const
    const { entries } = await demo.api('listLog', { params: { cluster: CLUSTER }, query })
    return entries.find((e) => e.atMs >= killedMs && e.message.includes('its process ended'))
  })
  const params = { cluster: CLUSTER, resource: name }
  const isOnline = async () => (await demo.api('getResource', { params })).status === 'online'
  await waitFor('it is online again', isOnline)
  return line.atMs - killedMs
}

/** From now on the monitors have a module that hangs for a resource called `bad`. */
async function hangingModules(): Promise<void> {
  await demo.addGroup('bad')
  await demo.api('createResource', {
    params: { cluster: CLUSTER },
    body: {
      ...{ name: 'bad', group: 'bad', type: 'process' },
      properties: { command: '/bin/sleep', args: ['100000'], env: { TOLD: folder } },
      poll: { isAliveMs: 200, deadlockMs: DEADLOCK_MS },
    },
  })
  await demo.online('bad')
  await bundleProbe(join(folder, 'dist'), 'test/e2e/hanging/entry-rhs.ts')
  killPid(host?.treePids().rhs as number)
  await waitFor('all are adopted', async () => (await shared()) === MANY + 1)
}

/** How many resources the shared monitor knows to be online; -1: it does not answer. */
async function shared(): Promise<number> {
  const found = (await host?.status())?.monitors.find(({ monitor }) => monitor === 'rhs')
  if (!found || found.tables === 'no answer') return -1
  return found.tables.groups.flatMap((g) => g.members).filter((m) => m.status === 'online').length
}

/** From the deadlock timeout of a call that never returns until all others answer again. */
async function isolation(): Promise<number> {
  const generation = async () =>
    (await host?.status())?.monitors.find(({ monitor }) => monitor === 'rhs')?.generation ?? 0
  const before = await generation()
  writeFileSync(join(folder, 'never'), '')
  const hangsMs = performance.now()
  await waitFor('another monitor', async () => (await generation()) > before)
  await waitFor('all others answer', async () => (await shared()) === MANY)
  const tookMs = performance.now() - hangsMs - DEADLOCK_MS
  rmSync(join(folder, 'never'))
  const params = { cluster: CLUSTER, resource: 'bad' }
  const isIsolated = async () => (await demo.api('getResource', { params })).isolated !== null
  await waitFor('it is isolated', isIsolated)
  await change('bad', { separateMonitor: false })
  await waitFor('it is back among them', async () => (await shared()) === MANY + 1)
  return tookMs
}

async function waitFor<T>(what: string, look: () => Promise<T>): Promise<NonNullable<T>> {
  for (const end = performance.now() + 60_000; performance.now() < end; await sleep(5)) {
    const found = await look()
    if (found) return found
  }
  throw new Error(`waited a minute in vain: ${what}`)
}

function report(): void {
  const rows = [
    row('IsAlive of 1,000 `process`, CPU', isAliveCpuMs, 30, 'ms'),
    row(`${FEW} resources at 5 s, CPU of the tree`, treeCpuPercent, 1, '%'),
    ...(ocfMissing
      ? []
      : [row('OCF Dummy, more than by itself, CPU a call', moreThanAlone(), 1, 'ms')]),
    row('a crash is seen', watchMs, 5, 'ms'),
    row(`${MANY} neighbours of a hung module answer`, isolationMs, 1_000, 'ms'),
    row(`PSS of the tree, ${FEW} resources`, pssFew, 140, 'MB'),
    row(`PSS of the tree, ${MANY} resources`, pssMany, 200, 'MB'),
  ]
  printTable(
    ['', '', 'median', 'min', 'max', 'budget'],
    rows.map((r) => r.cells),
  )
  const last = {
    benchMonitor: true,
    runs,
    isAliveCpuMs: {
      process: spread(isAliveCpuMs),
      ...(ocfMs.length > 0 && { ocfDummyACall: spread(ocfMs), dummyAloneACall: spread(dummyMs) }),
    },
    watchMs: { process: spread(watchMs) },
    treePssMb: { [FEW]: spread(pssFew).median, [MANY]: spread(pssMany).median },
    treeCpuPercent: spread(treeCpuPercent),
    isolationMs: spread(isolationMs),
    budgetsMet: rows.every((r) => r.met),
    failures,
  }
  for (const failure of failures) process.stderr.write(`failed: ${failure}\n`)
  if (values.json) process.stdout.write(`${JSON.stringify(last)}\n`)
  process.exitCode = last.budgetsMet ? 0 : 1
}

/** Each pair of turns for itself. */
function moreThanAlone(): number[] {
  return ocfMs.map((ms, n) => ms - (dummyMs[n] ?? 0))
}

/** What was not measured has not met its budget. */
function row(what: string, values: readonly number[], budget: number, unit: string) {
  if (values.length === 0) return { cells: [what, unit, '–', '–', '–', String(budget)], met: false }
  const { median, min, max } = spread(values)
  const cells = [what, unit, String(median), String(min), String(max), String(budget)]
  return { cells, met: median <= budget }
}
