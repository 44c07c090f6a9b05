/** What a resource monitor holds is compared with what it was told (G8): commands can be overtaken. */
import { expect, test } from 'vitest'
import { DutyDesk } from '../../probe/agent/duty-desk.ts'
import type { Known } from '../../probe/core/duties.ts'
import {
  emptyHive,
  fromDocument,
  type Group,
  type Hive,
  type Resource,
  toDocument,
} from '../../schema/hive.ts'
import type { AgentToGuard } from '../../schema/ipc.ts'
import { run } from '../scenarios/directives.ts'
import { World } from '../scenarios/world.ts'

const world = new World()
for (const line of ['cluster standard', 'nodes n1 n2', 'group web', 'resource web/nginx process'])
  run(world, line)
const nginx = world.id('resource', 'nginx')
const grant = { groupId: world.id('group', 'web'), epoch: 1 }
const known = (over: Partial<Known> = {}): Known => ({
  nodeId: world.id('node', 'n1'),
  hive: world.hive as Hive,
  grants: [grant],
  statuses: new Map(),
  current: true,
  ...over,
})
const desk = () => {
  const told: AgentToGuard[] = []
  const made = new DutyDesk((frame) => told.push(frame))
  const drops = () =>
    told.flatMap((f) => (f.t === 'toRhs' && f.frame.t === 'drop' ? f.frame.guids : []))
  return {
    made,
    told,
    drops,
    act: (k: Known) =>
      made.act({ hostOf: () => 'rhs', aloneHostOf: () => 'rhs', isReady: () => true }, k),
  }
}

test('a new monitor that was told before the news of a lapse lets go of what is void', () => {
  const { made, drops, act } = desk()
  act(known())
  // Told while the guard stopped everything; then the agent heard of that, and of the new monitor.
  made.clear()
  made.rhsRestarted('rhs')
  made.holds('rhs', [{ guid: nginx }])
  act(known({ grants: [] }))
  expect(drops()).toEqual([nginx])
})

test('what it holds rightly stays, whichever run of the agent told it', () => {
  const { made, drops, act } = desk()
  made.inherit([grant])
  made.holds('rhs', [{ guid: nginx }])
  act(known())
  expect(drops()).toEqual([])
})

test('before the replica is known to be current nothing is compared', () => {
  const { made, drops, act } = desk()
  made.holds('rhs', [{ guid: nginx }])
  act(known({ hive: emptyHive(), current: false }))
  expect(drops()).toEqual([])
  // Then it is.
  act(known({ grants: [] }))
  expect(drops()).toEqual([nginx])
})

test('M7: what is not to be carried any more is told too', () => {
  const { told, act } = desk()
  const { owner, correlationId } = world.hive.groups.get(grant.groupId)?.ownership ?? {}
  const mid = '00000000-0000-4000-8000-0000000000c1'
  const releasing = (carry?: object) => {
    const hive = fromDocument(structuredClone(toDocument(world.hive)))
    const group = hive.groups.get(grant.groupId) as Group
    const to = world.id('node', 'n2')
    const ownership = { phase: 'releasing', owner, epoch: 1, to, reason: 'move', correlationId }
    hive.groups.set(group.id, { ...group, ownership: { ...ownership, ...carry } as never })
    const r = hive.resources.get(nginx) as Resource
    hive.resources.set(nginx, { ...r, type: 'virtual-machine' })
    return known({ hive, statuses: new Map([[nginx, { status: 'online', epoch: 1 }]]) })
  }
  const holds = () =>
    told.flatMap((f) => (f.t === 'toRhs' && f.frame.t === 'hold' ? f.frame.resources : []))
  act(releasing({ carry: { mid, method: 'live', asked: 'auto', to: { at: 'n2' } } }))
  expect(holds().map((r) => r.carry?.mid)).toEqual([mid])
  act(releasing())
  expect(holds().map((r) => r.carry?.mid)).toEqual([mid, undefined])
})
