/**
 * The control plane in workerd, with hosts on real sockets that run nothing and answer at once: what it
 * takes itself, whatever hosts do.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type ControlPlane, startControlPlane } from '../demo/control-plane.ts'
import { type Client, createClient } from '../schema/api/client.ts'
import type { ConfigText } from '../schema/api/config.ts'
import type { TimelineView } from '../schema/api/timeline.ts'
import { PretendNode } from '../test/cli/pretend-node.ts'
import { median } from './figures.ts'

const BIN = fileURLToPath(new URL('../bin/holdfast.js', import.meta.url))
const UPDATES = 200
const EVICTIONS = 5

export interface Live {
  /** From a change that is asked for until all of 100 hosts have it. */
  readonly globalUpdateMs: { readonly p50: number; readonly p99: number }
  /** From the decision that a host with 1,000 resources is lost until all are online elsewhere. */
  readonly takenOverMs: number
  /** What the first request after an eviction waits longer than the next one. */
  readonly hiveLoadMs: number
  /** The slowest answer to a ping while the loss of every node and a plan are worked out. */
  readonly worstPongMs: number
  /** A plan of all 10,000 resources. */
  readonly planMs: number
  /** `holdfast status` of 64 nodes, without what Node.js takes to start. */
  readonly statusMs: number
}

export async function measureLive(runs: number): Promise<Live> {
  const updates = await many(runs, updateMs)
  const of = (part: 'p50' | 'p99') => median(updates.map((one) => one[part]))
  const large = await withClusters(measureLarge)
  return {
    globalUpdateMs: { p50: of('p50'), p99: of('p99') },
    takenOverMs: median(await many(runs, takenOverMs)),
    ...large,
    statusMs: median(await many(1, statusMs)),
  }
}

async function many<T>(runs: number, measure: (scene: Scene) => Promise<T>): Promise<T[]> {
  const all: T[] = []
  for (let run = 0; run < runs; run += 1) all.push(await withClusters(measure))
  return all
}

interface Scene {
  readonly control: ControlPlane
  readonly api: Client
  /** Hosts of the cluster that have joined and are up. */
  nodes(count: number): Promise<PretendNode[]>
  readonly params: { readonly cluster: string }
}

