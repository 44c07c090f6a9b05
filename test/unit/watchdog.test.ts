/** The guard's side of a watchdog device. This machine has none: a file plays it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { emptyGuard, type GuardEvent, type GuardState } from '../../probe/core/guard.ts'
import { Watchdog } from '../../probe/guard/watchdog.ts'
import { hostPolicy } from '../../schema/host-policy.ts'

const GROUP = '00000000-0000-4000-8000-0000000000f1'
const RESOURCE = '00000000-0000-4000-8000-00000000000a'

let folder: string
let device: string
let events: GuardEvent[]
let state: GuardState
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-watchdog-'))
  device = join(folder, 'watchdog')
  writeFileSync(device, '')
  events = []
  state = emptyGuard('boot-0001', '11111111-1111-4111-8111-111111111111')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = (path = device) =>
  new Watchdog({ device: path, timeoutMs: 250, state: () => state, step: (e) => events.push(e) })

const fed = () => readFileSync(device, 'latin1')

/** Something runs, and no lease is there for it. */
const runs = () => {
  const record = { resourceId: RESOURCE, groupId: GROUP, epoch: 1, way: 'child', phase: 'running' }
  state = { ...state, records: [{ ...record, process: null } as GuardState['records'][number]] }
}

test('G12: fed several times in its time, told to the guard each time, switched off at a clean end', async () => {
  const dog = open()
  await sleep(200)
  expect(fed()).toMatch(/^\.{3,6}$/)
  expect(events).toHaveLength(fed().length)
  expect(events[0]).toEqual({ type: 'fed', timeoutMs: 250 })
  dog.end()
  expect(fed()).toMatch(/\.V$/)
  const then = fed()
  await sleep(120)
  expect(fed()).toBe(then)
})

test('G12: not fed when something runs without a lease, and not switched off either', async () => {
  const dog = open()
  runs()
  const then = fed()
  await sleep(150)
  expect(fed()).toBe(then)
  dog.end()
  expect(fed()).toBe(then)
})

test('G12: opening feeds it, so a guard that may not feed does not open it', () => {
  runs()
  const dog = open()
  expect(dog.status.open).toBe(false)
  expect(events).toEqual([])
  dog.end()
})

test('a device that cannot be opened is told of once, and the guard goes on', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const dog = open(join(folder, 'none', 'watchdog'))
  await sleep(150)
  expect(dog.status).toMatchObject({ open: false, problem: expect.stringMatching(/cannot be fed/) })
  expect(said).toHaveBeenCalledTimes(1)
  said.mockRestore()
  dog.end()
})

test('where the policy names one: /dev/watchdog unless it says else', () => {
  expect(hostPolicy.parse({ watchdog: { timeoutMs: 1_000 } }).watchdog).toEqual({
    device: '/dev/watchdog',
    timeoutMs: 1_000,
  })
  expect(hostPolicy.safeParse({ watchdog: { timeoutMs: 0 } }).success).toBe(false)
})
