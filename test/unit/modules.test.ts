/** What may be a resource module, and what a module is given. */
import { describe, expect, test } from 'vitest'
import { loadModules, register } from '../../probe/resources/index.ts'
import { processModule } from '../../probe/resources/process.ts'
import { GuardLink } from '../../probe/rhs/guard-link.ts'
import { makeCall } from '../../probe/rhs/make-call.ts'
import type { HostPolicy } from '../../schema/host-policy.ts'
import { fromRhs, type HeldResource } from '../../schema/ipc.ts'
import type { ResourceModule } from '../../schema/resource-type.ts'
import { RESOURCE_TYPES } from '../../schema/resource-types/index.ts'

const held: HeldResource = {
  guid: '00000000-0000-4000-8000-000000000001',
  name: 'web',
  groupId: '00000000-0000-4000-8000-000000000002',
  epoch: 7,
  type: 'process',
  properties: { command: '/bin/sleep' },
  persistentState: 1,
  target: 1,
  leaving: false,
  stopHere: 'no',
  dependent: false,
  hiveSeq: 41,
  restart: { attempts: 3, periodMs: 1_000, delayMs: 0, retryAfterMs: 1_000 },
  poll: { isAliveMs: 5_000, looksAliveMs: 60_000, pendingMs: 1_000, deadlockMs: 1_000 },
}

function call(over: Partial<HeldResource> = {}) {
  return makeCall({ ...held, ...over }, processModule as ResourceModule, new GuardLink(() => {}), {
    nodeName: 'n1',
    signal: new AbortController().signal,
    progress: () => {},
    log: () => {},
  })
}

describe('registration', () => {
  const without = (key: string) => {
    const { [key]: _, ...rest } = processModule as unknown as Record<string, unknown>
    return rest as unknown as ResourceModule
  }

  test('S-45: a module without isAlive or looksAlive is refused', () => {
    expect(() => register(new Map(), without('isAlive'))).toThrow(/no isAlive/)
    expect(() => register(new Map(), without('looksAlive'))).toThrow(/no looksAlive/)
    expect(() => register(new Map(), processModule as ResourceModule)).not.toThrow()
  })

  test('S-47: a module with a restart is refused: a restart is Online', () => {
    const more = { ...processModule, restart: async () => {} } as unknown as ResourceModule
    expect(() => register(new Map(), more)).toThrow(/a restart is Online/)
  })

  test('a type that starts something is not offered where the host policy does not name it', () => {
    const starting = (policy: HostPolicy) =>
      [...loadModules(policy, '/run').values()]
        .filter((m) => m.way !== undefined)
        .map((m) => m.type)
    expect(starting({})).toEqual([])
    expect(starting({ process: { commands: [] } })).toEqual(['process'])
    expect(starting({ script: { commands: [] } })).toEqual(['script'])
  })

  test('S-23: each kind of monitor loads its own types, and every type is loaded by one', () => {
    const policy = { process: { commands: [] }, script: { commands: [] } }
    const types = (host?: 'rhs' | 'rhs-exec') => [...loadModules(policy, '/run', host).keys()]
    expect(types('rhs-exec')).toEqual(['script'])
    expect([...types('rhs'), ...types('rhs-exec')].sort()).toEqual(types().sort())
  })

  test('what starts nothing has no way past the guard, and the control plane knows it', () => {
    const policy = { process: { commands: [] }, script: { commands: [] } }
    for (const module of loadModules(
      { ...policy, 'virtual-machine': { domains: [] } },
      '/run',
    ).values())
      expect(RESOURCE_TYPES.get(module.type)?.startsNothing === true).toBe(module.way === undefined)
  })
})

describe('a call', () => {
  test('S-30: carries GUID and PersistentState as the replica has them, at its version', () => {
    expect(call({ persistentState: 0 })).toMatchObject({
      guid: held.guid,
      persistentState: 0,
      hiveSeq: 41,
      epoch: 7,
    })
  })

  test('S-31: holds nothing by which a module could reach hive, session or key', () => {
    expect(Object.keys(call()).sort()).toEqual([
      'carry',
      'dependent',
      'epoch',
      'groupId',
      'guid',
      'hiveSeq',
      'log',
      'name',
      'nodeName',
      'persistentState',
      'progress',
      'properties',
      'resume',
      'signal',
      'workload',
    ])
  })

  test('properties that do not fit the type are refused before the module sees them', () => {
    expect(() => call({ properties: { command: 'sleep' } })).toThrow(/absolute path/)
  })
})

test('S-01: RHS can report, and has no word for a failover', () => {
  const words = fromRhs.options.map((option) => option.shape.t.value)
  expect(words.sort()).toEqual([
    ...['controlled', 'couldHost', 'log', 'notCarried', 'ready', 'received', 'status'],
  ])
  expect(fromRhs.safeParse({ t: 'failover', groupId: held.groupId }).success).toBe(false)
})