async function withClusters<T>(measure: (scene: Scene) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const control = await startControlPlane({ folder: join(folder, 'control'), port: 0 })
  const api = createClient({ url: control.url, key: control.key })
  const params = { cluster: 'bench' }
  const all: PretendNode[] = []
  try {
    await api('createCluster', { body: { name: params.cluster, profile: 'standard' } })
    const nodes = async (count: number) => {
      for (let n = 0; n < count; n += 1)
        all.push(await PretendNode.join(api, control.url, params.cluster, `n${all.length}`))
      await until(async () => {
        const view = await api('getCluster', { params })
        return view.nodes.every((node) => node.connected)
      })
      return all
    }
    return await measure({ control, api, nodes, params })
  } finally {
    for (const node of all) node.close()
    await control.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function until(is: () => Promise<boolean>, timeoutMs = 120_000): Promise<void> {
  for (const endMs = performance.now() + timeoutMs; !(await is()); await sleep(20))
    if (performance.now() > endMs) throw new Error('waited in vain')
}

async function updateMs({ api, nodes, params }: Scene): Promise<{ p50: number; p99: number }> {
  const hosts = await nodes(100)
  await api('createGroup', { params, body: { name: 'web' } })
  const took: number[] = []
  for (let n = 0; n < UPDATES; n += 1) {
    const heard = Promise.all(hosts.map((host) => host.nextUpdate()))
    const begunMs = performance.now()
    await api('changeGroup', { params: { ...params, group: 'web' }, body: { priority: n + 1 } })
    await heard
    took.push(performance.now() - begunMs)
    await sleep(5)
  }
  took.sort((a, b) => a - b)
  return { p50: median(took), p99: took[Math.floor(took.length * 0.99)] as number }
}

/** Groups of resources that nobody really runs. */
function crowd(groups: number, members: number, first = 0): ConfigText {
  const resources = (g: number) =>
    Object.fromEntries(
      Array.from({ length: members }, (_, m) => [
        `r${g}-${m}`,
        { type: 'process', properties: { command: '/bin/true' }, state: 'online' as const },
      ]),
    )
  const all = Array.from({ length: groups }, (_, n) => first + n)
  return { groups: Object.fromEntries(all.map((g) => [`g${g}`, { resources: resources(g) }])) }
}

async function takenOverMs({ api, nodes, params }: Scene): Promise<number> {
  const [host, ...others] = await nodes(3)
  for (const { name } of others) await api('pauseNode', { params: { ...params, node: name } })
  for (let n = 0; n < 2; n += 1)
    await api('applyConfig', { params, body: { config: crowd(50, 10, n * 50) } })
  const online = (on: (owner: string | null) => boolean) => async () => {
    const { groups } = await api('getCluster', { params })
    return groups.every((group) => group.state === 'online' && on(group.owner))
  }
  await until(online((owner) => owner === 'n0'))
  for (const { name } of others) await api('resumeNode', { params: { ...params, node: name } })
  host?.close()
  await until(online((owner) => owner !== 'n0'))
  const losses = await lossOf(api)
  return Math.max(...losses.map((one) => one.healthyAtMs ?? Number.NaN)) - decidedMs(losses)
}

/** How its groups were taken from a host that was lost, as the journal has it. */
export async function lossOf(api: Client, cluster?: string): Promise<TimelineView[]> {
  const { clusters } = await api('listClusters')
  const params = { cluster: cluster ?? (clusters[0]?.name as string) }
  const { timelines } = await api('listTimelines', { params, query: { limit: '100' } })
  return timelines.filter((one) => one.code === 'nodeLost')
}

/** When the lease of the host had surely ended, and the first group was placed. */
export function decidedMs(losses: readonly TimelineView[]): number {
  const places = losses.flatMap((one) => one.phases.find((p) => p.phase === 'place')?.fromMs ?? [])
  return Math.min(...places)
}

async function measureLarge({ control, api, nodes, params }: Scene) {
  const hosts = await nodes(20)
  for (let n = 0; n < 12; n += 1)
    await api('applyConfig', { params, body: { config: crowd(166, 5, n * 166) } })
  const last = crowd(8, 5, 1_992)
  await api('applyConfig', { params, body: { config: last } })
  await until(async () => {
    const { groups } = await api('getCluster', { params })
    return groups.length === 2_000 && groups.every((group) => group.state === 'online')
  }, 300_000)
  const ask = async () => {
    const begunMs = performance.now()
    await api('getGroup', { params: { ...params, group: 'g0' } })
    return performance.now() - begunMs
  }
  const loads: number[] = []
  for (let n = 0; n < EVICTIONS; n += 1) {
    await ask()
    const warmMs = await ask()
    await control.evict('hibernate')
    loads.push((await ask()) - warmMs)
  }
  const pongs = new Pongs(hosts[0] as PretendNode)
  const begunMs = performance.now()
  await api('planConfig', { params, body: { config: last } })
  const planMs = performance.now() - begunMs
  await api('survivability', { params, query: { lost: '1' } })
  return { hiveLoadMs: median(loads), planMs, worstPongMs: pongs.end() }
}

/** Pings one after the other. */
class Pongs {
  readonly #node: PretendNode
  #worstMs = 0
  #goesOn = true

  constructor(node: PretendNode) {
    this.#node = node
    void this.#run()
  }

  async #run(): Promise<void> {
    while (this.#goesOn) {
      const begunMs = performance.now()
      await this.#node.ping()
      this.#worstMs = Math.max(this.#worstMs, performance.now() - begunMs)
      await sleep(2)
    }
  }

  end(): number {
    this.#goesOn = false
    return this.#worstMs
  }
}

async function statusMs({ control, nodes, params, api }: Scene): Promise<number> {
  await nodes(64)
  await api('applyConfig', { params, body: { config: crowd(100, 2) } })
  const env = {
    ...{ PATH: process.env['PATH'], HOLDFAST_URL: control.url, HOLDFAST_API_KEY: control.key },
    HOLDFAST_CLUSTER: params.cluster,
  }
  const timed = (args: string[]) => {
    const begunMs = performance.now()
    const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' })
    // 3: something is not as it is wanted, which is said all the same.
    if (status !== 0 && status !== 3) throw new Error(stderr)
    return performance.now() - begunMs
  }
  const runs = Array.from(
    { length: 10 },
    () => [timed([BIN, 'status']), timed(['-e', '0'])] as const,
  )
  return median(runs.map(([status]) => status)) - median(runs.map(([, node]) => node))
}
