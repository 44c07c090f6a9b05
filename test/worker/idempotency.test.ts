/** Idempotency-Key: a write is carried out once, however often it is sent, and answered the same. */
import { abortAllDurableObjects, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { type RouteName, routes } from '../../schema/api/routes.ts'
import { LIMITS } from '../../schema/limits.ts'
import type { Write } from '../../worker/write.ts'
import { addKey, as, fetchApi, insertKey, problemOf, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

interface Sent {
  status: number
  replayed: boolean
  text: string
  request: string | null
  response: Response
}

/** Sends a write with an Idempotency-Key. */
async function send(
  key: string,
  name: RouteName,
  params: Record<string, string>,
  body?: unknown,
  query = '',
): Promise<Sent> {
  const { method, path } = routes[name]
  const filled = path.replace(/:([a-z]+)/g, (_, word: string) => params[word] ?? '')
  const response = await fetchApi(`${filled}${query}`, {
    method,
    headers: { 'idempotency-key': key },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.clone().text()
  const replayed = response.headers.get('idempotency-replayed') === 'true'
  return {
    ...{ status: response.status, replayed, text, response },
    request: response.headers.get('x-request-id'),
  }
}

const newKey = () => crypto.randomUUID()

/** What the Worker makes of a call. */
const writeWith = (once: Write['once']): Write => ({
  ...{ who: { kind: 'key', id: 'key-suite-suite', name: 'suite' }, from: null, about: null },
  ...{ request: 'first', route: 'createGroup', status: 200, once },
})

describe('in a cluster', () => {
  test('the same write again: the answer of the first, word for word, and nothing is done', async () => {
    const cluster = await TestCluster.form('standard')
    const key = newKey()
    const first = await send(key, 'createGroup', cluster.params, { name: 'web' })
    expect(first).toMatchObject({ status: 200, replayed: false })
    const { seq } = await cluster.view()
    const again = await send(key, 'createGroup', cluster.params, { name: 'web' })
    expect(again).toMatchObject({ status: 200, replayed: true })
    expect([again.text, again.request]).toEqual([first.text, first.request])
    expect(again.response.headers.get('content-type')).toBe('application/json')
    // Another key of the same write does it again, and is refused: the name is taken.
    expect((await send(newKey(), 'createGroup', cluster.params, { name: 'web' })).status).toBe(409)
    expect((await cluster.view()).seq).toBe(seq)
  })

  test('every kind of answer is kept as it was given', async () => {
    const cluster = await TestCluster.form('standard')
    const node = await TestNode.up(cluster, 'n1')
    const { params } = cluster
    const web = { ...params, group: 'web' }
    const config = { config: { groups: { web: { priority: 5 } } } }
    const rows: [RouteName, Record<string, string>, unknown][] = [
      ['createGroup', params, { name: 'web' }],
      ['changeGroup', web, { name: 'web2' }],
      ['changeGroup', { ...params, group: 'web2' }, { name: 'web' }],
      ['changeCluster', params, { placement: 'spread', startsPerNode: 3 }],
      [
        'createResource',
        params,
        { name: 'a', group: 'web', type: 'process', properties: { command: '/bin/true' } },
      ],
      ['offlineGroup', web, undefined],
      ['pauseNode', { ...params, node: 'n1' }, undefined],
      ['resumeNode', { ...params, node: 'n1' }, { failback: false }],
      ['startMaintenance', params, { scope: 'group', name: 'web', reason: 'disks', forMs: 60_000 }],
      ['createRule', params, { name: 'apart', kind: 'keepApart', groups: ['web'], hard: true }],
      ['planConfig', params, config],
      ['applyConfig', params, config],
      ['applyConfig', params, config],
      ['deleteResource', { ...params, resource: 'a' }, undefined],
      ['deleteGroup', web, undefined],
      ['deleteGroup', web, undefined],
    ]
    for (const [name, where, body] of rows) {
      const key = newKey()
      const first = await send(key, name, where, body)
      const { seq } = await cluster.view()
      const again = await send(key, name, where, body)
      expect(again.text, `${name}: ${first.text}`).toBe(first.text)
      expect(again.status).toBe(first.status)
      // What only looks is looked at again.
      expect(again.replayed, name).toBe(name !== 'planConfig')
      expect((await cluster.view()).seq).toBe(seq)
    }
    node.line.ws.close()
  })

  test('a refusal is kept as well, as it was said', async () => {
    const cluster = await TestCluster.form('standard')
    const key = newKey()
    const params = { ...cluster.params, group: 'web' }
    const first = await send(key, 'deleteGroup', params)
    expect(await problemOf(first.response)).toMatchObject({ status: 404, code: 'NOT_FOUND' })
    await cluster.group('web')
    const again = await send(key, 'deleteGroup', params)
    expect(again).toMatchObject({ replayed: true, text: first.text })
    await problemOf(again.response)
    expect((await cluster.view()).groups).toHaveLength(1)
    // Of a body that does not fit too.
    const bad = newKey()
    const one = await send(bad, 'createGroup', cluster.params, { nosuch: 1 })
    const two = await send(bad, 'createGroup', cluster.params, { nosuch: 1 })
    expect([one.status, two.status, two.replayed, two.text]).toEqual([400, 400, true, one.text])
  })

  test('another route, thing, query or body with the same key: refused, and the first stands', async () => {
    const cluster = await TestCluster.form('standard')
    const key = newKey()
    const first = await send(key, 'createGroup', cluster.params, { name: 'web' })
    const others = [
      await send(key, 'createGroup', cluster.params, { name: 'db' }),
      await send(key, 'createGroup', cluster.params, { name: 'web' }, '?x=1'),
      await send(key, 'deleteGroup', { ...cluster.params, group: 'web' }),
      // The same cluster, by its GUID.
      await send(key, 'createGroup', { cluster: cluster.id }, { name: 'web' }),
    ]
    for (const other of others)
      expect(await problemOf(other.response)).toMatchObject({
        ...{ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' },
        why: expect.stringContaining('Nothing was changed'),
        remedy: expect.stringContaining('new key'),
      })
    const again = await send(key, 'createGroup', cluster.params, { name: 'web' })
    expect(again).toMatchObject({ status: 200, replayed: true, text: first.text })
  })

  test('what another API key, or another cluster, calls the same is another write', async () => {
    const [one, two] = [await TestCluster.form('standard'), await TestCluster.form('standard')]
    const key = newKey()
    await addKey({ key: 'hfk_another-key-of-the-suite', name: 'another' })
    expect((await send(key, 'createGroup', one.params, { name: 'web' })).status).toBe(200)
    expect((await send(key, 'createGroup', two.params, { name: 'web' })).status).toBe(200)
    const other = await as('hfk_another-key-of-the-suite', () =>
      send(key, 'createGroup', one.params, { name: 'db' }),
    )
    expect(other).toMatchObject({ status: 200, replayed: false })
  })

  test('many at the same time: one is carried out, the others wait for its answer', async () => {
    const cluster = await TestCluster.form('standard')
    const key = newKey()
    const { seq } = await cluster.view()
    const sent = await Promise.all(
      Array.from({ length: 20 }, () => send(key, 'createGroup', cluster.params, { name: 'web' })),
    )
    const first = sent.filter((one) => one.status === 200 && !one.replayed)
    expect(first).toHaveLength(1)
    for (const one of sent) {
      if (one.status === 200) expect(one.text).toBe(first[0]?.text)
      else
        expect(await problemOf(one.response)).toMatchObject({
          ...{ status: 409, code: 'IDEMPOTENCY_KEY_IN_USE' },
          remedy: expect.stringContaining('same key'),
        })
    }
    expect(sent.some((one) => one.status === 409)).toBe(true)
    expect((await cluster.view()).seq).toBe(seq + 1)
    expect(await send(key, 'createGroup', cluster.params, { name: 'web' })).toMatchObject({
      ...{ status: 200, replayed: true, text: first[0]?.text },
    })
  })

  test('a key that cannot be one is refused, and nothing is done', async () => {
    const cluster = await TestCluster.form('standard')
    const { seq } = await cluster.view()
    for (const key of ['short', 'with a space in it', 'x'.repeat(129), 'ünïcödé-key'])
      expect(
        await problemOf((await send(key, 'createGroup', cluster.params, { name: 'w' })).response),
      ).toMatchObject({ status: 400, code: 'BAD_REQUEST', detail: expect.stringContaining('Key') })
    expect((await cluster.view()).seq).toBe(seq)
  })
})

describe('what is kept', () => {
  test('the object dies behind the commit: sent again it is not done again', async () => {
    const cluster = await TestCluster.form('standard')
    const key = newKey()
    const first = await send(key, 'createGroup', cluster.params, { name: 'web' })
    await abortAllDurableObjects()
    const again = await send(key, 'createGroup', cluster.params, { name: 'web' })
    expect(again).toMatchObject({ replayed: true, text: first.text })
  })

  test('it dies between the commit and the answer: the answer is there, for it was committed', async () => {
    const cluster = await TestCluster.form('standard')
    const key = newKey()
    const stub = await cluster.stub()
    // What the Worker does, up to where it is no more.
    const once = { keyId: 'key-suite-suite', name: key, fingerprint: 'f'.repeat(64) }
    const write = writeWith(once)
    const request = { type: 'createGroup', groupId: crypto.randomUUID(), name: 'web', settings: {} }
    expect(await stub.begin(write)).toBe(null)
    const reply = { fields: { id: request.groupId } }
    const asked = await stub.ask(request as never, 'suite', write, reply)
    await abortAllDurableObjects()
    const before = await (await cluster.stub()).begin({ ...write, request: 'second' })
    expect(before).toMatchObject({
      answer: { status: 200, request: 'first', body: expect.stringContaining(request.groupId) },
    })
    // And one that was let in at the same time, and comes late, does nothing.
    const late = await (await cluster.stub()).ask(
      { ...request, groupId: crypto.randomUUID(), name: 'web2' } as never,
      'suite',
      { ...write, request: 'second' },
      reply,
    )
    expect(late).toMatchObject({ refused: { code: 'IDEMPOTENCY_KEY_IN_USE' } })
    expect((await cluster.view()).groups.map((one) => one.name)).toEqual(['web'])
    expect(asked).toMatchObject({ seq: 2 })
  })

  test('what was begun and cannot be seen to have ended is not done again', async () => {
    const cluster = await TestCluster.form('standard')
    const once = { keyId: 'key-suite-suite', name: newKey(), fingerprint: 'f'.repeat(64) }
    const write = writeWith(once)
    await runInDurableObject(await cluster.stub(), (_, state) => {
      state.storage.sql.exec(
        "insert into answers (key_id, name, fingerprint, request, at_ms, status, body, total) values (?, ?, ?, 'first', ?, 0, '', 0)",
        ...[once.keyId, once.name, once.fingerprint, Date.now()],
      )
    })
    expect(await (await cluster.stub()).begin({ ...write, request: 'second' })).toMatchObject({
      refused: { code: 'IDEMPOTENCY_KEY_IN_USE', why: expect.stringContaining('restarted') },
    })
  })

  test('for 24 hours, so many, and so much: the oldest go', async () => {
    const cluster = await TestCluster.form('standard')
    const stub = await cluster.stub()
    const names = () =>
      runInDurableObject(stub, (_, state) =>
        state.storage.sql
          .exec('select name, at_ms from answers order by id')
          .toArray()
          .map((row) => String(row['name'])),
      )
    const set = (change: string, ...values: (string | number)[]) =>
      runInDurableObject(stub, (_, state) => void state.storage.sql.exec(change, ...values))
    const keys = [newKey(), newKey(), newKey(), newKey(), newKey()] as const
    for (const [i, key] of keys.slice(0, 3).entries())
      await send(key, 'createGroup', cluster.params, { name: `g${i}` })
    expect(await names()).toEqual(keys.slice(0, 3))
    await set(
      'update answers set at_ms = ? where name = ?',
      Date.now() - LIMITS.answersKeptMs,
      keys[0],
    )
    // It is no longer there, whether it has been removed yet or not: the name is taken.
    const again = await send(keys[0], 'createGroup', cluster.params, { name: 'g0' })
    expect(again).toMatchObject({ status: 409, replayed: false })
    expect(await names()).toEqual([keys[1], keys[2], keys[0]])
    await set(
      'update answers set total = total - ? where name = ?',
      LIMITS.answersLengthMax,
      keys[1],
    )
    await send(keys[3], 'createGroup', cluster.params, { name: 'g3' })
    expect(await names()).toEqual([keys[2], keys[0], keys[3]])
    await set('update answers set id = id - ? where name = ?', LIMITS.answersKept, keys[2])
    await send(keys[4], 'createGroup', cluster.params, { name: 'g4' })
    expect(await names()).toEqual([keys[0], keys[3], keys[4]])
  })
})

describe('what is kept with the accounts', () => {
  const scopes = [{ role: 'read' }]

  test('a key is made once, and its secret is given again to who has the same API key', async () => {
    const key = newKey()
    const body = { name: 'once', scopes }
    const first = await send(key, 'createKey', {}, body)
    expect(first).toMatchObject({ status: 200, replayed: false })
    const again = await send(key, 'createKey', {}, body)
    expect(again).toMatchObject({ status: 200, replayed: true, text: first.text })
    expect((await send(newKey(), 'createKey', {}, body)).status).toBe(409)
    // The database alone tells no secret.
    const { key: secret } = JSON.parse(first.text) as { key: string }
    for (const table of ['answers', 'audit', 'api_keys', 'api_key_secrets']) {
      const { results } = await env.DB.prepare(`select * from ${table}`).all()
      expect(JSON.stringify(results)).not.toContain(secret)
    }
    const other = await send(key, 'createKey', {}, { ...body, name: 'other' })
    expect(await problemOf(other.response)).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' })
  })

  test('clusters, tokens, rotation and revocation: once each', async () => {
    const cluster = await TestCluster.form('standard')
    await addKey({ key: 'hfk_to-be-rotated-once-only', name: 'turns' })
    const rows: [RouteName, Record<string, string>, unknown][] = [
      ['createCluster', {}, { name: `idem-${newKey().slice(0, 8)}`, profile: 'standard' }],
      ['createToken', cluster.params, {}],
      ['rotateKey', { key: 'turns' }, {}],
      ['revokeKey', { key: 'turns' }, undefined],
      ['revokeKey', { key: 'nosuch' }, undefined],
    ]
    const count = async () => {
      const sum = 'select (select count(*) from clusters) + (select count(*) from join_tokens) +'
      const row = await env.DB.prepare(`${sum} (select count(*) from api_key_secrets) as n`).first()
      return row?.['n']
    }
    for (const [name, params, body] of rows) {
      const key = newKey()
      const first = await send(key, name, params, body)
      const before = await count()
      const again = await send(key, name, params, body)
      expect(again, name).toMatchObject({ replayed: true, status: first.status, text: first.text })
      expect(await count()).toBe(before)
    }
  })

  test('many at the same time: one is carried out', async () => {
    const key = newKey()
    const body = { name: 'raced', scopes }
    const sent = await Promise.all(
      Array.from({ length: 8 }, () => send(key, 'createKey', {}, body)),
    )
    const texts = new Set(sent.filter((one) => one.status === 200).map((one) => one.text))
    expect(texts.size).toBe(1)
    for (const one of sent) if (one.status !== 200) expect(one.status).toBe(409)
    const made = "select count(*) as n from api_keys where name = 'raced'"
    expect(await env.DB.prepare(made).first('n')).toBe(1)
  })

  test('with another secret of the same API key it is not done again, and its answer is closed', async () => {
    await addKey({ key: 'hfk_first-secret-of-turner', name: 'turner' })
    const key = newKey()
    const body = { name: 'of-turner', scopes }
    const mine = () => send(key, 'createKey', {}, body)
    expect((await as('hfk_first-secret-of-turner', mine)).status).toBe(200)
    const rotated = await send(newKey(), 'rotateKey', { key: 'turner' }, {})
    const { key: second } = JSON.parse(rotated.text) as { key: string }
    expect(await problemOf((await as(second, mine)).response)).toMatchObject({
      ...{ status: 409, code: 'IDEMPOTENCY_KEY_IN_USE', why: expect.stringContaining('rotated') },
    })
  })

  test('for 24 hours, and so many of one API key', async () => {
    const keyId = 'key-suite-suite'
    const count = () =>
      env.DB.prepare('select count(*) as n from answers where key_id = ?').bind(keyId).first('n')
    const make = (name: string) => send(newKey(), 'createKey', {}, { name, scopes })
    await env.DB.prepare('update answers set at_ms = ? where key_id = ?')
      .bind(Date.now() - LIMITS.answersKeptMs, keyId)
      .run()
    await make('of-today')
    expect(await count()).toBe(1)
    const many = LIMITS.answersOfKeyMax
    await env.DB.prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${many})
       insert into answers select ?, 'many-' || i, 'f', 'r', ? + i, 200, '' from n`,
    )
      .bind(keyId, Date.now() - 10_000_000)
      .run()
    await make('one-more')
    expect(await count()).toBe(many)
  })
})
