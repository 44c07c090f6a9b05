/** Metrics of a cluster with hosts connected, and of an organisation, as monitoring reads them. */

import { evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { OPEN_METRICS_TYPE } from '../../schema/open-metrics.ts'
import type { Stub } from '../../worker/calls.ts'
import { oneValue, parseOpenMetrics, samplesOf } from '../open-metrics.ts'
import { addKey, addOrganisation, as, fetchApi, insertKey, ok, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const pinging = new Set<TestNode>()
const pings = setInterval(() => {
  for (const { line } of pinging) if (!line.closed) line.ws.send('ping')
}, 200)
afterAll(() => clearInterval(pings))

async function scrape(path: string) {
  const response = await fetchApi(path)
  const text = new TextDecoder().decode(await response.arrayBuffer())
  expect(response.status, text).toBe(200)
  expect(response.headers.get('content-type')).toBe(OPEN_METRICS_TYPE)
  return parseOpenMetrics(text)
}
const scrapeCluster = (cluster: TestCluster) => scrape(`/v1/clusters/${cluster.name}/metrics`)

async function running() {
  const cluster = await TestCluster.form('fast')
  const n1 = await TestNode.up(cluster, 'n1')
  pinging.add(n1)
  const n2 = await TestNode.up(cluster, 'n2')
  pinging.add(n2)
  const groupId = await cluster.group('web')
  const resourceId = await cluster.resource('web', 'nginx')
  const tell = (node: TestNode, epoch: number, status: string, more: object = {}) =>
    node.tell({
      t: 'status',
      items: [
        { resourceId, epoch, restarts: 0, gaveUp: false, status: status as 'online', ...more },
      ],
    })
  const epoch = await n1.take(groupId)
  await tell(n1, epoch, 'online')
  return { cluster, n1, n2, groupId, epoch, tell }
}

/** n1 gives up on it, and n2 takes it. */
async function failOver({ n1, n2, groupId, epoch, tell }: Awaited<ReturnType<typeof running>>) {
  await tell(n1, epoch, 'failed', { gaveUp: true, restarts: 3 })
  await n1.tell({ t: 'released', groupId, epoch, why: 'asked' })
  const next = await n2.take(groupId)
  await tell(n2, next, 'online')
  return next
}

test('S-10: what operators alert on, of a cluster whose hosts are connected', async () => {
  const { cluster, n1, tell, epoch } = await running()
  n1.line.send({ t: 'clock', clock: { offsetMs: -100, errorMs: 2, driftPpm: null } })
  await cluster.until('told', (view) => view.nodes[0]?.clock !== null)
  const read = await scrapeCluster(cluster)
  const of = { cluster: cluster.name }
  expect(samplesOf(read, 'holdfast_cluster_info')).toMatchObject([
    { labels: { ...of, id: cluster.id, profile: 'fast', takeover: 'lease' }, value: 1 },
  ])
  expect(oneValue(read, 'holdfast_nodes', { ...of, state: 'up' })).toBe(2)
  expect(oneValue(read, 'holdfast_groups', { state: 'online' })).toBe(1)
  expect(oneValue(read, 'holdfast_groups', { state: 'failed' })).toBe(0)
  expect(oneValue(read, 'holdfast_group_state', { group: 'web', state: 'online' })).toBe(1)
  expect(oneValue(read, 'holdfast_resource_online', { group: 'web', resource: 'nginx' })).toBe(1)
  expect(oneValue(read, 'holdfast_node_up', { node: 'n1' })).toBe(1)
  expect(oneValue(read, 'holdfast_node_connected', { node: 'n2' })).toBe(1)
  expect(oneValue(read, 'holdfast_node_groups', { node: 'n1' })).toBe(1)
  expect(oneValue(read, 'holdfast_node_clock_offset_seconds', { node: 'n1' })).toBe(-0.1)
  expect(oneValue(read, 'holdfast_node_updates_behind', { node: 'n1' })).toBe(0)
  const lease = oneValue(read, 'holdfast_node_lease_remaining_seconds', { node: 'n1' })
  expect(lease).toBeGreaterThanOrEqual(0)
  expect(lease).toBeLessThanOrEqual(1.5)
  expect(oneValue(read, 'holdfast_probe_info', { node: 'n2', version: '0.0.0' })).toBe(1)
  expect(oneValue(read, 'holdfast_cluster_sessions_total')).toBe(2)
  expect(oneValue(read, 'holdfast_cluster_updates_total')).toBe((await cluster.view()).seq)
  expect(oneValue(read, 'holdfast_cluster_database_bytes')).toBeGreaterThan(4_096)
  expect(oneValue(read, 'holdfast_metrics_omitted', { kind: 'resource' })).toBe(0)
  expect(samplesOf(read, 'holdfast_manager_up').every(({ value }) => value === 1)).toBe(true)
  await tell(n1, epoch, 'online', { detail: 'degraded: slow' })
  const degraded = await scrapeCluster(cluster)
  expect(oneValue(degraded, 'holdfast_group_degraded', { group: 'web' })).toBe(1)
  expect(oneValue(degraded, 'holdfast_resource_degraded', { resource: 'nginx' })).toBe(1)
  expect(oneValue(degraded, 'holdfast_resources_degraded')).toBe(1)
})

test('failovers and restarts are counted, by reason, and how long it was away; a restart forgets none of it', async () => {
  const made = await running()
  const { cluster, n1, n2, tell, epoch } = made
  await tell(n1, epoch, 'online', { restarts: 2 })
  const next = await failOver(made)
  await tell(n2, next, 'online', { restarts: 1 })
  const check = async () => {
    const read = await scrapeCluster(cluster)
    const reason = 'resourceFailed'
    expect(oneValue(read, 'holdfast_failovers_total', { group: 'web', reason })).toBe(1)
    expect(oneValue(read, 'holdfast_failover_duration_seconds_count', { reason })).toBe(1)
    const sum = oneValue(read, 'holdfast_failover_duration_seconds_sum', { reason })
    expect(sum).toBeLessThan(25)
    // 2, then 3, then 1 at the next epoch.
    expect(oneValue(read, 'holdfast_resource_restarts_total', { resource: 'nginx' })).toBe(4)
    return read
  }
  const awake = oneValue(await check(), 'holdfast_cluster_awake_since_timestamp_seconds')
  await evictDurableObject(await cluster.stub())
  const again = oneValue(await check(), 'holdfast_cluster_awake_since_timestamp_seconds')
  expect(again).toBeGreaterThan(awake)
})

test('an absence that began before a restart of the object ends behind it', async () => {
  const { cluster, n1, n2, groupId, epoch, tell } = await running()
  await tell(n1, epoch, 'failed', { gaveUp: true })
  await n1.tell({ t: 'released', groupId, epoch, why: 'asked' })
  const next = await n2.take(groupId)
  await evictDurableObject(await cluster.stub())
  await tell(n2, next, 'online')
  const read = await scrapeCluster(cluster)
  const reason = { reason: 'resourceFailed' }
  expect(oneValue(read, 'holdfast_failover_duration_seconds_count', reason)).toBe(1)
})

test('a host that is lost: declared down once, its group away since it last answered', async () => {
  const { cluster, n1, n2, groupId, tell } = await running()
  pinging.delete(n1)
  n1.line.ws.close(1000, 'gone')
  const next = await n2.take(groupId)
  await tell(n2, next, 'online')
  const read = await scrapeCluster(cluster)
  expect(oneValue(read, 'holdfast_node_up', { node: 'n1' })).toBe(0)
  expect(samplesOf(read, 'holdfast_node_lease_remaining_seconds', { node: 'n1' })).toEqual([])
  expect(oneValue(read, 'holdfast_node_downs_total', { node: 'n1' })).toBe(1)
  const reason = { reason: 'nodeLost' }
  expect(oneValue(read, 'holdfast_failovers_total', reason)).toBe(1)
  // W(TTL) of profile `fast`: nothing is decided before (D3).
  expect(oneValue(read, 'holdfast_failover_duration_seconds_sum', reason)).toBeGreaterThan(1.5)
  expect(oneValue(read, 'holdfast_cluster_health', { state: 'warning' })).toBe(1)
})

test('a group that is deleted takes its counters along; one of its name begins at none', async () => {
  const made = await running()
  const { cluster, n2, groupId, tell } = made
  const next = await failOver(made)
  const params = { ...cluster.params, group: 'web', resource: 'nginx' }
  await ok('offlineGroup', { params })
  await tell(n2, next, 'offline')
  await ok('deleteResource', { params })
  await ok('deleteGroup', { params })
  await n2.tell({ t: 'released', groupId, epoch: next, why: 'asked' })
  await cluster.until('gone', ({ groups }) => groups.length === 0)
  await cluster.group('web')
  await cluster.resource('web', 'nginx')
  const read = await scrapeCluster(cluster)
  expect(samplesOf(read, 'holdfast_failovers_total')).toEqual([])
  expect(samplesOf(read, 'holdfast_resource_restarts_total')).toEqual([])
  const stub = (await cluster.stub()) as unknown as Stub
  const kept = await stub.read({ what: 'metrics', each: true })
  expect(JSON.stringify(kept)).not.toContain(groupId)
})

test('hostile text: what a probe says of its version is a value and nothing else', async () => {
  const cluster = await TestCluster.form('fast')
  const node = await TestNode.join(cluster, 'n1')
  const version = '"} 1\n# EOF\\\nholdfast_x 1'
  await node.begin({ version })
  const read = await scrapeCluster(cluster)
  expect(samplesOf(read, 'holdfast_probe_info').map((s) => s.labels['version'])).toEqual([version])
  expect(read.has('holdfast_x')).toBe(false)
})

test('of an organisation: its clusters in short, those that did not answer, and what is left', async () => {
  await addOrganisation('watched')
  const key = 'hfk_watched-key-of-metrics'
  await addKey({ key, name: 'watcher', organisation: 'watched', expiresAtMs: 4_000_000_000_000 })
  await as(key, async () => {
    for (const name of ['a', 'b']) await ok('createCluster', { body: { name } })
    await env.DB.prepare(
      "insert into clusters (id, organisation_id, name, profile, object_id, created_at_ms) values ('c', 'organisation-watched', 'c', 'fast', 'none', 0)",
    ).run()
    const read = await scrape('/v1/metrics')
    expect(oneValue(read, 'holdfast_organisation_clusters', { organisation: 'watched' })).toBe(3)
    expect(oneValue(read, 'holdfast_organisation_clusters_left')).toBe(0)
    expect(oneValue(read, 'holdfast_organisation_keys')).toBe(1)
    expect(oneValue(read, 'holdfast_organisation_key_expiry_timestamp_seconds')).toBe(4e9)
    const answered = samplesOf(read, 'holdfast_cluster_answered')
    expect(answered.map((s) => [s.labels['cluster'], s.value])).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 0],
    ])
    expect(oneValue(read, 'holdfast_nodes', { cluster: 'b', state: 'up' })).toBe(0)
    expect(read.has('holdfast_node_up')).toBe(false)
    const rest = await scrape('/v1/metrics?after=a')
    expect(samplesOf(rest, 'holdfast_cluster_info').map((s) => s.labels['cluster'])).toEqual(['b'])
    expect(oneValue(rest, 'holdfast_organisation_clusters')).toBe(3)
  })
})
