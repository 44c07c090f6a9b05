/** Rate limits at the door of the API (issue "hosted service", fairness and limits). */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { problem } from '../../schema/api/bodies.ts'
import { app } from '../../worker/app.ts'
import { addKey, addOrganisation, as, insertKey, ok, refused } from './api.ts'

beforeAll(insertKey)

/** At once: 12 of a key, 50 of an organisation and of an address, and one that is not valid. */
const FACTOR = '0.05'
const FROM = 'x-test-address'

async function call(path: string, key: string, address = '192.0.2.1') {
  const ctx = createExecutionContext()
  const headers = { authorization: `Bearer ${key}`, [FROM]: address }
  const limited = { ...env, RATE_FACTOR: FACTOR, ADDRESS_HEADER: FROM }
  const response = await app.request(`https://control.test${path}`, { headers }, limited, ctx)
  await waitOnExecutionContext(ctx)
  return response
}

async function newKey(name: string, organisation: string): Promise<string> {
  const key = `hfk_${name}-of-the-rates`
  await addOrganisation(organisation)
  await addKey({ key, name, organisation })
  return key
}

const calls = async (count: number, key: string, address?: string) => {
  const statuses: number[] = []
  for (let n = 0; n < count; n++) statuses.push((await call('/v1/clusters', key, address)).status)
  return statuses
}

describe('rate limits', () => {
  test('every answer says what is left; one too many is 429 with Retry-After, another key is not held back', async () => {
    const storm = await newKey('storm', 'rates-one')
    const first = await call('/v1/clusters', storm, '192.0.2.10')
    expect(first.status).toBe(200)
    expect(first.headers.get('ratelimit-limit')).toBe('12')
    expect(first.headers.get('ratelimit-remaining')).toBe('11')
    expect(Number(first.headers.get('ratelimit-reset'))).toBeGreaterThan(0)
    expect(
      (await calls(20, storm, '192.0.2.10')).filter((status) => status === 429).length,
    ).toBeGreaterThan(2)
    const refused = await call('/v1/clusters', storm, '192.0.2.10')
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    const said = problem.parse(await refused.json())
    expect(said.code).toBe('RATE_LIMITED')
    expect(said.why).toContain('Nothing was changed')
    const calm = await newKey('calm', 'rates-two')
    expect(await calls(3, calm, '192.0.2.11')).toEqual([200, 200, 200])
  })

  test('an address has its share whatever it presents, and the session path of hosts is not of it', async () => {
    const wrong = await calls(60, 'hfk_nobody-has-such-a-key', '192.0.2.20')
    expect(new Set(wrong)).toEqual(new Set([401, 429]))
    const elsewhere = await newKey('elsewhere', 'rates-three')
    expect(await calls(1, elsewhere, '192.0.2.21')).toEqual([200])
    // Of the same address, which is refused elsewhere by now: a host that reconnects is let in.
    const session = await call('/v1/sessions/none', elsewhere, '192.0.2.20')
    expect(session.status).toBe(404)
  })

  test('a storm of wrong keys does not lock out the right one behind the same address', async () => {
    const right = await newKey('right', 'rates-four')
    expect((await calls(8, 'hfk_wrong-key-of-somebody', '192.0.2.30')).at(-1)).toBe(429)
    expect(await calls(2, right, '192.0.2.30')).toEqual([200, 200])
  })
})

describe('quotas of an organisation', () => {
  test('clusters, nodes, groups: one too many is refused and changes nothing; usage says what there is', async () => {
    const key = await newKey('quota', 'rates-quota')
    const quotas = { clusters: 1, nodes: 1, groups: 1, resources: 0 }
    await env.DB.prepare('update organisations set quotas = ? where name = ?')
      .bind(JSON.stringify(quotas), 'rates-quota')
      .run()
    await as(key, async () => {
      const params = { cluster: 'only' }
      await ok('createCluster', { body: { name: 'only', profile: 'standard' } })
      const second = await refused('createCluster', { body: { name: 'second' } })
      expect(second).toMatchObject({ code: 'QUOTA_REACHED', status: 409 })
      await ok('createGroup', { params, body: { name: 'web' } })
      expect(await refused('createGroup', { params, body: { name: 'db' } })).toMatchObject({
        ...{ code: 'QUOTA_REACHED', detail: 'the cluster has 1 groups, and may have 1' },
      })
      const config = { groups: { web: {}, db: {} } }
      expect(await refused('applyConfig', { params, body: { config } })).toMatchObject({
        code: 'QUOTA_REACHED',
      })
      const { token } = await ok<{ token: string }>('createToken', { params, body: { uses: 2 } })
      const join = (name: string) => ({ body: { token, name, publicKey: name.repeat(43) } })
      await ok('join', join('a'))
      expect(await refused('join', join('b'))).toMatchObject({ code: 'QUOTA_REACHED' })
      expect(await ok('getUsage')).toMatchObject({
        ...{ organisation: 'rates-quota', quotas, clusters: 1 },
        each: [{ cluster: 'only', usage: { nodes: 1, groups: 1, resources: 0 } }],
      })
    })
  })
})
