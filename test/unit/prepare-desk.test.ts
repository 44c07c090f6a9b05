/** S-50: what a standby makes ready, how often, and what it leaves alone. */
import { expect, test } from 'vitest'
import { PrepareDesk } from '../../probe/agent/prepare-desk.ts'
import { emptyHive, type Hive } from '../../schema/hive.ts'
import type { AgentToGuard } from '../../schema/ipc.ts'

const guidOf = (n: number) => `00000000-0000-4000-8000-00000000${String(n).padStart(4, '0')}`
const [N1, N2, GROUP, DB] = [guidOf(1), guidOf(2), guidOf(3), guidOf(4)]

function hiveWith(resource: object = {}, group: object = {}, node: object = {}): Hive {
  const hive = emptyHive()
  hive.nodes.set(N2, { id: N2, paused: false, ...node } as never)
  const ownership = { phase: 'owned', owner: N1, epoch: 7, to: null }
  hive.groups.set(GROUP, { id: GROUP, ownership, ...group } as never)
  hive.resources.set(DB, {
    ...{ id: DB, groupId: GROUP, name: 'db', type: 'process', properties: { command: '/bin/db' } },
    ...{ persistentState: 1, dependsOn: [], possibleOwners: null, restart: {}, poll: {} },
    ...resource,
  } as never)
  return hive
}

function deskWith(ready = true, prepares = true) {
  const sent: AgentToGuard[] = []
  const monitors = {
    ...{ hostOf: () => 'rhs', isReady: () => ready, prepares: () => prepares },
    types: [{ type: 'process', version: '1', sha256: 'a'.repeat(64) }],
  }
  const desk = new PrepareDesk({ monitors, toGuard: (frame) => sent.push(frame) })
  return { sent, look: (hive: Hive) => desk.look(N2, hive) }
}

test('once for each resource that another node runs, and once more when it has changed', () => {
  const { sent, look } = deskWith()
  look(hiveWith())
  look(hiveWith())
  expect(sent).toMatchObject([
    { t: 'toRhs', monitor: 'rhs', frame: { t: 'prepare', resources: [{ guid: DB, name: 'db' }] } },
  ])
  look(hiveWith({ properties: { command: '/bin/db2' } }))
  expect(sent).toHaveLength(2)
})

test.each([
  ['it runs it itself', hiveWith({}, { ownership: { phase: 'owned', owner: N2, epoch: 7 } })],
  ['nobody runs it', hiveWith({}, { ownership: { phase: 'free', lastOwner: N1, epoch: 7 } })],
  ['it may not run it', hiveWith({ possibleOwners: [N1] })],
  ['nobody wants it', hiveWith({ persistentState: 0 })],
  ['it is paused', hiveWith({}, {}, { paused: true })],
])('left alone: %s', (_, hive) => {
  const { sent, look } = deskWith()
  look(hive)
  expect(sent).toEqual([])
})

test('a module without the function, and a monitor that is not there, are asked for nothing', () => {
  for (const { sent, look } of [deskWith(true, false), deskWith(false)]) {
    look(hiveWith())
    expect(sent).toEqual([])
  }
})

test('many are asked for over several looks', () => {
  const hive = hiveWith()
  for (let n = 100; n < 150; n += 1)
    hive.resources.set(guidOf(n), { ...hive.resources.get(DB), id: guidOf(n) } as never)
  const { sent, look } = deskWith()
  look(hive)
  expect(sent).toHaveLength(20)
  for (let more = 0; more < 3; more += 1) look(hive)
  expect(sent).toHaveLength(51)
})
