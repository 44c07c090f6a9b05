import { beforeEach, describe, expect, test } from 'vitest'
import { duties } from '../../probe/core/duties.ts'
import { emptyHive, type Group, type Hive, type Resource } from '../../schema/hive.ts'
import { DEFAULT_RESTART, RESOURCE_TYPES } from '../../schema/resource-types/index.ts'
import type { HeldGroup } from '../../schema/session.ts'
import type { ReportedStatus } from '../../schema/status.ts'

const ME = 'node-1'
const correlationId = 'u1'

let hive: Hive
let statuses: Map<string, { status: ReportedStatus; epoch: number }>
let grants: HeldGroup[]

function group(id: string, phase: 'owned' | 'releasing', epoch = 1, owner = ME): void {
  const value: Group = {
    id,
    name: id,
    ownership:
      phase === 'owned'
        ? { phase, owner, epoch, correlationId }
        : { phase, owner, epoch, to: null, reason: 'move', correlationId },
    preferredOwners: [],
    failoverThreshold: null,
    failoverPeriodMs: 0,
    failovers: [],
    createdAtMs: 0,
  }
  hive.groups.set(id, value)
}

function resource(id: string, dependsOn: string[] = [], persistentState: 0 | 1 = 1): void {
  const value: Resource = {
    id,
    groupId: 'web',
    name: id,
    type: 'process',
    properties: {},
    persistentState,
    dependsOn,
    possibleOwners: null,
    restart: DEFAULT_RESTART,
    poll: RESOURCE_TYPES.get('process')?.poll as Resource['poll'],
    separateMonitor: false,
    createdAtMs: 0,
  }
  hive.resources.set(id, value)
}

const seen = (id: string, status: ReportedStatus, epoch = 1) =>
  void statuses.set(id, { status, epoch })

const find = () => duties({ nodeId: ME, hive, grants, statuses })
const targets = () => Object.fromEntries(find().hold.map((h) => [h.guid, h.target]))

beforeEach(() => {
  hive = emptyHive()
  statuses = new Map()
  grants = [{ groupId: 'web', epoch: 1 }]
  group('web', 'owned')
})

describe('what is held', () => {
  test('C3, U1: without a grant nothing, whatever the replica says', () => {
    resource('a')
    grants = []
    expect(find()).toEqual({ hold: [], stop: [] })
  })

  test('S-85: all members with their flag; only those with 1 are to run', () => {
    resource('a')
    resource('b', [], 0)
    expect(find().hold).toMatchObject([
      { guid: 'a', persistentState: 1, target: 1, epoch: 1, correlationId },
      { guid: 'b', persistentState: 0, target: 0 },
    ])
  })

  test('U1: what the hive no longer gives is stopped: another owner, another epoch, no such group', () => {
    resource('a')
    group('web', 'owned', 1, 'node-2')
    expect(find()).toEqual({ hold: [], stop: grants })
    group('web', 'owned', 2)
    expect(find()).toEqual({ hold: [], stop: grants })
    hive.groups.delete('web')
    expect(find()).toEqual({ hold: [], stop: grants })
  })

  test('G8: a replica from disk that is older than the grant says nothing about it', () => {
    resource('a')
    grants = [{ groupId: 'web', epoch: 2 }]
    const known = { nodeId: ME, hive, grants, statuses }
    expect(duties({ ...known, current: false })).toEqual({ hold: [], stop: [] })
    expect(duties({ ...known, current: true }).stop).toEqual(grants)
    // A newer one does, wherever it came from.
    group('web', 'owned', 3, 'node-2')
    expect(duties({ ...known, current: false }).stop).toEqual(grants)
  })

  test('a resource that was deleted is not held any more; its group is', () => {
    resource('a')
    hive.resources.delete('a')
    expect(find()).toEqual({ hold: [], stop: [] })
  })
})

