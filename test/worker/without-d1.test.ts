import { env } from 'cloudflare:workers'
import { beforeAll, expect, test } from 'vitest'
import { fetchApi, insertKey, problemOf, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

test('D1 away: the API says so, sessions and decisions go on', async () => {
  const cluster = await TestCluster.form('standard')
  const [n1, n2] = [await TestNode.up(cluster, 'n1'), await TestNode.up(cluster, 'n2')]
  const groupId = await cluster.group('web')
  const epoch = await n1.take(groupId)
  const stub = await cluster.stub()
  for (const table of ['join_tokens', 'api_key_secrets', 'api_keys', 'clusters'])
    await env.DB.prepare(`drop table ${table}`).run()

  const response = await fetchApi('/v1/clusters')
  expect(response.status).toBe(503)
  expect(await problemOf(response)).toMatchObject({ code: 'UNAVAILABLE' })
  // A new session, a report, and a failover.
  await n1.begin({ held: [{ groupId, epoch }] })
  await n1.tell({ t: 'types', types: [] })
  await stub.ask({ type: 'moveGroup', groupId, to: n2.id }, 'suite')
  await n1.tell({ t: 'released', groupId, epoch, why: 'asked' })
  expect(await n2.take(groupId)).toBe(epoch + 1)
})
