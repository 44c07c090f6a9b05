/** S-29, S-32: what a host says of a resource that took its monitor along. */
import { beforeAll, expect, test } from 'vitest'
import type { EvidenceView, ResourceView } from '../../schema/api/bodies.ts'
import type { Incident } from '../../schema/last-calls.ts'
import { insertKey, ok, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const incident = (n: number, calls = 2): Incident => ({
  atMs: 1_000 + n,
  monitor: 'rhs',
  detail: `it hangs: incident ${n}`,
  calls: Array.from({ length: calls }, (_, i) => ({
    ...{ n: i, type: 'process', fn: 'isAlive', of: 'nginx', atMs: 1_000 * i },
    ...(i < calls - 1 && { tookMs: 0.5 }),
  })),
})

test('it is alone everywhere, said once; the latest evidence is kept, until an operator decides or it is deleted', async () => {
  const cluster = await TestCluster.form('standard')
  const node = await TestNode.join(cluster, 'n1')
  await node.begin()
  await cluster.group('web')
  const params = { cluster: cluster.name, resource: 'nginx' }
  const create = () =>
    ok<{ id: string }>('createResource', {
      params,
      body: {
        name: 'nginx',
        group: 'web',
        type: 'process',
        properties: { command: '/bin/true' },
        persistentState: 0,
      },
    })
  const { id } = await create()
  const resource = () => ok<ResourceView>('getResource', { params })
  const evidence = () => ok<EvidenceView>('getEvidence', { params })
  expect(await resource()).toMatchObject({ separateMonitor: false, isolated: null })
  expect(await evidence()).toEqual({ incidents: [] })

  const gone = crypto.randomUUID()
  await node.tell({ t: 'isolated', resources: [id, gone], incident: incident(1) })
  const { seq } = await cluster.view()
  // The same report again, on this session: it has its effect once (S-16).
  await node.tell({ t: 'isolated', resources: [id], incident: incident(1) }, node.n)
  expect(await resource()).toMatchObject({
    separateMonitor: true,
    isolated: { node: 'n1', detail: 'it hangs: incident 1' },
  })
  expect(await evidence()).toEqual({ incidents: [{ node: 'n1', ...incident(1) }] })

  // Evidence of one that is alone already changes nothing else, and the oldest goes.
  for (const n of [2, 3, 4])
    await node.tell({ t: 'isolated', resources: [id], incident: incident(n, 100) })
  expect((await cluster.view()).seq).toBe(seq)
  expect((await evidence()).incidents.map((one) => one.detail.at(-1))).toEqual(['4', '3', '2'])

  const hive = await ok<{ value: Record<string, unknown> }>('getHive', { params })
  expect(JSON.stringify(hive.value)).toContain('"times":1')

  // Well alone: among the others again, with what it was remembered, and for longer when it relapses.
  await node.tell({ t: 'wellAlone', resources: [id, gone] })
  expect(await resource()).toMatchObject({ separateMonitor: false, isolated: null })
  await node.tell({ t: 'isolated', resources: [id], incident: incident(4) })
  expect(await resource()).toMatchObject({ separateMonitor: true, isolated: { node: 'n1' } })
  const again = await ok<{ value: Record<string, unknown> }>('getHive', { params })
  expect(JSON.stringify(again.value)).toContain('"times":2')

  await ok('changeResource', { params, body: { restart: { attempts: 1 } } })
  expect(await resource()).toMatchObject({ isolated: { node: 'n1' } })
  await ok('changeResource', { params, body: { separateMonitor: false } })
  expect(await resource()).toMatchObject({ separateMonitor: false, isolated: null })

  // What an operator wants alone no host releases.
  await ok('changeResource', { params, body: { separateMonitor: true } })
  await node.tell({ t: 'wellAlone', resources: [id] })
  expect(await resource()).toMatchObject({ separateMonitor: true, isolated: null })

  await ok('deleteResource', { params })
  await create()
  expect(await evidence()).toEqual({ incidents: [] })
})
