/** What a check of an OCF agent costs, beside what the agent costs by itself. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLUSTER, type Demo } from '../demo/cluster.ts'

const AGENT = '/usr/lib/ocf/resource.d/heartbeat/Dummy'
const RESOURCES = 20
const POLL_MS = 500
const WATCHED_MS = 10_000
const ALONE = 200
/** As the kernel counts CPU time: a hundred a second on every Linux of today. */
const TICK_MS = 10

export const ocfMissing = existsSync(AGENT) ? null : `${AGENT} is missing`

/** Own CPU time of a process, and that of children which it has waited for. */
function spentMs(pid: number | 'self'): number {
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(statOf(pid)[at] ?? 0) * TICK_MS, 0)
}

/** Fields of /proc/PID/stat after the command's name; none when it is gone. */
function statOf(pid: number | string): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? []
  } catch {
    return []
  }
}

/** These processes with all that they have started, and what those have: agents run below shells that stay. */
function withDescendants(pids: readonly number[]): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), Number(statOf(name)[1])] as const)
  const found = new Set(pids)
  for (let size = 0; size !== found.size; ) {
    size = found.size
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid)
  }
  return [...found]
}

/** CPU of the agent's monitor without anybody around it, in milliseconds a call. */
export function aloneMs(): number {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const env = { PATH: process.env['PATH'] ?? '', OCF_ROOT: '/usr/lib/ocf' }
  const own = { ...env, OCF_RESOURCE_INSTANCE: 'bench', OCF_RESKEY_state: join(folder, 'state') }
  spawnSync(AGENT, ['start'], { env: own })
  const before = spentMs('self')
  // By a shell, which is small: a fork of this process would cost more than the agent.
  const loop = `i=0; while [ $i -lt ${ALONE} ]; do "$0" monitor; i=$((i+1)); done`
  spawnSync('/bin/sh', ['-c', loop, AGENT], { env: own })
  const spent = spentMs('self') - before
  rmSync(folder, { recursive: true, force: true })
  return spent / ALONE
}

export async function addDummies(demo: Demo, folder: string): Promise<void> {
  await demo.addGroup('ocf')
  for (let n = 0; n < RESOURCES; n += 1)
    await demo.api('createResource', {
      params: { cluster: CLUSTER },
      body: {
        ...{ name: `dummy${n}`, group: 'ocf', type: 'ocf', possibleOwners: ['n2'] },
        properties: {
          agent: 'ocf:heartbeat:Dummy',
          parameters: { state: join(folder, `dummy${n}.state`) },
        },
        poll: { isAliveMs: POLL_MS },
      },
    })
  await demo.online('ocf', 'n2', 120_000)
}

/** CPU of guard, agent, monitors and the agent itself, in milliseconds a call. */
export async function throughOcfMs(demo: Demo): Promise<number> {
  const pids = Object.values(demo.host('n2').treePids()) as number[]
  const spent = () => withDescendants(pids).reduce((sum, pid) => sum + spentMs(pid), 0)
  const [before, atMs] = [spent(), performance.now()]
  await sleep(WATCHED_MS)
  const calls = (RESOURCES * (performance.now() - atMs)) / POLL_MS
  return (spent() - before) / calls
}
