/** Export and deletion of an organisation: by owners, confirmed, and nothing of it is left. */

import { env } from 'cloudflare:workers'
import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { dryRun } from '../../schema/api/audit.ts'
import { readBackup } from '../../schema/api/backup.ts'
import { type OrganisationDeleted, readExport } from '../../schema/api/organisation.ts'
import { CLOSE } from '../../schema/session.ts'
import { sweepObjects } from '../../worker/doomed-objects.ts'
import { as, insertKey, ok, pause, TestCluster } from './api.ts'
import { objectOf, rowsWith, storedIn } from './left.ts'
import { done, founder, newcomer, PASSWORD, refusedTo, send } from './people.ts'
import { TestNode } from './test-node.ts'

beforeAll(insertKey)

const SETTINGS = { SIGN_UP: 'open', MAIL: 'console' }
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

/** An organisation with something of everything; `key` is its own. */
async function acme() {
  const owner = await founder()
  const { id, name } = owner.organisation
  const token = owner.token
  const created = await done<{ key: string; id: string }>('createKey', {
    token,
    body: { name: 'ci', scopes: [{ role: 'admin' }] },
  })
  const made = { id: created.id, secret: created.key }
  const webhook = await done<{ secret: string }>('createWebhook', {
    token,
    body: { name: 'ops', url: 'https://example.com/', types: ['node.removed'] },
  })
  await done('inviteMember', {
    token,
    body: { email: `eve-${crypto.randomUUID()}@example.com`, role: 'viewer' },
    env: { ...SETTINGS, MAIL: undefined as never },
  })
  const cluster = await as(made.secret, async () => {
    const formed = await TestCluster.form('wan')
    await formed.group('web')
    await formed.resource('web', 'nginx')
    return formed
  })
  return { owner, token, id, name, key: made, webhook, cluster }
}

describe('export', () => {
  test('has all that the organisation has, and no secrets; its backups are whole', async () => {
    const { token, owner, key, webhook, cluster, name } = await acme()
    const response = await send('exportOrganisation', { token })
    expect(response.status).toBe(200)
    const text = new TextDecoder().decode(await response.arrayBuffer())
    const counts = Object.fromEntries(readExport(text, hashOf))
    expect(counts).toMatchObject({ member: 1, invitation: 1, webhook: 1, cluster: 1 })
    expect(counts['key']).toBeGreaterThanOrEqual(1)
    expect(counts['audit']).toBeGreaterThanOrEqual(4)
    expect(counts['clusterAudit']).toBe(3)
    for (const one of [name, owner.email, cluster.name, '"nginx"', 'ops'])
      expect(text).toContain(one)
    for (const secret of [key.secret, webhook.secret, token]) expect(text).not.toContain(secret)
    expect(text).not.toContain(PASSWORD)
    const lines = text.split('\n').flatMap((line) => (line ? [JSON.parse(line)] : []))
    const backup = lines.filter((one) => one.t === 'backup').map((one) => `${one.line}\n`)
    expect(readBackup(backup.join(''), hashOf).header.cluster.id).toBe(cluster.id)
  })

  test('EXPORT_INCOMPLETE: one that broke off, or was changed', async () => {
    const { token } = await acme()
    const response = await send('exportOrganisation', { token })
    const text = new TextDecoder().decode(await response.arrayBuffer())
    for (const spoilt of [
      text.slice(0, -5),
      `${text.split('\n').slice(0, -2).join('\n')}\n`,
      text.replace('wan', 'win'),
      '',
    ])
      expect(() => readExport(spoilt, hashOf)).toThrow(/not a whole export/)
  })

  test('of owners alone: no admin, and no key', async () => {
    const { key, id } = await acme()
    for (const name of ['exportOrganisation', 'deleteOrganisation'] as const) {
      const asked = { token: key.secret, ...(name === 'deleteOrganisation' && body(id)) }
      expect((await refusedTo(name, asked)).code).toBe('FORBIDDEN')
    }
  })
})

const body = (confirm: string, force = false) => ({ body: { confirm, force } })

