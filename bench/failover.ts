/**
 * `npm run bench:failover`: from the fault to the workload's own first timestamp. `--json`: one line
 * last. Rows 1 to 4 of the budgets, profiles `fast` and `standard`, loopback, restart delay 0.
 *
 * The workload is a shell that writes the time and sleeps. What such a start takes by itself is
 * measured beside it, and `overhead` is what is left: ours. `hostSilentLate`: every alarm of the platform
 * rings a minute late, so that only the peers of the silent host can have it found out (S-17).
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CLUSTER, Demo } from '../demo/cluster.ts'
import { killPid } from '../demo/host.ts'
import { PROFILES, type ProfileName, profileName, waitMs } from '../schema/timing.ts'
import { addFence, fenceFolder, Plug } from '../test/fence/plug.ts'
import { median, printTable, type Spread, spread } from './figures.ts'
import { pssMb } from './memory.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string', default: '10' },
    profiles: { type: 'string', default: 'fast,standard' },
  },
})
const runs = Number(values.runs)

/** Budgets of the part that is ours, in milliseconds (medians); null: reported, without a budget. */
const BUDGETS = {
  crashRestartMs: 5,
  crashFailoverMs: 20,
  hostDeathMs: 50,
  hostSilentMs: 50,
  /** From the death on: the agent answers in 40 ms. */
  hostDeathFencedMs: 400,
  hostSilentLateMs: 50,
  cleanShutdownMs: null,
  moveDowntimeMs: 20,
} as const
type Key = keyof typeof BUDGETS

interface Sample {
  totalMs: number
  overheadMs: number
}

/** Says when it starts and when it is asked to end, in nanoseconds of the wall clock. */
const SCRIPT =
  'trap \'echo "end $(date +%s%N)" >> "$0"; exit 0\' TERM; echo "start $(date +%s%N) $HOLDFAST_NODE $$" >> "$0"; while :; do sleep 1000 & wait $!; done'

const nowMs = () => performance.timeOrigin + performance.now()

const results: Record<string, Record<string, Spread & { overhead: Spread }>> = {}
let probeTreePssMb: Spread | null = null
const ownMs = await measureOwnStart()
for (const name of values.profiles.split(','))
  results[name] = await benchProfile(profileName.parse(name))
report()

async function benchProfile(profile: ProfileName) {
  const lateAlarms = await benchLateAlarms(profile)
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const policy = { fence: fenceFolder(folder) }
  // A boot that was fenced is refused for ever, so hosts need boot ids of their own.
  const demo = await Demo.start({ folder, port: 0, profile, vm: false, policy, ownBoot: true })
  const samples: Record<Key, Sample[]> = {
    crashRestartMs: [],
    crashFailoverMs: [],
    hostDeathMs: [],
    hostSilentMs: [],
    hostDeathFencedMs: [],
    hostSilentLateMs: lateAlarms,
    cleanShutdownMs: [],
    moveDowntimeMs: [],
  }
  try {
    await demo.allUp()
    await addWorkload(demo, 'restarts', { attempts: 1_000, delayMs: 0 })
    await addWorkload(demo, 'moves', { attempts: 0, delayMs: 0 })
    const failedOver = { failoverThreshold: 1_000, failoverPeriodMs: 1 }
    await demo.api('changeGroup', {
      params: { cluster: CLUSTER, group: 'moves' },
      body: failedOver,
    })
    await sleep(3_000)
    probeTreePssMb ??= spread(await Promise.all(demo.hosts.map((h) => pssMb(h.treePids()))))
    for (let i = 0; i < runs; i += 1) {
      samples.crashRestartMs.push(await crash(demo, 'restarts'))
      samples.crashFailoverMs.push(await crash(demo, 'moves'))
      samples.moveDowntimeMs.push(await move(demo))
      progress(profile, i)
    }
    for (let i = 0; i < runs; i += 1) {
      samples.hostDeathMs.push(await loseHost(demo, profile, 'death'))
      samples.hostSilentMs.push(await loseHost(demo, profile, 'silent'))
      samples.cleanShutdownMs.push(await cleanShutdown(demo))
      progress(profile, runs + i)
    }
    for (let i = 0; i < runs; i += 1) samples.hostDeathFencedMs.push(await loseFenced(demo))
  } finally {
    await demo.kill()
    rmSync(folder, { recursive: true, force: true })
  }
  return Object.fromEntries(
    (Object.keys(samples) as Key[]).map((key) => [
      key,
      {
        ...spread(samples[key].map((s) => s.totalMs)),
        overhead: spread(samples[key].map((s) => s.overheadMs)),
      },
    ]),
  )
}

