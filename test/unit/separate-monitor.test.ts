/** S-29: a resource with a resource monitor of its own, as the agent sees to it. */
import { beforeEach, expect, test } from 'vitest'
import { DutyDesk } from '../../probe/agent/duty-desk.ts'
import { MonitorList } from '../../probe/agent/monitors.ts'
import type { Known } from '../../probe/core/duties.ts'
import type { Hive } from '../../schema/hive.ts'
import type { AgentToGuard } from '../../schema/ipc.ts'
import { run } from '../scenarios/directives.ts'
import { World } from '../scenarios/world.ts'

const TYPES = [{ type: 'process', version: '1', sha256: 'a'.repeat(64) }]

let world: World
let list: MonitorList
let desk: DutyDesk
let sent: AgentToGuard[]
let [web, api, own] = ['', '', '']

beforeEach(() => {
  world = new World()
  for (const line of [
    'cluster fast',
    'nodes n1',
    'group site',
    'resource site/web process',
    'resource site/api process',
  ])
    run(world, line)
  web = world.id('resource', 'web')
  api = world.id('resource', 'api')
  own = `rhs:${api}`
  list = new MonitorList()
  sent = []
  desk = new DutyDesk((frame) => sent.push(frame))
  list.up('rhs')
  list.ready('rhs', { types: TYPES })
})

const act = (alone: readonly string[] = []) => {
  const hive = structuredClone(world.hive) as Hive
  for (const [id, resource] of hive.resources)
    hive.resources.set(id, { ...resource, separateMonitor: alone.includes(id) })
  const known: Known = {
    nodeId: world.id('node', 'n1'),
    hive,
    grants: [{ groupId: world.id('group', 'site'), epoch: 1 }],
    statuses: new Map(),
    current: true,
  }
  desk.act(list, known)
}

/** Who was told what since the last time. */
const told = () =>
  sent.splice(0).flatMap((f) => {
    if (f.t === 'monitors') return [['guard', ...f.separate]]
    if (f.t !== 'toRhs') return []
    if (f.frame.t === 'hold') return [[f.monitor, 'hold', ...f.frame.resources.map((r) => r.guid)]]
    return [[f.monitor, f.frame.t, ...(f.frame.t === 'drop' ? f.frame.guids : [])]]
  })

test('switched live: it stays where it is until its own monitor is there', () => {
  act()
  expect(told()).toEqual([['guard'], ['rhs', 'hold', ...[api, web].sort()]])
  act([api])
  expect(told()).toEqual([['guard', own]])
  list.up(own)
  act([api])
  expect(told()).toEqual([])
  list.ready(own, { types: TYPES })
  act([api])
  expect(told()).toEqual([
    ['rhs', 'drop', api],
    [own, 'hold', api],
  ])
  // And back again: the guard hears that nobody needs it before it is told anything else.
  act()
  expect(told()).toEqual([['guard'], [own, 'drop', api], ['rhs', 'hold', api]])
})

test('begun alone it waits for its own monitor, and again when that is lost', () => {
  act([api])
  expect(told()).toEqual([
    ['guard', own],
    ['rhs', 'hold', web],
  ])
  list.up(own)
  list.ready(own, { types: TYPES })
  act([api])
  expect(told()).toEqual([[own, 'hold', api]])
  // It crashes, again and again: never in the company of the others.
  list.down(own)
  act([api])
  expect(told()).toEqual([])
  list.up(own)
  desk.rhsRestarted(own)
  act([api])
  expect(told()).toEqual([])
  list.ready(own, { types: TYPES })
  act([api])
  expect(told()).toEqual([[own, 'hold', api]])
})

test('the end of the shared one leaves it alone, and takes its monitor from nobody', () => {
  list.up(own)
  list.ready(own, { types: TYPES })
  act([api])
  told()
  list.down('rhs')
  act([api])
  expect(told()).toEqual([])
  list.up('rhs')
  desk.rhsRestarted('rhs')
  list.ready('rhs', { types: TYPES })
  act([api])
  expect(told()).toEqual([['rhs', 'hold', web]])
})

test('what it hosts is no type of this host twice, and nobody waits for it to report', () => {
  list.up(own)
  expect(list.complete).toBe(true)
  list.ready(own, { types: TYPES })
  expect(list.types).toEqual(TYPES)
})

test('a new agent says what it needs, even if that is nothing: an earlier one may have wanted more', () => {
  act()
  expect(sent[0]).toEqual({ t: 'monitors', separate: [] })
  act()
  expect(sent.filter((f) => f.t === 'monitors')).toHaveLength(1)
})
