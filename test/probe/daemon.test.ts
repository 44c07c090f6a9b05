/** A workload whose main process ends and leaves it running (G2, G4, G5), in both kinds of kill group. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { identityOf } from '../../probe/gate/proc.ts'
import { type KillHandles, killHandles } from '../../probe/guard/cgroup.ts'
import { Workloads } from '../../probe/guard/workloads.ts'
import type { WorkloadRecord } from '../../schema/ipc.ts'
import type { ProcessRef } from '../../schema/workload.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-daemon-'))
let handles: KillHandles | null = null
afterEach(() => {
  for (const group of handles?.groups() ?? []) {
    handles?.killAll(group)
    handles?.remove(group)
  }
  rmSync(folder, { recursive: true, force: true })
})

describe.each([{}, { HOLDFAST_NO_CGROUP: '1' }])('with %o', (env) => {
  function bench() {
    handles = killHandles(randomUUID(), env as NodeJS.ProcessEnv)
    const said: string[] = []
    const workloads = new Workloads(handles, folder, {
      mainEnded: (_, __, exit, left) =>
        said.push(
          `${left ? 'left' : 'ended'} ${exit.code ?? exit.signal ?? '-'} ${exit.output ?? ''}`.trim(),
        ),
      nothingRuns: () => said.push('nothing runs'),
    })
    const start = (text: string) => {
      const spec = { command: '/bin/sh', args: ['-c', text], env: {}, daemon: true as const }
      return workloads.spawn('r', spec)
    }
    return { said, workloads, start, handles }
  }

  const until = async (met: () => boolean) => {
    const end = performance.now() + 10_000
    while (!met()) {
      if (performance.now() > end) throw new Error('in vain')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  const recordOf = (process: ProcessRef, group: string): WorkloadRecord => ({
    ...{ resourceId: 'r', groupId: 'g', epoch: 1, way: 'child', phase: 'running' },
    ...{ process, group, daemon: true },
  })

  const liveOf = (h: KillHandles, group: string) =>
    h.members(group).filter((pid) => identityOf(pid) !== null)

  test('what it has daemonised is the workload: seen to end, and only then is it over', async () => {
    const { said, workloads, start, handles: h } = bench()
    const { process: main, group } = start('setsid sleep 1000 & echo so far; exit 3')
    await until(() => said.length > 0)
    expect(said).toEqual(['left 3 so far'])
    const record = recordOf(main, group)
    expect(workloads.lives(record)).toBe(true)
    const [daemon] = liveOf(h, group)
    process.kill(daemon as number, 'SIGKILL')
    await until(() => said.includes('nothing runs'))
    expect(said).toEqual(['left 3 so far', 'ended -', 'nothing runs'])
    expect(workloads.lives(record)).toBe(false)
  })

  test('one that leaves nothing is over with its main process', async () => {
    const { said, start } = bench()
    start('exit 0')
    await until(() => said.includes('nothing runs'))
    expect(said).toEqual(['ended 0', 'nothing runs'])
  })

  test('G5: ended by the guard, daemon and all', async () => {
    const { said, workloads, start, handles: h } = bench()
    const { process: main, group } = start('setsid sleep 1000 & setsid sleep 1000 & exit 0')
    await until(() => said.length > 0)
    const daemons = liveOf(h, group)
    expect(daemons).toHaveLength(2)
    workloads.terminate(recordOf(main, group))
    await until(() => said.includes('nothing runs'))
    expect(daemons.map(identityOf)).toEqual([null, null])
  })

  test('G10: a new guard watches it by its kill group', async () => {
    const { said, start, handles: h } = bench()
    const { process: main, group } = start('setsid sleep 1000 & exit 0')
    await until(() => said.length > 0)
    const heard: string[] = []
    const next = new Workloads(h, folder, {
      mainEnded: (_, __, ___, left) => heard.push(left ? 'left' : 'ended'),
      nothingRuns: () => heard.push('nothing runs'),
    })
    next.watch(recordOf(main, group))
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(heard).toEqual([])
    for (const pid of liveOf(h, group)) process.kill(pid, 'SIGKILL')
    await until(() => heard.includes('nothing runs'))
    expect(heard).toEqual(['ended', 'nothing runs'])
  })
})