/** A cluster of its own, whose alarms are of no use. */
async function benchLateAlarms(profile: ProfileName): Promise<Sample[]> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const options = { folder, port: 0, profile, vm: false, alarmsLateMs: 60_000 }
  const demo = await Demo.start(options)
  const samples: Sample[] = []
  try {
    await demo.allUp()
    await addWorkload(demo, 'moves', { attempts: 0, delayMs: 0 })
    for (let i = 0; i < runs; i += 1) {
      await demo.until('all are heard', (v) => v.nodes.every((n) => n.heardBy.length === 2))
      samples.push(await loseHost(demo, profile, 'silent'))
      process.stderr.write(`${profile} late alarms ${i + 1}/${runs}\n`)
    }
  } finally {
    await demo.kill()
    rmSync(folder, { recursive: true, force: true })
  }
  return samples
}

async function addWorkload(
  demo: Demo,
  name: string,
  restart: { attempts: number; delayMs: number },
) {
  await demo.addGroup(name)
  await demo.api('createResource', {
    params: { cluster: CLUSTER },
    body: {
      name,
      group: name,
      type: 'process',
      properties: { command: '/bin/sh', args: ['-c', SCRIPT, join(demo.folder, name)] },
      restart,
    },
  })
  await demo.online(name)
  await nextLine(demo, name, 'start', 0)
}

async function crash(demo: Demo, name: string): Promise<Sample> {
  await settled(demo, name)
  const last = lines(demo, name, 'start').at(-1) as Line
  const faultMs = nowMs()
  killPid(last.pid)
  const start = await nextLine(demo, name, 'start', last.atMs)
  return { totalMs: start.atMs - faultMs, overheadMs: start.atMs - faultMs - ownMs }
}

/** From the old workload's own last sign to the new one's first. */
async function move(demo: Demo): Promise<Sample> {
  const group = await settled(demo, 'moves')
  const last = lines(demo, 'moves', 'start').at(-1) as Line
  await demo.api('moveGroup', { params: { cluster: CLUSTER, group: group.name }, body: {} })
  const start = await nextLine(demo, 'moves', 'start', last.atMs)
  const end = lines(demo, 'moves', 'end').at(-1) as Line
  return { totalMs: start.atMs - end.atMs, overheadMs: start.atMs - end.atMs - ownMs }
}

/**
 * `death`: SIGKILL to all of the host, its sockets close. `silent`: the agent is stopped, sockets
 * stay open; the guard stops the workload when the lease ends. Overhead: beyond W(TTL) from the last
 * answered ping.
 */
async function loseHost(
  demo: Demo,
  profile: ProfileName,
  how: 'death' | 'silent',
): Promise<Sample> {
  const group = await settled(demo, 'moves')
  const owner = group.owner as string
  const host = demo.host(owner)
  const last = lines(demo, 'moves', 'start').at(-1) as Line
  const { agent } = host.treePids()
  const faultMs = nowMs()
  if (how === 'death') host.powerCut()
  else process.kill(agent as number, 'SIGSTOP')
  const start = await nextLine(demo, 'moves', 'start', last.atMs)
  const { events } = await demo.api('listEvents', {
    params: { cluster: CLUSTER },
    query: { after: Math.max(0, (await demo.view()).seq - 60) },
  })
  const down = events.filter((e) => e.type === 'node.down' && e.subject === owner).at(-1)
  const answeredMs = Number(down?.because.evidence?.['lastAnswerMs'])
  if (how === 'silent') process.kill(agent as number, 'SIGCONT')
  else await host.boot()
  await demo.allUp()
  const { ttlMs, marginMs } = PROFILES[profile]
  const overheadMs = start.atMs - answeredMs - waitMs(ttlMs, marginMs) - ownMs
  return { totalMs: start.atMs - faultMs, overheadMs }
}

