/** Several resource monitors on one host (S-23): who is told what, and who is killed when. */
import { expect, test } from 'vitest'
import { DutyDesk } from '../../probe/agent/duty-desk.ts'
import { MonitorList } from '../../probe/agent/monitors.ts'
import type { Known } from '../../probe/core/duties.ts'
import { monitorsOf } from '../../probe/guard/monitors.ts'
import { emptyHive, type Resource } from '../../schema/hive.ts'
import type { AgentToGuard } from '../../schema/ipc.ts'
import { DB, GuardBench, NGINX, PG, SPEC, WEB } from './guard-bench.ts'

const hosted = (type: string) => ({ type, version: '1.0.0', sha256: 'a'.repeat(64) })

test('a second monitor is there only where the policy allows a type that it hosts', () => {
  expect(monitorsOf({}, [])).toEqual(['rhs'])
  expect(monitorsOf({ process: { commands: ['*'] } }, [])).toEqual(['rhs'])
  expect(monitorsOf({ script: { commands: [] } }, [])).toEqual(['rhs', 'rhs-exec'])
  const pin = { type: 'own', version: '1.0.0', sha256: 'a'.repeat(64), file: 'own.mjs' }
  expect(monitorsOf({}, [{ ...pin, host: 'rhs' }])).toEqual(['rhs'])
  expect(monitorsOf({}, [{ ...pin, host: 'rhs-exec' }])).toEqual(['rhs', 'rhs-exec'])
})

test('S-56: a type whose module is not loaded is offered with its problem, and called by nobody', () => {
  const list = new MonitorList()
  list.expect(['rhs'])
  list.up('rhs')
  list.ready('rhs', {
    types: [hosted('process'), { ...hosted('own'), problem: 'it is corrupt' }],
    unloaded: ['own'],
  })
  expect(list.types.map((t) => t.type)).toEqual(['process', 'own'])
  expect(list.hostOf('own')).toBeNull()
  expect(list.lacks('own')).toBe(true)
  // One that has become corrupt on disk after it was loaded goes on.
  list.ready('rhs', { types: [hosted('process'), { ...hosted('own'), problem: 'it is corrupt' }] })
  expect(list.hostOf('own')).toBe('rhs')
  expect(list.lacks('own')).toBe(false)
})

test('the agent sends each resource to the monitor that hosts its type, and to no other', () => {
  const list = new MonitorList()
  list.up('rhs')
  list.up('rhs-exec')
  expect(list.complete).toBe(false)
  expect(list.ready('rhs', { types: [hosted('process')] })).toBe(true)
  expect(list.hostOf('script')).toBeNull()
  expect(list.complete).toBe(false)
  expect(list.ready('rhs-exec', { types: [hosted('script')] })).toBe(true)
  expect(list.complete).toBe(true)

  const sent: AgentToGuard[] = []
  const desk = new DutyDesk((frame) => sent.push(frame))
  const act = () => desk.act(list, known(['process', 'script']))
  const told = () =>
    sent.splice(0).flatMap((f) => {
      if (f.t !== 'toRhs') return []
      const what = f.frame.t === 'hold' ? f.frame.resources.map((r) => r.type) : f.frame.t
      return [[f.monitor, what]]
    })
  act()
  expect(told()).toEqual([
    ['rhs', ['process']],
    ['rhs-exec', ['script']],
  ])
  act()
  expect(told()).toEqual([])

  // One goes: its types still count, its resources wait for it, the other is told nothing.
  list.down('rhs-exec')
  expect(list.types.map((t) => t.type)).toEqual(['process', 'script'])
  desk.rhsRestarted('rhs-exec')
  act()
  expect(told()).toEqual([])
  list.up('rhs-exec')
  expect(list.ready('rhs-exec', { types: [hosted('script')] })).toBe(false)
  act()
  expect(told()).toEqual([['rhs-exec', ['script']]])
})

