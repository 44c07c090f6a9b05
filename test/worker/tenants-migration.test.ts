/** What was there before organisations: it belongs to "default" afterwards, and its key works. */
import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { ApiKeys } from '../../worker/api-keys.ts'
import { PREFIX_LENGTH, sha256 } from '../../worker/secrets.ts'

const [BEFORE, ORGANISATIONS, ...LATER] = env.TEST_MIGRATIONS
const KEY = 'hfk_from-before-organisations'

async function run(queries: readonly string[] = []): Promise<void> {
  for (const query of queries) await env.DB.prepare(query).run()
}

async function empty(): Promise<void> {
  await run(
    [
      ...['audit', 'audit_bases', 'answers'],
      ...['join_tokens', 'api_key_secrets', 'api_keys', 'clusters', 'organisations'],
    ].map((table) => `drop table if exists ${table}`),
  )
  await run(BEFORE?.queries)
}

test('clusters, tokens and keys of before', async () => {
  await empty()
  await run([
    "insert into clusters values ('c1', 'prod', 'standard', 'o1', 5), ('c2', 'test', 'fast', 'o2', 6)",
    "insert into join_tokens values ('t1', 'c1', 'h', 2, 9, 7)",
    `insert into api_keys values ('k1', 'operator', '${await sha256(KEY)}', 3), ('k2', 'operator', 'h2', 4)`,
  ])
  await run(ORGANISATIONS?.queries)
  const { results: organisations } = await env.DB.prepare('select * from organisations').all()
  expect(organisations).toMatchObject([{ name: 'default' }])
  const { id } = organisations[0] as { id: string }
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  expect((await env.DB.prepare('select * from clusters').all()).results).toMatchObject([
    { id: 'c1', organisation_id: id, name: 'prod', object_id: 'o1', created_at_ms: 5 },
    { id: 'c2', organisation_id: id, name: 'test', profile: 'fast' },
  ])
  expect((await env.DB.prepare('select * from join_tokens').all()).results).toMatchObject([
    { id: 't1', cluster_id: 'c1', uses_left: 2, expires_at_ms: 9 },
  ])
  expect((await env.DB.prepare('select name from api_keys').all()).results).toEqual([
    { name: 'operator' },
    { name: 'operator-k2' },
  ])
  for (const later of LATER)
    if (/ALTER TABLE `organisations`/.test(later.queries.join())) await run(later.queries)
  // What the start of the control plane does for its own key.
  await env.DB.prepare('update api_key_secrets set prefix = ? where hash = ?')
    .bind(KEY.slice(0, PREFIX_LENGTH), await sha256(KEY))
    .run()
  const { principal, cluster } = await new ApiKeys(env.DB).identify(KEY, 'test')
  expect(principal).toMatchObject({
    organisation: { id, name: 'default' },
    scopes: [{ role: 'admin', cluster: null }],
  })
  expect(cluster?.id).toBe('c2')
})

test('where there was nothing, no organisation is made', async () => {
  await empty()
  await run(ORGANISATIONS?.queries)
  expect((await env.DB.prepare('select * from organisations').all()).results).toEqual([])
})