/** SIGKILL to all of the host; another one runs a fence agent that takes 40 ms to say that it is off. */
async function loseFenced(demo: Demo): Promise<Sample> {
  const group = await settled(demo, 'moves')
  const host = demo.host(group.owner as string)
  const plug = new Plug(demo, host)
  plug.answersIn(40)
  await addFence(demo, plug, { delayMs: 0, switchOn: false })
  const last = lines(demo, 'moves', 'start').at(-1) as Line
  const faultMs = nowMs()
  host.powerCut()
  const start = await nextLine(demo, 'moves', 'start', last.atMs)
  plug.end()
  await demo.api('removeFence', { params: { cluster: CLUSTER, node: host.name } })
  await host.boot()
  await demo.allUp()
  return { totalMs: start.atMs - faultMs, overheadMs: start.atMs - faultMs - ownMs }
}

async function cleanShutdown(demo: Demo): Promise<Sample> {
  const group = await settled(demo, 'moves')
  const host = demo.host(group.owner as string)
  const last = lines(demo, 'moves', 'start').at(-1) as Line
  const faultMs = nowMs()
  const ended = host.shutDown()
  const start = await nextLine(demo, 'moves', 'start', last.atMs)
  await ended
  await host.boot()
  await demo.allUp()
  return { totalMs: start.atMs - faultMs, overheadMs: start.atMs - faultMs - ownMs }
}

async function settled(demo: Demo, name: string) {
  const group = await demo.online(name)
  await sleep(300)
  return group
}

/** What the workload's start takes without us: shell, `date`, one line. */
async function measureOwnStart(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-own-'))
  const took: number[] = []
  for (let i = 0; i < 20; i += 1) {
    const file = join(folder, `own-${i}`)
    const begun = nowMs()
    const child = spawn('/bin/sh', ['-c', SCRIPT, file], { stdio: 'ignore', detached: true })
    while (parse(file, 'start').length === 0) await sleep(1)
    took.push((parse(file, 'start')[0] as Line).atMs - begun)
    process.kill(-(child.pid as number), 'SIGKILL')
  }
  rmSync(folder, { recursive: true, force: true })
  return median(took)
}

interface Line {
  atMs: number
  node: string
  pid: number
}

function lines(demo: Demo, name: string, what: 'start' | 'end'): Line[] {
  return parse(join(demo.folder, name), what)
}

function parse(file: string, what: 'start' | 'end'): Line[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${what} `))
    .map((line) => line.split(' '))
    .map(([, at, node, pid]) => ({
      atMs: Number(BigInt(at as string) / 1_000n) / 1_000,
      node: node ?? '',
      pid: Number(pid),
    }))
}

async function nextLine(demo: Demo, name: string, what: 'start' | 'end', after: number) {
  const end = performance.now() + 30_000
  while (performance.now() < end) {
    const line = lines(demo, name, what).at(-1)
    if (line && line.atMs > after) return line
    await sleep(1)
  }
  throw new Error(`${name} wrote no ${what} within 30 s`)
}

function progress(profile: string, i: number): void {
  process.stderr.write(`${profile} ${i + 1}/${2 * runs}\n`)
}

function report(): void {
  let budgetsMet = true
  const rows: string[][] = []
  for (const [profile, keys] of Object.entries(results))
    for (const [key, s] of Object.entries(keys)) {
      const budget = BUDGETS[key as Key]
      const met = budget === null || s.overhead.median <= budget
      budgetsMet &&= met
      rows.push([
        profile,
        key.replace(/Ms$/, ''),
        s.median.toFixed(1),
        `${s.min.toFixed(1)} – ${s.max.toFixed(1)}`,
        s.overhead.median.toFixed(1),
        budget === null ? '–' : String(budget),
        budget === null ? '' : met ? 'met' : 'MISSED',
        String(s.n),
      ])
    }
  printTable(['profile', 'case', 'median ms', 'min – max', 'ours ms', 'budget', '', 'n'], rows)
  const pss = probeTreePssMb as Spread
  const memoryMet = pss.median <= 120
  budgetsMet &&= memoryMet
  process.stdout.write(
    `probe tree PSS ${pss.median.toFixed(1)} MB (budget 120, ${memoryMet ? 'met' : 'MISSED'}); the workload's own start takes ${ownMs.toFixed(1)} ms; restart delay 0\n`,
  )
  if (values.json)
    process.stdout.write(
      `${JSON.stringify({ bench: 'failover', ownStartMs: ownMs, ...flat(), probeTreePssMb: pss, budgetsMet })}\n`,
    )
}

/** The first profile at the top level, all of them by name. */
function flat() {
  return { ...Object.values(results)[0], profiles: results }
}
