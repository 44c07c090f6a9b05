/** G5, G10: a guard that is started from another place in the cgroup tree than the one before it. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Identity, identityOf } from '../../../probe/gate/proc.ts'
import { killHandles } from '../../../probe/guard/cgroup.ts'
import { Workloads } from '../../../probe/guard/workloads.ts'
import type { WorkloadRecord } from '../../../schema/ipc.ts'

const OWNER = '00000000-0000-4000-8000-0000000000cc'
const ROOT = join(import.meta.dirname, '../../..')

/** As an operator's ssh session has one, and the service later another. */
function otherCgroup(): string | null {
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'latin1'))?.[1]
  const mount = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/self/mounts', 'latin1'))?.[1]
  if (own === undefined || mount === undefined) return null
  const path = join(mount, own, `review-session-${process.pid}`)
  try {
    mkdirSync(path)
    return path
  } catch {
    return null
  }
}

test('what a guard of another cgroup has started is found, or at least not said to be gone', async (ctx) => {
  const cgroup = otherCgroup()
  ctx.skip(cgroup === null, 'no cgroup v2 to be had')
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-cgroup-'))
  const pidFile = join(folder, 'daemon')
  const program = `
    import { killHandles } from '${ROOT}/probe/guard/cgroup.ts'
    import { Workloads } from '${ROOT}/probe/guard/workloads.ts'
    const w = new Workloads(killHandles('${OWNER}'), '${folder}', {
      mainEnded: (id, process, exit, left) => {
        console.log(JSON.stringify({ ...started, left }))
        setTimeout(() => globalThis.process.kill(globalThis.process.pid, 'SIGKILL'), 50)
      },
      nothingRuns: () => {},
    })
    const started = w.spawn('r', { command: '/bin/sh', env: {}, daemon: true,
      args: ['-c', "setsid sh -c 'echo $$ > ${pidFile}; exec sleep 300' & while [ ! -s ${pidFile} ]; do sleep 0.01; done"] })
  `
  writeFileSync(join(folder, 'first.ts'), program)
  const words = ['-c', `echo $$ > ${cgroup}/cgroup.procs && exec "$@"`, '-', process.execPath]
  const first = spawn('/bin/sh', [...words, join(folder, 'first.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  first.stdout.on('data', (chunk) => {
    said += chunk
  })
  await new Promise((resolve) => first.once('exit', resolve))
  const { process: main, group } = JSON.parse(said) as { process: Identity; group: string }
  const daemon = identityOf(Number(readFileSync(pidFile, 'utf8')))
  expect(daemon).not.toBeNull()
  try {
    const gone: string[] = []
    const workloads = new Workloads(killHandles(OWNER), folder, {
      mainEnded: () => {},
      nothingRuns: (resourceId) => void gone.push(resourceId),
    })
    const record: WorkloadRecord = {
      ...{ resourceId: 'r', groupId: 'g', epoch: 1, way: 'child', phase: 'running' },
      ...{ process: main, group, daemon: true },
    }
    expect.soft(workloads.lives(record)).toBe(true)
    workloads.killStrays([record], 'gate')
    workloads.terminate(record)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    // Either it still looks, or it is really gone.
    const runs = identityOf(daemon?.pid as number)?.startTicks === daemon?.startTicks
    expect({ gone, runs }).not.toEqual({ gone: ['r'], runs: true })
  } finally {
    if (identityOf(daemon?.pid as number)?.startTicks === daemon?.startTicks)
      process.kill(daemon?.pid as number, 'SIGKILL')
    writeFileSync(join(cgroup as string, 'cgroup.kill'), '1')
    await new Promise((resolve) => setTimeout(resolve, 200))
    const own = join(cgroup as string, `../holdfast-${OWNER}`)
    for (const path of [cgroup as string, own])
      spawnSync('find', [path, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'])
    rmSync(folder, { recursive: true, force: true })
  }
})
