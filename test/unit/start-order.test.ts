/** So many starts at a time on one host, and the most important ones first. */
import { beforeEach, describe, expect, test } from 'vitest'
import { duties } from '../../probe/core/duties.ts'
import { emptyHive, type Group, type Hive, type Resource } from '../../schema/hive.ts'
import { DEFAULT_RESTART, RESOURCE_TYPES } from '../../schema/resource-types/index.ts'
import type { HeldGroup } from '../../schema/session.ts'
import type { ReportedStatus } from '../../schema/status.ts'

const ME = 'node-1'
let hive: Hive
let statuses: Map<string, { status: ReportedStatus; epoch: number }>
let grants: HeldGroup[]

function group(id: string, priority: number): void {
  const value: Group = {
    ...{ id, name: id, preferredOwners: [], failoverThreshold: null, failoverPeriodMs: 0 },
    ...{ failovers: [], createdAtMs: 0, priority },
    ownership: { phase: 'owned', owner: ME, epoch: 1, correlationId: 'u1' },
  }
  hive.groups.set(id, value)
  grants.push({ groupId: id, epoch: 1 })
}

function resource(id: string, groupId = 'web', persistentState: 0 | 1 = 1): void {
  const value: Resource = {
    ...{ id, groupId, name: id, type: 'process', properties: {}, persistentState },
    ...{ dependsOn: [], possibleOwners: null, restart: DEFAULT_RESTART, separateMonitor: false },
    ...{ poll: RESOURCE_TYPES.get('process')?.poll as Resource['poll'], createdAtMs: 0 },
  }
  hive.resources.set(id, value)
}

const seen = (id: string, status: ReportedStatus) => void statuses.set(id, { status, epoch: 1 })

beforeEach(() => {
  hive = emptyHive()
  statuses = new Map()
  grants = []
  group('web', 0)
})

describe('so many starts at a time', () => {
  const told = new Set<string>()
  const limit = (startsPerNode: number) => {
    hive.cluster = { startsPerNode } as unknown as Hive['cluster']
  }
  const started = (adopted?: ReadonlySet<string>) => {
    const wasTold = (id: string) => told.has(id)
    const { hold } = duties({
      nodeId: ME,
      hive,
      grants,
      statuses,
      wasTold,
      ...(adopted && { adopted }),
    })
    return hold.flatMap((h) => (h.target === 1 ? [h.guid] : []))
  }
  beforeEach(() => {
    told.clear()
    for (const id of ['a', 'b', 'c', 'd']) resource(id)
    limit(2)
  })

  test('as many as the cluster says; the next one when one of them is online or has failed', () => {
    expect(started()).toEqual(['a', 'b'])
    seen('a', 'onlinePending')
    expect(started()).toEqual(['a', 'b'])
    seen('a', 'online')
    expect(started()).toEqual(['a', 'b', 'c'])
    seen('b', 'failed')
    seen('c', 'onlinePending')
    expect(started()).toEqual(['a', 'b', 'c', 'd'])
  })

  test('the more important group first', () => {
    group('db', 5)
    for (const id of ['x', 'y', 'z']) resource(id, 'db')
    expect(started()).toEqual(['x', 'y'])
  })

  test('what has been told to start is not taken back for what is more important', () => {
    told.add('c').add('d')
    expect(started()).toEqual(['c', 'd'])
  })

  test('G8: what may run already is no start', () => {
    limit(1)
    expect(started(new Set(['b', 'c', 'd']))).toEqual(['a', 'b', 'c', 'd'])
  })

  test('what runs goes on, and is stopped, whatever is started', () => {
    limit(1)
    for (const id of ['a', 'b', 'c']) seen(id, 'online')
    resource('b', 'web', 0)
    expect(started()).toEqual(['a', 'c', 'd'])
  })
})