describe('dependency order (S-93)', () => {
  beforeEach(() => {
    resource('disk')
    resource('ip')
    resource('web', ['disk', 'ip'])
  })

  test('AND: started when all it depends on is online at this epoch', () => {
    expect(targets()).toEqual({ disk: 1, ip: 1, web: 0 })
    seen('disk', 'online')
    seen('ip', 'online', 0)
    expect(targets()).toMatchObject({ web: 0 })
    seen('ip', 'onlinePending')
    expect(targets()).toMatchObject({ web: 0 })
    seen('ip', 'online')
    expect(targets()).toMatchObject({ web: 1 })
  })

  test('a provider that is not wanted, or not there, keeps what depends on it offline', () => {
    for (const id of ['disk', 'ip']) seen(id, 'online')
    resource('ip', [], 0)
    expect(targets()).toMatchObject({ web: 0 })
    hive.resources.delete('ip')
    expect(targets()).toMatchObject({ web: 0 })
  })

  test('a provider that fails: what depends on it goes offline', () => {
    for (const id of ['disk', 'ip', 'web']) seen(id, 'online')
    seen('disk', 'failed')
    expect(targets()).toEqual({ disk: 1, ip: 1, web: 0 })
  })

  test('stopping: a provider stays until what depends on it is gone', () => {
    for (const id of ['disk', 'ip', 'web']) seen(id, 'online')
    for (const id of ['disk', 'ip']) resource(id, [], 0)
    expect(targets()).toEqual({ disk: 1, ip: 1, web: 0 })
    seen('web', 'offlinePending')
    expect(targets()).toEqual({ disk: 1, ip: 1, web: 0 })
    seen('web', 'offline')
    expect(targets()).toEqual({ disk: 0, ip: 0, web: 0 })
  })
})

describe('S-93: online if any of', () => {
  const any = (id: string, ...anyOf: string[][]) => {
    resource(id, [...new Set(anyOf.flat())])
    hive.resources.set(id, { ...(hive.resources.get(id) as Resource), anyOf })
  }
  beforeEach(() => {
    resource('ip4')
    resource('ip6')
    resource('disk')
    any('web', ['ip4', 'ip6'], ['disk'])
  })

  test('started with the first of them, and not before everything else it needs', () => {
    seen('ip6', 'online')
    expect(targets()).toEqual({ ip4: 1, ip6: 1, disk: 1, web: 0 })
    seen('disk', 'online')
    expect(targets()).toMatchObject({ web: 1 })
  })

  test('it goes on when one of them fails, and goes with the last', () => {
    for (const id of ['ip4', 'ip6', 'disk', 'web']) seen(id, 'online')
    seen('ip4', 'failed')
    expect(targets()).toMatchObject({ web: 1 })
    seen('ip6', 'failed')
    expect(targets()).toMatchObject({ web: 0, ip4: 1, ip6: 1 })
  })

  test('one that is wanted offline goes at once while another one serves; the last waits for the dependent', () => {
    for (const id of ['ip4', 'ip6', 'disk', 'web']) seen(id, 'online')
    resource('ip4', [], 0)
    expect(targets()).toEqual({ ip4: 0, ip6: 1, disk: 1, web: 1 })
    seen('ip4', 'offline')
    resource('ip6', [], 0)
    expect(targets()).toEqual({ ip4: 0, ip6: 1, disk: 1, web: 0 })
    seen('web', 'offline')
    expect(targets()).toEqual({ ip4: 0, ip6: 0, disk: 1, web: 0 })
  })

  test('one goes while the other is not online: the dependent goes first, and comes back with the other', () => {
    for (const id of ['ip4', 'disk', 'web']) seen(id, 'online')
    seen('ip6', 'failed')
    resource('ip4', [], 0)
    expect(targets()).toEqual({ ip4: 1, ip6: 1, disk: 1, web: 0 })
    seen('web', 'offline')
    expect(targets()).toMatchObject({ ip4: 0, web: 0 })
    seen('ip4', 'offline')
    seen('ip6', 'online')
    expect(targets()).toMatchObject({ ip4: 0, web: 1 })
  })

  test('the whole group goes in reverse order', () => {
    for (const id of ['ip4', 'ip6', 'disk', 'web']) seen(id, 'online')
    group('web', 'releasing')
    expect(targets()).toEqual({ ip4: 1, ip6: 1, disk: 1, web: 0 })
    seen('web', 'offline')
    expect(targets()).toEqual({ ip4: 0, ip6: 0, disk: 0, web: 0 })
  })
})

