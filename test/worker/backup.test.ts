/** Backup of a cluster into a file, and a new cluster from it: the same configuration, and nothing that ran. */

import { abortAllDurableObjects, runInDurableObject } from 'cloudflare:test'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { readBackup } from '../../schema/api/backup.ts'
import { canonicalJson } from '../../schema/canonical.ts'
import { fromDocument } from '../../schema/hive.ts'
import { brokenInvariants } from '../../worker/core/invariants.ts'
import { fetchApi, insertKey, ok, refused, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

async function backupOf(cluster: { name: string }): Promise<string> {
  const response = await fetchApi(`/v1/clusters/${cluster.name}/backup`)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/x-ndjson')
  return new TextDecoder().decode(await response.arrayBuffer())
}

let made = 0
const newName = () => `restored-${++made}-${crypto.randomUUID().slice(0, 8)}`

interface Restored {
  id: string
  name: string
  epoch: number
  places: string[]
}

/** What the command sends of a file. */
const bodyOf = (text: string, name: string) => {
  const [header = '', hive = ''] = text.split('\n')
  return { name, header: JSON.parse(header), hive: JSON.parse(hive).hive }
}
const restore = (text: string, name = newName()) =>
  ok<Restored>('restoreCluster', { body: bodyOf(text, name) })

const config = (name: string) =>
  ok<{ config: unknown }>('getConfig', { params: { cluster: name } }).then((one) => one.config)

const running = async () => {
  const cluster = await TestCluster.form('wan')
  const node = await TestNode.up(cluster, 'n1')
  const [db, web] = [await cluster.group('db'), await cluster.group('web', ['n1'])]
  const ids = [await cluster.resource('db', 'pg'), await cluster.resource('web', 'nginx')]
  await ok('changeGroup', {
    params: { ...cluster.params, group: 'web' },
    body: { after: ['db'], priority: 7 },
  })
  await ok('changeNode', {
    params: { ...cluster.params, node: 'n1' },
    body: { capacity: { mem: 64 }, faultDomain: 'rack-1' },
  })
  for (const [n, groupId] of [db, web].entries()) {
    const epoch = await node.take(groupId)
    const item = { resourceId: ids[n] ?? '', epoch, restarts: 0, gaveUp: false }
    await node.tell({ t: 'status', items: [{ ...item, status: 'online' }] })
  }
  return { cluster, node, db, web }
}

describe('a cluster that was restored', () => {
  test('has the same configuration, and nothing runs: no owners, no sessions, no node up', async () => {
    const { cluster } = await running()
    const before = await cluster.view()
    const text = await backupOf(cluster)
    const { name, id, places } = await restore(text)
    expect(id).not.toBe(cluster.id)
    expect(places).toEqual(['n1'])
    expect(await config(name)).toEqual(await config(cluster.name))
    const view = await ok<typeof before>('getCluster', { params: { cluster: name } })
    expect(view).toMatchObject({ id, name, profile: 'wan' })
    expect(view.nodes).toMatchObject([{ name: 'n1', state: 'down', connected: false }])
    expect(view.groups.map((g) => g.owner)).toEqual([null, null])
    // What is wanted is wanted as before.
    const states = view.groups.flatMap((g) => g.resources.map((r) => r.persistentState))
    expect(states).toEqual([1, 1])
    // And the one that it was made of goes on.
    expect(await cluster.view()).toMatchObject({ seq: before.seq, groups: before.groups })
  })

  test('C2: no epoch of it was used before, by the cluster of the backup or by another one from the same file', async () => {
    const { cluster } = await running()
    const text = await backupOf(cluster)
    const [first, second] = [await restore(text), await restore(text)]
    const { hive } = readBackup(text, hashOf)
    const used = [...hive.groups.map((g) => g.ownership.epoch), ...hive.nodes.map((n) => n.epoch)]
    expect(first.epoch).toBeGreaterThan(Math.max(...used) + 1_000_000_000)
    expect(second.epoch).toBeGreaterThanOrEqual(first.epoch)
    // A backup of what was restored, whose clock is ahead of everything.
    const again = readBackup(await backupOf(second), hashOf)
    const [, line = ''] = (await backupOf(second)).split('\n')
    expect(again.hive.groups.map((g) => g.ownership.epoch)).toEqual([second.epoch, second.epoch])
    expect(line).not.toContain('stateSeq')
    const third = await restore(await backupOf(second))
    expect(third.epoch).toBeGreaterThan(second.epoch)
  })

  test('a node of the old cluster gets no session; by its name, with a new token, it has its place', async () => {
    const { cluster, node } = await running()
    const { name, epoch } = await restore(await backupOf(cluster))
    const copy = { name, params: { cluster: name } } as unknown as TestCluster
    const stranger = Object.assign(Object.create(TestNode.prototype), node, {
      ...{ socket: null, attempt: 10, cluster: copy },
      joined: { ...node.joined, sessionPath: await pathOf(name) },
    }) as TestNode
    const response = await stranger.request()
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ code: 'WRONG_KEY' })
    const back = await TestNode.up(copy, 'n1')
    expect(back.id).toBe(node.id)
    const params = { cluster: name }
    const view = await ok<Awaited<ReturnType<TestCluster['view']>>>('getCluster', { params })
    expect(view.nodes).toMatchObject([{ name: 'n1', state: 'up', faultDomain: 'rack-1' }])
    // S-93: the first that is offered is the one that the other one waits for.
    expect(await back.take(view.groups.find((g) => g.name === 'db')?.id ?? '')).toBe(epoch + 1)
    const web = (await ok<typeof view>('getCluster', { params })).groups.find(
      (g) => g.name === 'web',
    )
    expect(JSON.stringify(web)).toContain('db')
    // Its place is taken now: who comes by this name is somebody else.
    const { token } = await ok<{ token: string }>('createToken', { params, body: {} })
    const body = { token, name: 'n1', publicKey: 'A'.repeat(43) }
    expect((await refused('join', { body })).code).toBe('NAME_TAKEN')
    // All of it is there after a restart.
    await abortAllDurableObjects()
    expect(await config(name)).toEqual(await config(cluster.name))
  })

  test('a host of another name joins as ever', async () => {
    const { cluster } = await running()
    const { name } = await restore(await backupOf(cluster))
    const copy = { name, params: { cluster: name } } as unknown as TestCluster
    const other = await TestNode.up(copy, 'n2')
    const view = await ok<Awaited<ReturnType<TestCluster['view']>>>('getCluster', {
      params: { cluster: name },
    })
    expect(view.nodes.map((n) => [n.name, n.state])).toEqual([
      ['n1', 'down'],
      ['n2', 'up'],
    ])
    expect(other.id).toBe(view.nodes[1]?.id)
  })

  test('who made it of what is in both audit logs; events tell where it comes from', async () => {
    const { cluster } = await running()
    const { name } = await restore(await backupOf(cluster))
    for (const [route, params] of [
      ['listAudit', {}],
      ['listClusterAudit', { cluster: name }],
    ] as const) {
      const { entries } = await ok<{ entries: { action: string | null; asked: object }[] }>(route, {
        params,
        query: { limit: '1' },
      })
      expect(entries[0]).toMatchObject({
        action: 'restoreCluster',
        asked: { from: { name: cluster.name } },
      })
    }
    const { events } = await ok<{ events: { message: string }[] }>('listEvents', {
      params: { cluster: name },
    })
    expect(events[0]?.message).toContain(`from ${cluster.name}`)
  })
})