describe('deletion', () => {
  test('only by its name; a dry run says what would go, and nothing does', async () => {
    const { token, name, cluster } = await acme()
    expect((await refusedTo('deleteOrganisation', { token, ...body('another') })).code).toBe(
      'BAD_REQUEST',
    )
    const query = { dry_run: 'true' }
    const response = await send('deleteOrganisation', { token, query, ...body(name) })
    const tried = dryRun.parse(await response.json())
    expect(tried.changes.map((one) => [one.table, one.name])).toEqual([
      ['organisation', name],
      ['cluster', cluster.name],
    ])
    expect((await rowsWith([name])).length).toBeGreaterThan(0)
  })

  test('ORGANISATION_IN_USE while a group has an owner; by force its hosts are told, and fall silent', async () => {
    const { token, name, key, cluster } = await acme()
    const node = await as(key.secret, () => TestNode.up(cluster, 'n1'))
    const pings = setInterval(() => node.line.ws.send('ping'), 500)
    const [group] = (await as(key.secret, () => cluster.view())).groups
    await node.take(group?.id ?? '')
    const refused = await refusedTo('deleteOrganisation', { token, ...body(name) })
    expect(refused).toMatchObject({ code: 'ORGANISATION_IN_USE', status: 409 })
    expect(refused.detail).toContain(`${cluster.name} (web)`)
    expect((await rowsWith([name])).length).toBeGreaterThan(0)
    const objectId = await objectOf(cluster)
    const line = node.line
    const gone = await done<OrganisationDeleted>('deleteOrganisation', {
      token,
      ...body(name, true),
    })
    clearInterval(pings)
    expect(gone).toEqual({ organisation: name, clusters: 1, pending: 0 })
    expect(await line.next('bye')).toMatchObject({
      code: 'notMember',
      detail: `cluster ${cluster.name} was deleted`,
    })
    expect(await line.end()).toMatchObject({ code: CLOSE.evicted })
    await pause(300)
    // It comes back, is told that there is no such cluster, and leaves nothing behind.
    const again = await node.request()
    expect(again.status).toBe(503)
    expect(await again.json()).toMatchObject({ code: 'UNAVAILABLE' })
    expect(await storedIn(objectId)).toEqual({ tables: [], keys: [], alarm: null })
  })

  test('nothing of it is left: no row, no storage; keys and sessions end at once', async () => {
    const { token, id, name, key, cluster, owner } = await acme()
    const helper = await newcomer('Ben')
    const objectId = await objectOf(cluster)
    const texts = [id, name, cluster.id, cluster.name, key.id]
    expect((await rowsWith(texts)).length).toBeGreaterThan(8)
    await done('deleteOrganisation', { token, ...body(name) })
    expect(await rowsWith(texts)).toEqual([])
    await pause(300)
    expect(await storedIn(objectId)).toEqual({ tables: [], keys: [], alarm: null })
    for (const secret of [token, key.secret])
      expect((await refusedTo('createCluster', { token: secret, body: { name: 'x' } })).code).toBe(
        'UNAUTHENTICATED',
      )
    // The account of a person is their own: they log in, and belong to nothing.
    const rows = await env.DB.prepare('select name from persons where email = ?')
      .bind(owner.email)
      .all()
    expect(rows.results).toHaveLength(1)
    expect((await send('listOrganisations', { token: helper.token })).status).toBe(200)
  })

  test('died between D1 and its objects: whoever sweeps next finishes it', async () => {
    const { token, name, cluster } = await acme()
    const objectId = await objectOf(cluster)
    const broken = {
      ...env.CLUSTER,
      idFromString: (text: string) => env.CLUSTER.idFromString(text),
      get: () => ({
        read: () => Promise.resolve({ groups: [] }),
        destroy: () => Promise.reject(new Error('the object is away')),
      }),
    } as unknown as Env['CLUSTER']
    const gone = await done<OrganisationDeleted>('deleteOrganisation', {
      ...{ token, ...body(name), env: { CLUSTER: broken } },
    })
    expect(gone).toMatchObject({ clusters: 1, pending: 1 })
    expect((await storedIn(objectId)).tables).not.toEqual([])
    const waiting = await env.DB.prepare('select * from doomed_objects').all()
    expect(waiting.results).toContainEqual({ object_id: objectId, due_ms: expect.any(Number) })
    await sweepObjects(env)
    await sweepObjects(env)
    await pause(300)
    expect(await storedIn(objectId)).toEqual({ tables: [], keys: [], alarm: null })
    expect((await env.DB.prepare('select * from doomed_objects').all()).results).toEqual([])
  })

  test('an object of a cluster that is listed is never swept', async () => {
    await insertKey()
    const cluster = await TestCluster.form('standard')
    const objectId = await objectOf(cluster)
    await env.DB.prepare('insert into doomed_objects values (?, 0)').bind(objectId).run()
    await sweepObjects(env)
    expect((await ok<{ id: string }>('getCluster', { params: cluster.params })).id).toBe(cluster.id)
    await env.DB.prepare('delete from doomed_objects').run()
  })
})