test('one that ends again and again at its start is not waited for', () => {
  const list = new MonitorList()
  list.up('rhs')
  list.up('rhs-exec')
  list.down('rhs-exec')
  list.ready('rhs', { types: [hosted('process')] })
  expect(list.complete).toBe(true)
})

test('G5, L5: a lapse kills every monitor', () => {
  const guard = new GuardBench().ready()
  guard.child({ monitor: 'rhs' })
  guard.started()
  guard.step({ type: 'everythingMustStop' })
  expect(guard.effects).toContainEqual({ type: 'killRhs', monitor: 'all' })
})

test('G7: a group is stopped while a yes for it is open: that monitor is killed, no other', () => {
  const guard = new GuardBench().ready()
  guard.step({ type: 'granted', session: 1, groupId: DB, epoch: 1 })
  guard.child({ monitor: 'rhs' })
  guard.started()
  const ask = guard.ask({ resourceId: PG, groupId: DB, monitor: 'rhs-exec' })
  guard.step({ type: 'gatePermitAsked', ask, gateName: 'db' })
  guard.step({ type: 'groupStopAsked', groupId: DB, epoch: 1 })
  expect(guard.types.slice(0, 3)).toEqual(['persist', 'killRhs', 'terminate'])
  expect(guard.effects).toContainEqual({ type: 'killRhs', monitor: 'rhs-exec' })
  // What runs is no open yes.
  guard.step({ type: 'groupStopAsked', groupId: WEB, epoch: 1 })
  expect(guard.types).not.toContain('killRhs')
})

test('G9: a daemon is on record as one, with who asked for it', () => {
  const guard = new GuardBench().ready()
  const ask = guard.ask({ monitor: 'rhs-exec' })
  guard.step({ type: 'childAsked', ask, spec: { ...SPEC, daemon: true } })
  guard.started()
  expect(guard.state.records).toMatchObject([
    { resourceId: NGINX, phase: 'running', daemon: true, monitor: 'rhs-exec' },
  ])
})

function known(types: readonly string[]): Known {
  const hive = emptyHive()
  const base = { failoverThreshold: null, failoverPeriodMs: 1, failovers: [], createdAtMs: 0 }
  hive.groups.set(WEB, {
    ...{ ...base, id: WEB, name: 'web', preferredOwners: [] },
    ownership: { phase: 'owned', owner: NGINX, epoch: 1, correlationId: 'c' },
  })
  types.forEach((type, i) => {
    const id = `00000000-0000-4000-8000-0000000000a${i}`
    hive.resources.set(id, {
      ...{ id, groupId: WEB, name: type, type, properties: {}, persistentState: 1 },
      ...{ dependsOn: [], possibleOwners: null, separateMonitor: false, createdAtMs: 0 },
      restart: { attempts: 1, periodMs: 1, delayMs: 0, retryAfterMs: 1 },
      poll: { isAliveMs: 5_000, looksAliveMs: 60_000, pendingMs: 1_000, deadlockMs: 1_000 },
    } as Resource)
  })
  const grants = [{ groupId: WEB, epoch: 1 }]
  return { nodeId: NGINX, hive, grants, statuses: new Map() } as Known
}

test('a monitor that is down when the agent begins may host what the others do not', () => {
  const monitors = new MonitorList()
  const hosts = (type: string) => [{ type, version: '1', sha256: '0'.repeat(64) }]
  monitors.expect(['rhs', 'rhs-exec'])
  monitors.up('rhs')
  monitors.ready('rhs', { types: hosts('process') })
  // rhs-exec was killed together with the agent, and is not up again yet.
  expect(monitors.complete).toBe(true)
  expect(monitors.lacks('script')).toBe(false)
  monitors.up('rhs-exec')
  monitors.ready('rhs-exec', { types: hosts('script') })
  expect([monitors.lacks('script'), monitors.lacks('virtual-machine')]).toEqual([false, true])
})
