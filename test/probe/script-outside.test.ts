/**
 * A script whose `online` hands over to something past the guard, as a service manager (G2, G5): the
 * guard sees nothing of it, so only the script's own `offline` can end it.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test } from 'vitest'
import { identityOf } from '../../probe/gate/proc.ts'
import { createScript } from '../../probe/resources/script.ts'
import type { Call, WorkloadExit } from '../../schema/resource-type.ts'
import { type ScriptProperties, scriptProperties } from '../../schema/resource-types/script.ts'

let folder: string
let command: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-outside-'))
  command = join(folder, 'unit.sh')
  writeFileSync(
    command,
    `#!/bin/sh
cd ${folder}; echo $1 >> calls
case $1 in
  online) touch outside; [ -e broken ] && exit 1; exit 0 ;;
  offline) [ -e stubborn ] || rm -f outside; exit 0 ;;
  isAlive) if [ -e slow ]; then touch asked; sleep 0.3; fi; [ -e outside ] && exit 0; exit 7 ;;
esac
exit 3
`,
  )
  chmodSync(command, 0o755)
  return () => rmSync(folder, { recursive: true, force: true })
})

const set = (flag: string) => writeFileSync(join(folder, flag), '')
const clear = (flag: string) => rmSync(join(folder, flag), { force: true })
const runs = () => existsSync(join(folder, 'outside'))
const calls = () => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')

interface FakeCall extends Call<ScriptProperties> {
  stops: number
  starts: number
  said: string[]
}

/** The guard's side is faked: it runs the action, and nothing is left in its kill group. */
function callOf(more: Partial<Pick<Call, 'signal' | 'persistentState'>> = {}, pid?: number) {
  const listeners = new Set<(exit: WorkloadExit) => void>()
  const ref = { pid: 4_000_000, startTicks: 1 }
  const call: FakeCall = {
    guid: '00000000-0000-4000-8000-00000000000a',
    name: 'unit',
    groupId: '00000000-0000-4000-8000-0000000000f1',
    epoch: 7,
    persistentState: 1,
    hiveSeq: 1,
    dependent: false,
    carry: null,
    resume: null,
    nodeName: 'n1',
    properties: scriptProperties.parse({ command }),
    signal: new AbortController().signal,
    said: [],
    progress: (note) => void call.said.push(note),
    log: (note) => void call.said.push(note),
    stops: 0,
    starts: 0,
    ...more,
    workload: {
      process: pid === undefined ? null : { pid, startTicks: 1 },
      startChild: async (spec) => {
        call.starts += 1
        const { status } = spawnSync(spec.command, [...spec.args], { env: { ...spec.env } })
        setTimeout(() => {
          for (const tell of listeners) tell({ code: status, signal: null, process: ref })
        }, 1)
        return ref
      },
      permitGate: () => Promise.reject(new Error('not in this test')),
      signal: () => Promise.resolve(false),
      stop: async () => {
        call.stops += 1
      },
      permitCopy: () => Promise.reject(new Error('not this way')),
      carried: () => Promise.reject(new Error('not this way')),
      onExit: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
  }
  return call
}

const module = () => createScript({ commands: [`${folder}/*`] })

test('S-39: online that leaves nothing in the kill group is undone before it is called failed', async () => {
  await expect(module().online?.(callOf())).rejects.toThrow('left no process running')
  expect(runs()).toBe(false)
  expect(calls()).toContain('offline')
})

test('online that has failed half-way is undone too', async () => {
  set('broken')
  await expect(module().online?.(callOf())).rejects.toThrow('exit code 1')
  expect(runs()).toBe(false)
})

test('G5: a start whose work cannot be undone is not called failed while it runs', async () => {
  set('stubborn')
  const call = callOf()
  const outcome = module()
    .online?.(call)
    .then(
      () => 'online',
      (error) => String(error),
    )
  expect(await Promise.race([outcome, sleep(1_000, 'under way')])).toBe('under way')
  expect(call.said).toContainEqual(expect.stringMatching(/not by this host’s guard/))
  clear('stubborn')
  expect(await outcome).toMatch(/left no process running/)
  expect(runs()).toBe(false)
})

test('G5: terminate calls offline for what runs past the guard', async () => {
  set('outside')
  const call = callOf()
  await module().terminate?.(call)
  expect(runs()).toBe(false)
  expect(call.stops).toBe(1)
})

test('G5: what cannot be ended is never said to be stopped: offline and terminate fail', async () => {
  set('outside')
  set('stubborn')
  await expect(module().offline?.(callOf())).rejects.toThrow('not by this host’s guard')
  const call = callOf({ signal: AbortSignal.timeout(400) })
  await expect(module().terminate?.(call)).rejects.toThrow('not by this host’s guard')
  // The guard's part of it was done all the same.
  expect(call.stops).toBe(1)
})

test('G1: a check ends what runs past the guard before it calls it failed', async () => {
  set('outside')
  const [answer] = await module().isAlive([callOf()])
  expect(answer).toMatchObject({
    status: 'failed',
    detail: expect.stringMatching(/its own offline/),
  })
  expect(runs()).toBe(false)
})

test('S-73: what runs past the guard and is not wanted is left alone', async () => {
  set('outside')
  const [answer] = await module().isAlive([callOf({ persistentState: 0 })])
  expect(answer).toMatchObject({ status: 'online' })
  expect(runs()).toBe(true)
})

test('a check that meets a start under way ends nothing', async () => {
  const unit = module()
  set('stubborn')
  const call = callOf({ signal: AbortSignal.timeout(600) })
  const starting = unit.online?.(call)
  await sleep(200)
  const before = calls().filter((action) => action === 'offline').length
  expect(await unit.isAlive([callOf()])).toMatchObject([{ status: 'unknown' }])
  expect(calls().filter((action) => action === 'offline')).toHaveLength(before)
  await expect(starting).rejects.toThrow()
})

test('S-80: an online that was given up in its isAlive stops and starts nothing any more', async () => {
  set('slow')
  const abort = new AbortController()
  const call = callOf({ signal: abort.signal }, 4_000_000)
  const starting = module().online?.(call)
  while (!existsSync(join(folder, 'asked'))) await sleep(5)
  abort.abort(new Error('cancelled'))
  await expect(starting).rejects.toThrow()
  expect([call.stops, call.starts]).toEqual([0, 0])
})

test('G5: a check that is under way has ended when a stop is done, and asks no more after it', async () => {
  const unit = module()
  set('slow')
  writeFileSync(
    command,
    readFileSync(command, 'utf8').replace('sleep 0.3', `echo $$ > ${folder}/pid; exec sleep 5`),
  )
  const checking = unit.isAlive([callOf({}, 4_000_000)])
  while (!existsSync(join(folder, 'pid'))) await sleep(5)
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
  await unit.terminate?.(callOf({}, 4_000_000))
  expect(identityOf(pid)).toBeNull()
  await checking
  const before = calls().length
  expect(await unit.isAlive([callOf()])).toMatchObject([{ status: 'offline' }])
  expect(calls()).toHaveLength(before)
})
