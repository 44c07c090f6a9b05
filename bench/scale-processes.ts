/** 200 real processes of a host that dies: until the last one writes its start on another host. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CLUSTER, Demo } from '../demo/cluster.ts'
import { median } from './figures.ts'
import { decidedMs, lossOf } from './scale-live.ts'

const GROUPS = 40
const MEMBERS = 5

/** Says when it starts, in nanoseconds of the wall clock; the one of a host that died writes no more. */
const SCRIPT = 'echo "$(date +%s%N) $HOLDFAST_NODE" >> "$0"; exec sleep 100000'

/** @returns milliseconds from the decision to the start of the last one, as the workloads saw it (median) */
export async function measureProcesses(runs: number): Promise<number> {
  const took: number[] = []
  for (let run = 0; run < runs; run += 1) took.push(await once())
  return median(took)
}

async function once(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const demo = await Demo.start({
    folder,
    port: 0,
    profile: 'fast',
    vm: false,
    hosts: ['n1', 'n2'],
  })
  try {
    await demo.allUp()
    await demo.api('pauseNode', { params: { cluster: CLUSTER, node: 'n2' } })
    const starts = join(folder, 'starts')
    const resources = Array.from({ length: MEMBERS }, (_, m) => m)
    const group = (g: number) => ({
      resources: Object.fromEntries(
        resources.map((m) => [
          `r${g}-${m}`,
          {
            type: 'process',
            properties: { command: '/bin/sh', args: ['-c', SCRIPT, starts] },
            state: 'online' as const,
          },
        ]),
      ),
    })
    const groups = Object.fromEntries(Array.from({ length: GROUPS }, (_, g) => [`g${g}`, group(g)]))
    await demo.api('applyConfig', { params: { cluster: CLUSTER }, body: { config: { groups } } })
    const count = GROUPS * MEMBERS
    await demo.until('all are online', (view) => onlineOn(view, 'n1') === count, 120_000)
    await demo.api('resumeNode', { params: { cluster: CLUSTER, node: 'n2' } })
    demo.host('n1').powerCut()
    await demo.until('all are online elsewhere', (view) => onlineOn(view, 'n2') === count, 120_000)
    return lastStartMs(starts) - decidedMs(await lossOf(demo.api))
  } finally {
    await demo.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

function onlineOn(view: Awaited<ReturnType<Demo['view']>>, node: string): number {
  return view.groups
    .filter((group) => group.owner === node)
    .flatMap((group) => group.resources)
    .filter((resource) => resource.status === 'online').length
}

function lastStartMs(path: string): number {
  if (!existsSync(path)) throw new Error('nothing has started')
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  const on = lines.filter((line) => line.endsWith(' n2')).map((line) => Number(line.split(' ')[0]))
  return Math.max(...on) / 1e6
}