async function pathOf(name: string): Promise<string> {
  const { env } = await import('cloudflare:workers')
  const row = await env.DB.prepare('select object_id from clusters where name = ?')
    .bind(name)
    .first<{ object_id: string }>()
  return `/v1/sessions/${row?.object_id}`
}

describe('the file', () => {
  test('hive and the whole journal in order, with a checksum; no secrets', async () => {
    const { cluster } = await running()
    const view = await cluster.view()
    const text = await backupOf(cluster)
    const { header, updates, entries } = readBackup(text, hashOf)
    expect(header).toMatchObject({
      ...{ cluster: { id: cluster.id, name: cluster.name }, seq: view.seq, hash: view.hash },
      updates: { from: 1, to: view.seq },
    })
    expect(updates).toBe(view.seq)
    const rows = await runInDurableObject(await cluster.stub(), (_, { storage }) => ({
      entries: storage.sql.exec('select count(*) as n from journal').one()['n'],
      secrets: storage.sql.exec('select secret from peer_secrets').toArray(),
    }))
    expect(entries).toBe(rows.entries)
    for (const { secret } of rows.secrets) expect(text).not.toContain(String(secret))
    expect(text).not.toMatch(/hfk_\w{8}|hfj_\w{8}|whsec_|hfs_\w{8}/)
    expect(header.withheld.join()).toContain('signing secrets of webhooks')
  })

  test('a journal of many portions is read in order, and is not asked for at once', async () => {
    const cluster = await TestCluster.form('standard')
    await runInDurableObject(await cluster.stub(), (_, { storage }) => {
      const pad = 'x'.repeat(2_000)
      for (let n = 0; n < 3_000; n++)
        storage.sql.exec(
          'insert into journal (at_ms, first_seq, event) values (?, 1, ?)',
          n,
          JSON.stringify({ type: 'woke', pad }),
        )
    })
    const text = await backupOf(cluster)
    expect(readBackup(text, hashOf).entries).toBeGreaterThanOrEqual(3_000)
  })

  test.each([
    ['cut off within a line', (t: string) => t.slice(0, -10), 'within a line'],
    ['without its end', (t: string) => `${t.split('\n').slice(0, -2).join('\n')}\n`, 'cut off'],
    ['edited', (t: string) => t.replace('"priority":7', '"priority":8'), 'damaged or edited'],
    [
      'a line left out',
      (t: string) => t.split('\n').toSpliced(4, 1).join('\n'),
      'damaged or edited',
    ],
    ['of something else', () => '{"a":1}\n', 'not that of a backup'],
    ['nothing', () => '', 'no JSON'],
    ['of a newer version', (t: string) => t.replace('backup-1', 'backup-2'), 'another version'],
    [
      'left out and summed anew',
      (t: string) => {
        const lines = t.split('\n').toSpliced(4, 1).slice(0, -2)
        const body = `${lines.join('\n')}\n`
        return `${body}${JSON.stringify({ t: 'end', lines: lines.length, sha256: hashOf(body) })}\n`
      },
      'each update',
    ],
  ])('%s: BACKUP_UNREADABLE', async (_, spoil, why) => {
    const { cluster } = await running()
    const text = await backupOf(cluster)
    const spoilt = spoil(text)
    expect(spoilt).not.toBe(text)
    try {
      readBackup(spoilt, hashOf)
      throw new Error('it was taken')
    } catch (error) {
      expect(error).toMatchObject({ refusal: { code: 'BACKUP_UNREADABLE' } })
      expect((error as { refusal: { why: string } }).refusal.why).toContain(why)
    }
  })

  test('the control plane judges what it is sent by itself, and changes nothing', async () => {
    const { cluster } = await running()
    const body = bodyOf(await backupOf(cluster), newName())
    const spoilt = [
      { ...body, header: { ...body.header, format: 'holdfast-backup-2' } },
      { ...body, header: { ...body.header, seq: body.header.seq + 1 } },
      { ...body, header: { ...body.header, more: 1 } },
      { ...body, hive: { ...body.hive, groups: [] } },
      resummed(body, { ...body.hive, groups: [] }),
      resummed(body, { ...body.hive, more: 1 }),
      resummed(body, { ...body.hive, nodes: [...body.hive.nodes, ...body.hive.nodes] }),
    ]
    const known = await ok<{ clusters: unknown[] }>('listClusters')
    for (const one of spoilt)
      expect((await refused('restoreCluster', { body: one })).code).toBe('BACKUP_UNREADABLE')
    const taken = { ...body, name: cluster.name }
    expect((await refused('restoreCluster', { body: taken })).code).toBe('NAME_TAKEN')
    expect(await ok('listClusters')).toEqual(known)
  })
})

