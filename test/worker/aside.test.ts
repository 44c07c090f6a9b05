/** What nobody relies on stops nothing: counters, and telling those who are not part of the cluster. */
import { runInDurableObject } from 'cloudflare:test'
import { beforeAll, expect, test } from 'vitest'
import { insertKey, ok, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

test('webhooks and counters that cannot be worked out keep no decision back', async () => {
  const cluster = await TestCluster.form('standard')
  const node = await TestNode.up(cluster, 'n1')
  await runInDurableObject(await cluster.stub(), (_, { storage }) => {
    // What is told behind a commit reads this one.
    storage.sql.exec('drop table webhook_open')
    storage.sql.exec(
      "create trigger no_counts before insert on meta when new.key like 'count/%' begin select raise(abort, 'no counts'); end",
    )
  })
  const params = { ...cluster.params, node: node.name }
  await ok('pauseNode', { params })
  expect((await cluster.view()).nodes).toMatchObject([{ paused: true }])
  await ok('resumeNode', { params, body: {} })
  expect((await cluster.view()).nodes).toMatchObject([{ paused: false }])
  // A loss is counted, which fails, and takes its course.
  node.line.ws.close()
  await cluster.until('down', (view) => view.nodes.every((one) => one.state === 'down'))
})
