/**
 * What outlives the processes of a start is undone by the guard's own hand (G3 to G5, G10): with real
 * processes, in both kinds of kill group. A file stands for what the kernel holds.
 */
import { randomUUID } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type KillHandles, killHandles } from '../../probe/guard/cgroup.ts'
import { UndoNotes } from '../../probe/guard/undo/notes.ts'
import { Workloads } from '../../probe/guard/workloads.ts'
import type { WorkloadRecord } from '../../schema/ipc.ts'
import type { Undo } from '../../schema/undo.ts'
import type { ProcessRef } from '../../schema/workload.ts'

const RESOURCE = '00000000-0000-4000-8000-00000000000a'
const PATH = process.env['PATH'] ?? ''

let folder = ''
let handles: KillHandles | null = null
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-undo-'))
})
afterEach(() => {
  for (const group of handles?.groups() ?? []) {
    handles?.killAll(group)
    handles?.remove(group)
  }
  rmSync(folder, { recursive: true, force: true })
})

async function until(met: () => boolean): Promise<void> {
  const end = performance.now() + 10_000
  while (!met()) {
    if (performance.now() > end) throw new Error('in vain')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe.each([{}, { HOLDFAST_NO_CGROUP: '1' }])('with %o', (env) => {
  const log = () => join(folder, 'log')
  const logged = () =>
    existsSync(log()) ? readFileSync(log(), 'utf8').split('\n').filter(Boolean) : []

  function guard() {
    handles ??= killHandles(randomUUID(), env as NodeJS.ProcessEnv)
    const said: string[] = []
    // Of this test: one that is late must not write into the folder of the next.
    const own = log()
    const workloads = new Workloads(handles, folder, {
      mainEnded: (_, __, exit, left, empty) =>
        said.push(`${left ? 'left' : 'ended'} ${exit.code ?? '-'}${empty ? ' empty' : ''}`),
      nothingRuns: () => {
        if (existsSync(dirname(own))) appendFileSync(own, 'nothing runs\n')
        said.push('nothing runs')
      },
    })
    return { said, workloads }
  }

  const undoing = (text = ':', timeoutMs = 5_000): Undo => ({
    kind: 'command',
    command: '/bin/sh',
    args: ['-c', `${text}; echo undone >> ${log()}`],
    env: { PATH },
    timeoutMs,
  })
  const start = (workloads: Workloads, text: string, undo: Undo) =>
    workloads.spawn(RESOURCE, {
      ...{ command: '/bin/sh', args: ['-c', text], env: { PATH }, daemon: true, undo },
    })
  const recordOf = (
    started: { process: ProcessRef; group: string } | null,
    undo: Undo,
  ): WorkloadRecord => ({
    ...{ resourceId: RESOURCE, groupId: 'g', epoch: 1, way: 'child', daemon: true, undo },
    phase: started ? 'running' : 'starting',
    process: started?.process ?? null,
    ...(started && { group: started.group }),
  })
  const notes = () => readdirSync(join(folder, 'undo'))

  beforeEach(() => {
    handles = null
  })

  test('G7: it lasts without a process; a stop undoes it, and only then nothing runs', async () => {
    const { said, workloads } = guard()
    const undo = undoing()
    const started = start(workloads, 'exit 0', undo)
    await until(() => said.length > 0)
    expect(said).toEqual(['left 0'])
    const record = recordOf(started, undo)
    expect(workloads.lives(record)).toBe(true)
    expect(logged()).toEqual([])
    workloads.terminate(record)
    await until(() => said.includes('nothing runs'))
    expect(logged()).toEqual(['undone', 'nothing runs'])
    expect(notes()).toEqual([])
  })

  test('G5: whatever could set it up again is dead before it is undone', async () => {
    const { said, workloads } = guard()
    const busy = `trap '' TERM; setsid sh -c 'while :; do echo up >> ${log()}; sleep 0.01; done' & exit 0`
    const undo = undoing()
    const started = start(workloads, busy, undo)
    await until(() => logged().length > 2)
    workloads.terminate(recordOf(started, undo))
    await until(() => said.includes('nothing runs'))
    expect(logged().slice(-2)).toEqual(['undone', 'nothing runs'])
  })

  test('G5: a start that is under way is undone too, and one that has failed', async () => {
    const { said, workloads } = guard()
    const undo = undoing()
    const started = start(workloads, 'sleep 1000', undo)
    workloads.terminate(recordOf(started, undo))
    await until(() => said.includes('nothing runs'))
    expect(logged()).toEqual(['undone', 'nothing runs'])
    said.length = 0
    start(workloads, 'exit 1', undo)
    await until(() => said.includes('nothing runs'))
    expect(said).toEqual(['ended 1', 'nothing runs'])
    expect(logged()).toEqual(['undone', 'nothing runs', 'undone', 'nothing runs'])
  })

  test('G5: what cannot be undone is tried again, and what hangs is ended first', async () => {
    const { said, workloads } = guard()
    const tries = join(folder, 'tries')
    writeFileSync(tries, '')
    const hangs = `echo x >> ${tries}; n=$(wc -l < ${tries}); [ $n = 1 ] && sleep 1000; [ $n = 2 ] && exit 1; :`
    const undo = undoing(hangs, 200)
    const started = start(workloads, 'exit 0', undo)
    await until(() => said.length > 0)
    workloads.terminate(recordOf(started, undo))
    await until(() => said.includes('nothing runs'))
    expect(readFileSync(tries, 'utf8')).toBe('x\nx\nx\n')
    expect(logged()).toEqual(['undone', 'nothing runs'])
  })

  test('its processes have ended, and it lasts: that is said, once', async () => {
    const { said, workloads } = guard()
    const undo = undoing()
    const started = start(workloads, 'sleep 0.3 & exit 0', undo)
    await until(() => said.includes('left - empty'))
    expect(said).toEqual(['left 0', 'left - empty'])
    expect(workloads.lives(recordOf(started, undo))).toBe(true)
    // A new guard has nothing to watch of it.
    const next = guard()
    next.workloads.watch(recordOf(started, undo))
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(next.said).toEqual([])
  })

  test('G10: a new guard undoes a start that was on record without its process', async () => {
    const { said, workloads } = guard()
    const undo = undoing()
    start(workloads, 'sleep 1000', undo)
    expect(said).toEqual([])
    // The first one lives on here and hears of the kill: what the second one does is told apart.
    const next = guard()
    const record = recordOf(null, undoing(`echo second >> ${log()}`))
    next.workloads.killStrays([record], 'gate')
    next.workloads.terminate(record)
    await until(() => next.said.includes('nothing runs'))
    expect(logged()).toContain('second')
    expect(next.said).toEqual(['nothing runs'])
  })

  test('G10: what no record names any more is undone before anything is reported (S3)', async () => {
    const { said, workloads } = guard()
    start(workloads, 'exit 0', undoing('sleep 0.2'))
    await until(() => said.length > 0)
    const next = guard()
    next.workloads.killStrays([], 'gate')
    const order: string[] = []
    next.workloads.whenNoStrays(() => order.push(...logged(), 'report'))
    await until(() => order.length > 0)
    expect(order).toEqual(['undone', 'report'])
    expect(notes()).toEqual([])
  })

  test('what an earlier boot has noted is forgotten: it ended with it', () => {
    const at = join(folder, 'notes')
    new UndoNotes(at, 'boot-1').write(RESOURCE, undoing())
    writeFileSync(join(at, 'torn.json'), '{"boot":"boo')
    expect(new UndoNotes(at, 'boot-1').all()).toHaveLength(1)
    expect(new UndoNotes(at, 'boot-2').all()).toEqual([])
    expect(readdirSync(at)).toEqual([])
  })
})
