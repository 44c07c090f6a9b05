/** Quotas (issue "hosted service", fairness and limits). */
import { describe, expect, test, vi } from 'vitest'
import type { Request } from '../../schema/event.ts'
import type { Hive } from '../../schema/hive.ts'
import { NO_QUOTAS } from '../../schema/quotas.ts'
import { overQuota, quotasFor, quotasOf } from '../../worker/quotas.ts'

const hive = (nodes: number, groups: number, resources: number) => {
  const of = (n: number) => ({ size: n })
  return { nodes: of(nodes), groups: of(groups), resources: of(resources) } as unknown as Hive
}
const request = (type: Request['type']) => ({ type }) as Request
const batch = (...types: Request['type'][]) =>
  ({ type: 'batch', requests: types.map(request) }) as unknown as Request
const most = { ...NO_QUOTAS, nodes: 3, groups: 2, resources: 10 }

describe('what an organisation may have', () => {
  test('nobody says anything: what the product can bear; else that of the service, else its own', () => {
    expect(quotasOf(undefined, null)).toEqual(NO_QUOTAS)
    expect(quotasOf('{"nodes":8}', null)).toEqual({ ...NO_QUOTAS, nodes: 8 })
    expect(quotasOf('{"nodes":8,"groups":5}', '{"nodes":64}')).toMatchObject({
      ...{ nodes: 64, groups: 5 },
    })
  })

  test('what is no quota is not taken for none', () => {
    for (const wrong of ['{"nodes":-1}', '{"nods":1}', '{"nodes":1e9}', 'x'])
      expect(() => quotasOf(wrong, null)).toThrow()
  })
})

test('settings that cannot be read: nothing grows, and all else goes on', () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => {})
  const none = quotasFor({ QUOTAS: '{"nods":1}' }, null)
  expect(said).toHaveBeenCalledOnce()
  said.mockRestore()
  expect(overQuota(request('createGroup'), hive(1, 1, 1), none)).not.toBeNull()
  expect(overQuota(request('moveGroup'), hive(1, 1, 1), none)).toBeNull()
})

describe('QUOTA_REACHED', () => {
  test('one more than it may have is refused, with how many there are', () => {
    expect(overQuota(request('createGroup'), hive(0, 1, 0), most)).toBeNull()
    const refused = overQuota(request('createGroup'), hive(0, 2, 0), most)
    expect(refused).toMatchObject({ code: 'QUOTA_REACHED' })
    expect(refused?.message).toBe('the cluster has 2 groups, and may have 2')
    expect(overQuota(request('joinNode'), hive(3, 0, 0), most)?.message).toContain('3 nodes')
    expect(overQuota(request('createResource'), hive(0, 0, 10), most)).not.toBeNull()
  })

  test('a batch is counted as a whole: what it removes makes room', () => {
    expect(overQuota(batch('createGroup', 'createGroup'), hive(0, 1, 0), most)).not.toBeNull()
    expect(overQuota(batch('deleteGroup', 'createGroup'), hive(0, 2, 0), most)).toBeNull()
  })

  test('a quota below what there is takes nothing away, and lets everything but growth through', () => {
    const full = hive(9, 9, 99)
    for (const type of ['moveGroup', 'deleteGroup', 'changeGroup', 'evictNode'] as const)
      expect(overQuota(request(type), full, most)).toBeNull()
  })
})
