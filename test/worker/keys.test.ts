/** API keys: what they are good for, how long, and what is kept of them. */
import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import type { EventView } from '../../schema/api/bodies.ts'
import type { KeyView } from '../../schema/api/keys.ts'
import { LIMITS } from '../../schema/limits.ts'
import { sameHash, sha256 } from '../../worker/secrets.ts'
import { addKey, addOrganisation, as, insertKey, KEY, ok, refused, TestCluster } from './api.ts'

const FOREIGN = 'hfk_foreign--key-of-the-suite'

beforeAll(async () => {
  await insertKey()
  await addOrganisation('foreign')
  await addKey({ key: FOREIGN, name: 'foreign', organisation: 'foreign' })
})

interface Made {
  id: string
  name: string
  key: string
}
let made = 0
const create = (body: object = {}) =>
  ok<Made>('createKey', { body: { name: `k${++made}`, scopes: [{ role: 'read' }], ...body } })

const keyNamed = async (name: string): Promise<KeyView | undefined> =>
  (await ok<{ keys: KeyView[] }>('listKeys')).keys.find((one) => one.name === name)

describe('organisations', () => {
  test('the same name of a cluster in two of them; each sees its own', async () => {
    const cluster = await TestCluster.form('standard')
    const theirs = await as(FOREIGN, () =>
      ok<{ id: string }>('createCluster', { body: { name: cluster.name } }),
    )
    expect(theirs.id).not.toBe(cluster.id)
    const ids = async () =>
      (await ok<{ clusters: { id: string }[] }>('listClusters')).clusters.map((one) => one.id)
    expect(await ids()).toContain(cluster.id)
    expect(await ids()).not.toContain(theirs.id)
    expect(await as(FOREIGN, ids)).toEqual([theirs.id])
    expect((await cluster.view()).id).toBe(cluster.id)
    expect(await as(FOREIGN, () => ok('getCluster', { params: cluster.params }))).toMatchObject({
      id: theirs.id,
    })
    expect(await refused('createCluster', { body: { name: cluster.name } })).toMatchObject({
      code: 'NAME_TAKEN',
    })
  })

  test('a join token leads to the cluster it was made for, whoever else has one of that name', async () => {
    const cluster = await TestCluster.form('standard')
    const { params } = cluster
    const theirs = await as(FOREIGN, () =>
      ok<{ id: string }>('createCluster', { body: { name: cluster.name } }),
    )
    const { token } = await as(FOREIGN, () =>
      ok<{ token: string }>('createToken', { params, body: {} }),
    )
    const body = { token, name: 'n1', publicKey: 'F'.repeat(43) }
    expect(await ok('join', { body })).toMatchObject({ clusterId: theirs.id })
    expect((await cluster.view()).nodes).toEqual([])
  })

  test('keys of the one are not listed, rotated or revoked by the other', async () => {
    const { id, name } = await create()
    const there = await as(FOREIGN, () => ok<{ keys: KeyView[] }>('listKeys'))
    expect(there.keys.map((one) => one.name)).toEqual(['foreign'])
    for (const key of [id, name]) {
      await as(FOREIGN, () => refused('revokeKey', { params: { key } }))
      await as(FOREIGN, () => refused('rotateKey', { params: { key }, body: {} }))
    }
    expect(await keyNamed(name)).toMatchObject({ state: 'valid' })
  })
})

