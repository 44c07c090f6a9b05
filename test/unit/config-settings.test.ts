/** Settings of a configuration document that have an end or a price: maintenance, starts, checks. */
import { describe, expect, test } from 'vitest'
import { type ConfigText, configDocument } from '../../schema/api/config.ts'
import { exportConfig } from '../../worker/core/config/export.ts'
import { plan as planOf } from '../../worker/core/config/plan.ts'
import { Cluster, id } from './instant-cluster.ts'

let made = 0
const answered = (cluster: Cluster, config: ConfigText, prune = false) =>
  planOf(
    cluster.state,
    {
      ...{ config: configDocument.parse(config), prune, source: () => undefined },
      newId: () => id(7, ++made),
    },
    cluster.nowMs,
  )
function planned(cluster: Cluster, config: ConfigText, prune = false) {
  const answer = answered(cluster, config, prune)
  if ('refused' in answer) throw new Error(JSON.stringify(answer.refused))
  return answer
}
function refused(cluster: Cluster, config: ConfigText) {
  const answer = answered(cluster, config)
  if (!('refused' in answer)) throw new Error('it was planned')
  return answer.refused
}
function apply(cluster: Cluster, config: ConfigText): void {
  const { request } = planned(cluster, config)
  if (request) cluster.ask(request)
}
const process = (more: object = {}) => ({
  ...{ type: 'process', properties: { command: '/bin/true' }, ...more },
})

test('startsPerNode is said where it is not the default, and left alone where nothing is said', () => {
  const cluster = new Cluster([{}, {}])
  expect(exportConfig(cluster.state.hive).cluster).toEqual({ takeover: 'lease', placement: 'list' })
  apply(cluster, { cluster: { startsPerNode: 7 } })
  expect(cluster.state.hive.cluster?.startsPerNode).toBe(7)
  expect(exportConfig(cluster.state.hive).cluster).toMatchObject({ startsPerNode: 7 })
  expect(planned(cluster, { cluster: { placement: 'list' } }).view.changes).toEqual([])
  expect(planned(cluster, { cluster: { startsPerNode: 100 } }).view.changes).toMatchObject([
    { kind: 'cluster', fields: [{ field: 'startsPerNode', from: 7, to: 100 }] },
  ])
  expect(configDocument.safeParse({ cluster: { startsPerNode: 0 } }).success).toBe(false)
})

describe('maintenance', () => {
  const until = (ms: number) => new Date(ms).toISOString()
  const file = (cluster: Cluster, forMs: number): ConfigText => {
    const maintenance = { reason: 'disks', until: until(cluster.nowMs + forMs) }
    return {
      cluster: { maintenance },
      nodes: { n0: { maintenance } },
      groups: { web: { maintenance, resources: { nginx: process({ maintenance }) } } },
    }
  }

  test('it is made with what it is about, ends at its instant, and is exported until then', () => {
    const cluster = new Cluster([{}, {}])
    const config = file(cluster, 60_000)
    apply(cluster, config)
    expect(cluster.refused).toEqual([])
    const all = cluster.state.hive.cluster?.maintenance ?? []
    expect(all.map(({ scope }) => scope).sort()).toEqual(['cluster', 'group', 'node', 'resource'])
    expect(exportConfig(cluster.state.hive)).toMatchObject(config)
    // The same file does not make it longer.
    expect(planned(cluster, config).view.changes).toEqual([])
    expect(planned(cluster, exportConfig(cluster.state.hive), true).view.changes).toEqual([])
    cluster.nowMs += 120_000
    cluster.event({ type: 'woke' })
    expect(cluster.state.hive.cluster?.maintenance).toBeUndefined()
    // Said after its end it says nothing.
    expect(planned(cluster, config).view.changes).toEqual([])
  })

  test('null ends it, and what says nothing leaves it', () => {
    const cluster = new Cluster([{}, {}])
    apply(cluster, file(cluster, 60_000))
    const resources = { nginx: process() }
    expect(planned(cluster, { groups: { web: { resources } } }).view.changes).toEqual([])
    apply(cluster, { groups: { web: { resources, maintenance: null } } })
    const all = cluster.state.hive.cluster?.maintenance ?? []
    expect(all.map(({ scope }) => scope).sort()).toEqual(['cluster', 'node', 'resource'])
  })

  test('bad input: an end that is too far away, or no instant', () => {
    const cluster = new Cluster([{}, {}])
    const said = refused(cluster, file(cluster, 40 * 86_400_000))
    expect(said).toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('cannot end'),
    })
    const maintenance = { reason: 'disks', until: 'tomorrow' }
    expect(configDocument.safeParse({ cluster: { maintenance } }).success).toBe(false)
  })
})

test('S-96: checks that cost more than the budget are warned of, with the dearest', () => {
  const cluster = new Cluster([{}, {}])
  const vms = (looksAlive: string) => ({
    groups: Object.fromEntries(
      Array.from({ length: 100 }, (_, n) => [
        `g${n}`,
        {
          preferredOwners: ['n0'],
          resources: {
            [`vm${n}`]: {
              ...{ type: 'virtual-machine', poll: { looksAlive } },
              properties: { domain: `vm${n}`, xml: '<domain/>' },
            },
          },
        },
      ]),
    ),
  })
  const dear = (config: ConfigText) =>
    planned(cluster, config).view.warnings.filter((w) => w.message.startsWith('checks take'))
  expect(dear(vms('60s'))).toEqual([])
  expect(dear(vms('5s'))).toMatchObject([
    { subject: 'n0', message: expect.stringMatching(/^checks take about 1\.2 % of a CPU of n0/) },
  ])
})