/** With a checksum that fits. */
const resummed = (body: ReturnType<typeof bodyOf>, hive: object) => ({
  ...body,
  hive,
  header: { ...body.header, hiveSha256: hashOf(canonicalJson(hive)) },
})

const inAWeek = new Date(Date.now() + 7 * 24 * 3_600_000).toISOString()

/** Configurations as operators may come to have them. */
const arbitrary = fc
  .record({
    groups: fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 5 }),
    priority: fc.integer({ min: 0, max: 100 }),
    threshold: fc.option(fc.integer({ min: 0, max: 9 })),
    online: fc.boolean(),
    attempts: fc.integer({ min: 0, max: 9 }),
    apart: fc.boolean(),
    placement: fc.constantFrom('list', 'least-active', 'capacity'),
    maintained: fc.boolean(),
  })
  .map((a) => ({
    cluster: { placement: a.placement },
    groups: Object.fromEntries(
      a.groups.map((name, n) => [
        name,
        {
          ...{ priority: a.priority + n, failoverThreshold: a.threshold },
          ...(n > 0 && { after: [a.groups[n - 1]], preferredOwners: ['n1'] }),
          ...(a.maintained && n === 0 && { maintenance: { reason: 'disks', until: inAWeek } }),
          resources: {
            [`r-${name}`]: {
              type: 'process',
              properties: { command: '/bin/true' },
              state: a.online ? 'online' : 'offline',
              restart: { attempts: a.attempts },
              ...(n === 1 && { possibleOwners: ['n1'] }),
            },
          },
        },
      ]),
    ),
    ...(a.apart &&
      a.groups.length > 1 && {
        rules: { apart: { keepApart: a.groups.slice(0, 2), hard: true } },
      }),
  }))

test('backup, restore, backup: the same configuration, of whatever there is', async () => {
  await fc.assert(
    fc.asyncProperty(arbitrary, async (wanted) => {
      const cluster = await TestCluster.form('standard')
      await TestNode.join(cluster, 'n1')
      const applied = await fetchApi(`/v1/clusters/${cluster.name}/config/apply`, {
        method: 'POST',
        body: JSON.stringify({ config: wanted, prune: false }),
      })
      expect(applied.status, await applied.clone().text()).toBe(200)
      const { name } = await restore(await backupOf(cluster))
      expect(await config(name)).toEqual(await config(cluster.name))
      const { hive } = readBackup(await backupOf({ name }), hashOf)
      expect(brokenInvariants(fromDocument(hive))).toEqual([])
      const again = await restore(await backupOf({ name }))
      expect(await config(again.name)).toEqual(await config(cluster.name))
    }),
    { numRuns: 12 },
  )
})
