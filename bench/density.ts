/**
 * `npm run bench:density`: what idle clusters cost. A thousand of them with three connected nodes each on one
 * local workerd (memory, processor, wakes), and one with three real hosts, counted over ten minutes and
 * multiplied with the platform's list prices, with one failover behind that.
 *
 *   npm run bench:density -- [--clusters 1000] [--profiles wan,standard] [--seconds 60] [--minutes 10] [--json]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startControlPlane } from '../demo/control-plane.ts'
import { createClient } from '../schema/api/client.ts'
import { PROFILES, type ProfileName, profileName } from '../schema/timing.ts'
import { type Counts, counted } from './counted.ts'
import { type Cost, idleCost } from './density-cost.ts'
import { printTable } from './figures.ts'
import { IdleNode } from './idle-node.ts'

const { values } = parseArgs({
  options: {
    clusters: { type: 'string', default: '1000' },
    profiles: { type: 'string', default: 'wan,standard' },
    seconds: { type: 'string', default: '60' },
    minutes: { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
  },
})
const CLUSTERS = Number(values.clusters)
const NODES = 3
/** Clusters that are set up at the same time. */
const AT_ONCE = 4
/** Of one core, in percent; and resident memory, in megabytes: for 1,000 clusters. */
const BUDGETS = { rssMb: 600, cpuPercent: { wan: 12, standard: 25 } as Record<string, number> }
const BUDGET_DOLLARS = 0.2

interface Density {
  readonly rssMb: number
  readonly cpuPercent: number
  readonly pongsPerSecond: number
  readonly wakesPerClusterMinute: Record<string, number>
  /** Nodes that were not answered as often as they have asked. */
  readonly silent: number
}

const densities: Record<string, Density> = {}
for (const profile of values.profiles.split(',').filter((name) => name !== ''))
  densities[profile] = await density(profileName.parse(profile))
const cost = await idleCost(Number(values.minutes))
report()
process.exit()

async function density(profile: ProfileName): Promise<Density> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const control = await startControlPlane({
    ...{ folder, port: 0, extensions: false, rateFactor: 0, made: counted },
  })
  const nodes: IdleNode[] = []
  try {
    const api = createClient({ url: control.url, key: control.key })
    let next = 0
    const setUp = async () => {
      for (; next < CLUSTERS; ) {
        const cluster = `c${next++}`
        await api('createCluster', { body: { name: cluster, profile } })
        for (let n = 0; n < NODES; n++)
          nodes.push(await IdleNode.join(api, control.url, cluster, `n${n + 1}`, PROFILES[profile]))
        if (next % 100 === 0) process.stderr.write(`${profile}: ${next} clusters\n`)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, setUp))
    // What was set up has settled, and every object has had the time to sleep.
    await sleep(30_000)
    const pid = control.workerdPid() as number
    const before = { cpuS: cpuSeconds(pid), counts: await counts(control.url), atMs: now() }
    const pongs = nodes.map((node) => node.pongs)
    await sleep(Number(values.seconds) * 1_000)
    const seconds = (now() - before.atMs) / 1_000
    const cpuPercent = (100 * (cpuSeconds(pid) - before.cpuS)) / seconds
    const rssMb = residentMb(pid)
    const answered = nodes.map((node, n) => node.pongs - (pongs[n] ?? 0))
    const asked = Math.floor((seconds * 1_000) / PROFILES[profile].pingMs)
    const after = await counts(control.url)
    const perClusterMinute = (n: number) => round((n * 60) / seconds / CLUSTERS)
    const kinds = Object.keys(after.wakes)
    return {
      ...{ rssMb: round(rssMb), cpuPercent: round(cpuPercent) },
      pongsPerSecond: round(answered.reduce((a, b) => a + b, 0) / seconds),
      wakesPerClusterMinute: Object.fromEntries(
        kinds
          .map(
            (kind) => [kind, (after.wakes[kind] ?? 0) - (before.counts.wakes[kind] ?? 0)] as const,
          )
          .filter(([, n]) => n > 0)
          .map(([kind, n]) => [kind, perClusterMinute(n)]),
      ),
      silent: answered.filter((n) => n < asked - 2).length,
    }
  } finally {
    for (const node of nodes) node.close()
    await control.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

function now(): number {
  return performance.now()
}

async function counts(url: string): Promise<Counts> {
  return (await (await fetch(`${url}/bench`)).json()) as Counts
}

/** User and system time of a process so far. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function residentMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  return Number(kb) / 1_024
}

function round(x: number): number {
  return Math.round(x * 100) / 100
}

/** Confirms and alarms: whatever else wakes an idle cluster should not. */
function onlyExpected(wakes: Record<string, number>): boolean {
  return Object.keys(wakes).every(
    (kind) => kind === 'confirm' || kind === 'alarm' || kind === 'start',
  )
}

function fits(profile: string, of: Density): boolean {
  const cpu = BUDGETS.cpuPercent[profile] ?? Number.POSITIVE_INFINITY
  const isCalm = of.silent === 0 && onlyExpected(of.wakesPerClusterMinute)
  return isCalm && of.rssMb < BUDGETS.rssMb && of.cpuPercent <= cpu
}

function report(): void {
  const result = {
    ...{ bench: 'density', clusters: CLUSTERS, nodes: CLUSTERS * NODES },
    ...{ densities, cost, budgets: { ...BUDGETS, dollars: BUDGET_DOLLARS } },
    budgetsMet:
      Object.entries(densities).every(([profile, of]) => fits(profile, of)) &&
      cost.dollarsPerMonth < BUDGET_DOLLARS,
  }
  if (!values.json) {
    printTable(
      ['profile', 'wakes of a cluster in a minute', 'MB', '% of a core', 'pongs/s'],
      Object.entries(densities).map(([profile, of]) => [
        ...[profile, JSON.stringify(of.wakesPerClusterMinute)],
        ...[of.rssMb, of.cpuPercent, of.pongsPerSecond].map(String),
      ]),
    )
    printCost(cost)
  }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}

function printCost({ perMonth, dollarsPerMonth, perFailover }: Cost): void {
  process.stdout.write('\n')
  printTable(
    ['three real hosts', '', 'a month', 'a failover'],
    Object.entries(perMonth).map(([what, n]) => [
      ...[what, '', String(n), String(perFailover[what as keyof typeof perFailover] ?? '')],
    ]),
  )
  process.stdout.write(`$${dollarsPerMonth} a month\n`)
}
