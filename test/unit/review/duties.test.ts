import { expect, test } from 'vitest'
import { duties, type Known } from '../../../probe/core/duties.ts'
import { emptyHive, type Group, type Hive } from '../../../schema/hive.ts'

const NODE = '00000000-0000-4000-8000-000000000001'
const OTHER = '00000000-0000-4000-8000-000000000002'
const GROUP = '00000000-0000-4000-8000-0000000000f0'
const GRANT = { groupId: GROUP, epoch: 4 }

const hive = (owner: string, epoch: number): Hive => {
  const group: Group = {
    id: GROUP,
    name: 'g',
    ownership: { phase: 'owned', owner, epoch, correlationId: 'u1' },
    preferredOwners: [],
    failoverThreshold: null,
    failoverPeriodMs: 1,
    failovers: [],
    createdAtMs: 0,
  }
  return { ...emptyHive(), seq: 7, groups: new Map([[GROUP, group]]) }
}
const known = (over: Partial<Known>): Known => ({
  nodeId: NODE,
  hive: hive(OTHER, 3),
  grants: [GRANT],
  statuses: new Map(),
  ...over,
})

test('U1: a replica from disk that is older than a grant does not end it', () => {
  expect(duties(known({ current: false })).stop).toEqual([])
  expect(duties(known({ current: false, hive: { ...emptyHive(), seq: 7 } })).stop).toEqual([])
})

test('U1: one that is as new as the grant, or newer, does', () => {
  expect(duties(known({ current: false, hive: hive(OTHER, 4) })).stop).toEqual([GRANT])
  expect(duties(known({ current: false, hive: hive(OTHER, 5) })).stop).toEqual([GRANT])
  expect(duties(known({ current: true })).stop).toEqual([GRANT])
  expect(duties(known({ current: true, hive: { ...emptyHive(), seq: 7 } })).stop).toEqual([GRANT])
})