describe('what is left alone, and what is held back', () => {
  const maintenance = (scope: 'cluster' | 'node' | 'group' | 'resource', about: string) => {
    const one = { scope, id: about, by: 'me', reason: 'disks', sinceMs: 0, untilMs: 1 }
    hive.cluster = { maintenance: [one] } as unknown as Hive['cluster']
  }
  const observed = () => find().hold.flatMap((h) => (h.observe ? [h.guid] : []))

  test('maintenance of the cluster, this node, its group or the resource, and of nothing else', () => {
    resource('a')
    resource('b')
    expect(observed()).toEqual([])
    for (const [scope, about] of [
      ['cluster', 'c'],
      ['node', ME],
      ['group', 'web'],
    ] as const) {
      maintenance(scope, about)
      expect(observed(), scope).toEqual(['a', 'b'])
    }
    maintenance('resource', 'b')
    expect(observed()).toEqual(['b'])
    for (const [scope, about] of [
      ['node', 'node-2'],
      ['group', 'db'],
    ] as const) {
      maintenance(scope, about)
      expect(observed(), scope).toEqual([])
    }
  })

  test('S-93: in maintenance nothing is stopped because what it needs has failed, and nothing is started', () => {
    resource('disk')
    resource('web', ['disk'])
    resource('late', ['disk'])
    for (const id of ['disk', 'web']) seen(id, 'online')
    seen('late', 'offline')
    maintenance('group', 'web')
    seen('disk', 'failed')
    expect(targets()).toEqual({ disk: 1, web: 1, late: 0 })
    hive.cluster = null
    expect(targets()).toEqual({ disk: 1, web: 0, late: 0 })
  })

  test('an operator who wants it offline is heeded in maintenance', () => {
    resource('a', [], 0)
    seen('a', 'online')
    maintenance('group', 'web')
    expect(targets()).toEqual({ a: 0 })
  })

  test('S-93: what waits for other groups goes offline in order, and keeps its grant', () => {
    resource('disk')
    resource('web', ['disk'])
    for (const id of ['disk', 'web']) seen(id, 'online')
    hive.groups.set('web', { ...(hive.groups.get('web') as Group), waitsFor: ['db'] })
    expect(targets()).toEqual({ disk: 1, web: 0 })
    seen('web', 'offline')
    expect(targets()).toEqual({ disk: 0, web: 0 })
    seen('disk', 'offline')
    expect(find().stop).toEqual([])
  })
})

describe('what ran before this run of the agent (G8)', () => {
  const adopted = new Set(['db', 'app'])
  const with_ = () => duties({ nodeId: ME, hive, grants, statuses, adopted })
  const targetsWith = () => Object.fromEntries(with_().hold.map((h) => [h.guid, h.target]))

  test('G8: what starts nothing is on no record, and is waited for between two that run', () => {
    resource('db')
    resource('page', ['db'])
    resource('app', ['page'])
    resource('late', ['page'])
    hive.resources.set('page', {
      ...(hive.resources.get('page') as Resource),
      type: 'http-endpoint',
    })
    // Nobody has looked yet: the endpoint is not given up, and so neither is what depends on it.
    expect(targetsWith()).toEqual({ app: 1, db: 1, page: 1, late: 0 })
    seen('db', 'online')
    seen('page', 'failed')
    expect(targetsWith()).toMatchObject({ app: 0, page: 1 })
  })

  test('G8: what was found running together is not taken apart for want of a status', () => {
    resource('db')
    resource('app', ['db'])
    resource('late', ['db'])
    // `late` did not run: it waits until db is known to be online.
    expect(targetsWith()).toEqual({ app: 1, db: 1, late: 0 })
    seen('app', 'online')
    expect(targetsWith()).toMatchObject({ app: 1, db: 1 })
    seen('db', 'online')
    expect(targetsWith()).toEqual({ app: 1, db: 1, late: 1 })
    seen('db', 'failed')
    expect(targetsWith()).toMatchObject({ app: 0 })
  })

  test('G8: a group that is released is stopped in order, not cut off for want of a status', () => {
    resource('db')
    group('web', 'releasing')
    expect(with_().stop).toEqual([])
    seen('db', 'offline')
    expect(with_().stop).toEqual([{ groupId: 'web', epoch: 1 }])
  })
})

describe('releasing (C5)', () => {
  test('everything offline in order, then the group is stopped, not before', () => {
    resource('db')
    resource('web', ['db'])
    for (const id of ['db', 'web']) seen(id, 'online')
    group('web', 'releasing')
    expect(targets()).toEqual({ db: 1, web: 0 })
    seen('web', 'offline')
    expect(targets()).toEqual({ db: 0, web: 0 })
    expect(find().stop).toEqual([])
    seen('db', 'unknown')
    expect(find().stop).toEqual([])
    seen('db', 'offline')
    expect(find().stop).toEqual([{ groupId: 'web', epoch: 1 }])
  })

  test('what has failed does not hold it up: the guard sees to it', () => {
    resource('db')
    seen('db', 'failed')
    group('web', 'releasing')
    expect(find().stop).toHaveLength(1)
  })
})