describe('a key', () => {
  test('is shown once, recognised by its beginning, and nowhere in the database', async () => {
    const { key, name } = await create()
    expect(key).toMatch(/^hfk_[A-Za-z0-9_-]{40}$/)
    expect(await keyNamed(name)).toMatchObject({
      ...{ prefixes: [key.slice(0, 12)], state: 'valid', createdBy: 'suite' },
      ...{ lastUsedAtMs: null, expiresAtMs: null, scopes: [{ role: 'read', cluster: null }] },
    })
    expect(JSON.stringify(await ok('listKeys'))).not.toContain(key)
    const rows = await Promise.all(
      ['api_keys', 'api_key_secrets'].map((table) =>
        env.DB.prepare(`select * from ${table}`).all(),
      ),
    )
    const text = JSON.stringify(rows)
    expect(text).toContain(await sha256(key))
    expect(text).not.toContain(key.slice(12))
  })

  test('says who it is and what it may do', async () => {
    const cluster = await TestCluster.form('standard')
    const { key, id } = await create({
      name: 'ci',
      scopes: [{ role: 'read' }, { role: 'operate', cluster: cluster.name }],
      ttlMs: 3_600_000,
    })
    expect(await as(key, () => ok('whoami'))).toMatchObject({
      ...{ kind: 'key', id, name: 'ci', organisation: { name: 'suite' } },
      scopes: [
        { role: 'read', cluster: null },
        { role: 'operate', cluster: { id: cluster.id, name: cluster.name } },
      ],
      expiresAtMs: expect.any(Number),
    })
  })

  test('of one cluster sees that one alone, and does what its role does there', async () => {
    const [mine, other] = [await TestCluster.form('standard'), await TestCluster.form('standard')]
    await mine.group('web')
    await mine.resource('web', 'nginx')
    const { key } = await create({ scopes: [{ role: 'operate', cluster: mine.id }] })
    await as(key, async () => {
      const { clusters } = await ok<{ clusters: { id: string }[] }>('listClusters')
      expect(clusters.map((one) => one.id)).toEqual([mine.id])
      await ok('offlineGroup', { params: { ...mine.params, group: 'web' } })
      expect(
        await refused('deleteGroup', { params: { ...mine.params, group: 'web' } }),
      ).toMatchObject({ code: 'FORBIDDEN', status: 403 })
      expect(await refused('getCluster', { params: other.params })).toMatchObject({
        code: 'NOT_FOUND',
      })
    })
    // Who did it is told by the name of the key.
    const { name } = (await keyNamed(`k${made}`)) as KeyView
    const { events } = await ok<{ events: EventView[] }>('listEvents', { params: mine.params })
    expect(events.at(-1)?.because.evidence).toMatchObject({ by: name })
  })

  test('the last use is noted, once a minute', async () => {
    const { key, name } = await create()
    const use = () => as(key, () => ok('listClusters'))
    const noted = async (not: number | null) => {
      for (let i = 0; i < 100; i++) {
        const at = (await keyNamed(name))?.lastUsedAtMs ?? null
        if (at !== not) return at
        await new Promise((done) => setTimeout(done, 10))
      }
      return not
    }
    await use()
    const first = await noted(null)
    expect(first).toBeGreaterThan(0)
    await use()
    await new Promise((done) => setTimeout(done, 100))
    expect((await keyNamed(name))?.lastUsedAtMs).toBe(first)
    await env.DB.prepare('update api_keys set last_used_at_ms = 5 where name = ?').bind(name).run()
    // What only looks is not looked up again so soon.
    await as(key, () => refused('createCluster', { body: { name: 'noted' } }))
    expect(await noted(5)).toBeGreaterThanOrEqual(first ?? 0)
  })

  test('names: taken while it is valid, and free again when it is revoked', async () => {
    await create({ name: 'deploy' })
    const again = { body: { name: 'deploy', scopes: [{ role: 'read' }] } }
    expect(await refused('createKey', again)).toMatchObject({ code: 'NAME_TAKEN', status: 409 })
    await ok('revokeKey', { params: { key: 'deploy' } })
    await ok('createKey', again)
  })

  test('scopes: a cluster of somebody else is one that does not exist', async () => {
    const theirs = await as(FOREIGN, () =>
      ok<{ id: string }>('createCluster', { body: { name: 'theirs' } }),
    )
    for (const cluster of [theirs.id, 'theirs', 'nosuch'])
      expect(
        await refused('createKey', { body: { name: 'x', scopes: [{ role: 'read', cluster }] } }),
      ).toMatchObject({ code: 'NOT_FOUND', detail: `there is no cluster "${cluster}"` })
    expect(await keyNamed('x')).toBeUndefined()
  })
})

describe('the end of a key', () => {
  const works = (key: string) => as(key, () => ok('whoami'))
  const over = async (key: string, why: RegExp) => {
    const problem = await as(key, () => refused('whoami'))
    expect(problem).toMatchObject({ code: 'UNAUTHENTICATED', status: 401 })
    expect(problem.why).toMatch(why)
  }

  test('revoked: at once, and it says when', async () => {
    const { key, id } = await create()
    await works(key)
    await ok('revokeKey', { params: { key: id } })
    await over(key, /It was revoked at \d{4}-/)
    expect(await refused('revokeKey', { params: { key: id } })).toMatchObject({ code: 'NOT_FOUND' })
  })

  test('expired', async () => {
    const { key, id } = await create({ ttlMs: 60_000 })
    await env.DB.prepare('update api_keys set expires_at_ms = 1000 where id = ?').bind(id).run()
    await over(key, /It expired at 1970-01-01T00:00:01/)
  })

  test('revoked in another place of the edge: it changes nothing from then on, and looks for a moment at most', async () => {
    const { key, id } = await create()
    await works(key)
    await env.DB.prepare('update api_keys set revoked_at_ms = 1000 where id = ?').bind(id).run()
    const write = () => as(key, () => refused('createCluster', { body: { name: 'never' } }))
    expect(await write()).toMatchObject({ code: 'UNAUTHENTICATED' })
    await works(key)
    await new Promise((done) => setTimeout(done, LIMITS.keyKnownMs))
    await over(key, /It was revoked at 1970-01-01T00:00:01/)
    expect(await write()).toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  test('KEY_IN_USE: not by itself', async () => {
    expect(await refused('revokeKey', { params: { key: 'suite' } })).toMatchObject({
      code: 'KEY_IN_USE',
      status: 409,
    })
    await works(KEY)
  })

  test('rotation: both secrets for a while, two at most, and it stays the same key', async () => {
    const { key: first, id, name } = await create()
    const rotate = (overlapMs: number) =>
      ok<Made>('rotateKey', { params: { key: name }, body: { overlapMs } })
    const { key: second, id: same } = await rotate(60_000)
    expect(same).toBe(id)
    await works(first)
    await works(second)
    expect((await keyNamed(name))?.prefixes.length).toBe(2)
    const { key: third } = await rotate(60_000)
    await over(first, /replaced by a newer secret/)
    await works(second)
    await works(third)
    const { key: fourth } = await rotate(0)
    for (const old of [first, second, third]) await over(old, /replaced by a newer secret/)
    await works(fourth)
    expect((await keyNamed(name))?.prefixes).toEqual([fourth.slice(0, 12)])
  })

  test('a key with a known beginning and another end is as unknown as any', async () => {
    const { key } = await create()
    const other = `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`
    const [near, far] = [
      await as(other, () => refused('whoami')),
      await as('hfk_no-such-key-at-all', () => refused('whoami')),
    ]
    expect({ ...near, request: '' }).toEqual({ ...far, request: '' })
  })
})

test('hashes are compared as a whole', async () => {
  const hash = await sha256('a')
  expect(sameHash(hash, hash)).toBe(true)
  expect(
    sameHash(
      hash,
      hash.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
    ),
  ).toBe(false)
  expect(sameHash(hash, '')).toBe(false)
})
