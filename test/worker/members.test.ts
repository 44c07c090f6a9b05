/** Members of an organisation: invited, changed, removed, and what each may do. */
import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import type { MemberRole } from '../../schema/api/access.ts'
import type { AuditPage } from '../../schema/api/audit.ts'
import type { InvitationView, Invited, MemberView } from '../../schema/api/members.ts'
import { LIMITS } from '../../schema/limits.ts'
import { sha256 } from '../../worker/secrets.ts'
import { done, founder, mailed, newcomer, PASSWORD, refusedTo, send, tokenIn } from './people.ts'

type Founder = Awaited<ReturnType<typeof founder>>
type Person = Awaited<ReturnType<typeof newcomer>>

let ana: Founder
let cluster: { id: string; name: string }
beforeAll(async () => {
  ana = await founder()
  const body = { name: 'prod' }
  cluster = await done('createCluster', { token: ana.token, body })
})

const members = async (token: string) =>
  (await done<{ members: MemberView[] }>('listMembers', { token })).members
const invitations = async (token: string) =>
  (await done<{ invitations: InvitationView[] }>('listInvitations', { token })).invitations

async function invite(email: string, standing: object, token = ana.token): Promise<string> {
  const body = { role: null, ...standing, email }
  const [mail] = await mailed(() => done<Invited>('inviteMember', { token, body }))
  return tokenIn(mail)
}

async function joining(standing: object): Promise<Person> {
  const person = await newcomer('Ben')
  const token = await invite(person.email, standing)
  await done('acceptInvitation', { token: person.token, body: { token } })
  return person
}

describe('an invitation', () => {
  test('makes a person and a member at once, of who has no account yet', async () => {
    const email = `eva-${crypto.randomUUID().slice(0, 8)}@example.com`
    const grants = [{ role: 'operator', cluster: 'prod' }]
    const token = await invite(email, { role: 'viewer', grants })
    expect(await invitations(ana.token)).toContainEqual(
      expect.objectContaining({ email, role: 'viewer', createdBy: ana.email }),
    )
    const body = { token, name: 'Eva', password: PASSWORD }
    const eva = await done<{ token: string }>('register', { body })
    const prod = { id: cluster.id, name: 'prod' }
    expect(await done('whoami', { token: eva.token })).toMatchObject({
      ...{ name: email, role: 'viewer', organisation: ana.organisation },
      scopes: [
        { role: 'read', cluster: null },
        { role: 'operate', cluster: prod },
      ],
    })
    expect((await invitations(ana.token)).map((one) => one.email)).not.toContain(email)
    expect(await members(eva.token)).toContainEqual(
      expect.objectContaining({ email, name: 'Eva', invitedBy: ana.email }),
    )
    // Who was invited by whom, and has accepted, is in the audit log; the token is not.
    const { entries } = await done<AuditPage>('listAudit', { token: ana.token })
    const of = entries.filter((one) => JSON.stringify(one).includes(email))
    expect(of.map((one) => [one.who.name, one.action])).toEqual([
      [ana.email, 'inviteMember'],
      [email, 'joinOrganisation'],
    ])
    for (const secret of [token, await sha256(token)])
      expect(JSON.stringify(entries)).not.toContain(secret)
  })

  test('is good once, also for two at the same time', async () => {
    const email = `two-${crypto.randomUUID().slice(0, 8)}@example.com`
    const token = await invite(email, { role: 'viewer' })
    const body = { token, name: 'Two', password: PASSWORD }
    const seen = await Promise.all([1, 2, 3].map(() => send('register', { body })))
    expect(seen.map((one) => one.status).sort()).toEqual([200, 403, 403])
    expect(await refusedTo('register', { body })).toMatchObject({ code: 'TOKEN_INVALID' })
  })

  test('of another address, expired, taken back, replaced: all are answered alike', async () => {
    const [ben, eve] = [await newcomer('Ben'), await newcomer('Eve')]
    const accept = async (token: string, person = eve) => {
      const problem = await refusedTo('acceptInvitation', { token: person.token, body: { token } })
      return { ...problem, request: '' }
    }
    const unknown = await accept('hfi_nobody-has-made-this-one')
    expect(unknown).toMatchObject({ status: 403, code: 'TOKEN_INVALID' })
    const first = await invite(ben.email, { role: 'admin' })
    expect(await accept(first)).toEqual(unknown)
    const second = await invite(ben.email, { role: 'viewer' })
    expect(await accept(first, ben)).toEqual(unknown)
    const params = { invitation: ben.email }
    await done('revokeInvitation', { token: ana.token, params })
    expect(await accept(second, ben)).toEqual(unknown)
    const third = await invite(ben.email, { role: 'viewer' })
    await env.DB.prepare('update invitations set expires_at_ms = 5 where email = ?')
      .bind(ben.email)
      .run()
    expect(await accept(third, ben)).toEqual(unknown)
    expect((await members(ana.token)).map((one) => one.email)).not.toContain(ben.email)
  })

  test('of who has an account is accepted by their session, and makes no second account', async () => {
    const ben = await newcomer('Ben')
    const token = await invite(ben.email, { role: 'operator' })
    const body = { token, name: 'Not Ben', password: 'a password of somebody else' }
    expect(await refusedTo('register', { body })).toMatchObject({ code: 'ACCOUNT_EXISTS' })
    await done('acceptInvitation', { token: ben.token, body: { token } })
    expect(await done('whoami', { token: ben.token })).toMatchObject({ role: 'operator' })
    const again = { role: 'viewer', email: ben.email }
    expect(await refusedTo('inviteMember', { token: ana.token, body: again })).toMatchObject({
      ...{ status: 409, code: 'ALREADY_MEMBER' },
    })
  })

  test('of a person who signs up by themselves is of no organisation', async () => {
    const email = `own-${crypto.randomUUID().slice(0, 8)}@example.com`
    const [mail] = await mailed(() => done('signUp', { body: { email } }))
    const token = tokenIn(mail)
    const ben = await newcomer('Ben')
    expect(
      await refusedTo('acceptInvitation', { token: ben.token, body: { token } }),
    ).toMatchObject({ code: 'TOKEN_INVALID' })
  })

  test('where no mail is sent, its token is shown to who invites, and only then', async () => {
    const body = { email: 'shown@example.com', role: 'viewer' }
    const asked = { token: ana.token, body }
    const made = await done<Invited>('inviteMember', { ...asked, env: { MAIL: '' } })
    expect(made).toMatchObject({ mailed: false, token: expect.stringMatching(/^hfi_/) })
    await mailed(async () => {
      expect(await done('inviteMember', asked)).toMatchObject({ mailed: true, token: null })
    })
  })

  test('sign-up invited: by an invitation alone; closed: not at all', async () => {
    const email = `inv-${crypto.randomUUID().slice(0, 8)}@example.com`
    const invited = { SIGN_UP: 'invited' }
    const closed = { SIGN_UP: 'closed' }
    for (const env of [invited, closed, { SIGN_UP: '' }]) {
      expect(await refusedTo('signUp', { body: { email }, env })).toMatchObject({
        ...{ status: 403, code: 'SIGN_UP_CLOSED' },
      })
      const body = { name: 'mine' }
      expect(await refusedTo('createOrganisation', { token: ana.token, body, env })).toMatchObject({
        code: 'SIGN_UP_CLOSED',
      })
    }
    const token = await invite(email, { role: 'viewer' })
    const body = { token, name: 'Inv', password: PASSWORD }
    expect(await refusedTo('register', { body, env: closed })).toMatchObject({
      code: 'SIGN_UP_CLOSED',
    })
    await done('register', { body, env: invited })
  })
})

test('one person belongs to a bounded number of organisations', async () => {
  const ben = await newcomer('Ben')
  const rows = Array.from({ length: LIMITS.organisationsOfPersonMax }, (_, i) => {
    const id = `many-${ben.person.id}-${i}`
    return [
      env.DB.prepare('insert into organisations (id, name, created_at_ms) values (?, ?, 0)').bind(
        id,
        id,
      ),
      env.DB.prepare("insert into members values (?, ?, 'viewer', '[]', 0, 'suite')").bind(
        id,
        ben.person.id,
      ),
    ]
  })
  await env.DB.batch(rows.flat())
  const token = await invite(ben.email, { role: 'viewer' })
  for (const [name, body] of [
    ['acceptInvitation', { token }],
    ['createOrganisation', { name: 'one-more' }],
  ] as const)
    expect(await refusedTo(name, { token: ben.token, body })).toMatchObject({
      code: 'LIMIT_REACHED',
    })
})

describe('what a member may do', () => {
  const createGroup = (token: string) =>
    send('createGroup', { token, params: { cluster: 'prod' }, body: { name: crypto.randomUUID() } })

  test.each<[MemberRole, number, number, number]>([
    ['viewer', 403, 403, 403],
    ['operator', 200, 403, 403],
    ['admin', 200, 200, 200],
    ['owner', 200, 200, 200],
  ])('%s: operate %i, configure %i, invite %i', async (role, operate, configure, invites) => {
    const { token } = await joining({ role })
    const params = { cluster: 'prod' }
    expect((await send('getCluster', { token, params })).status).toBe(200)
    const maintenance = { reason: 'disks', forMs: 60_000, cluster: true }
    const began = await send('startMaintenance', { token, params, body: maintenance })
    expect(began.status === 403 ? 403 : 200).toBe(operate)
    expect((await createGroup(token)).status).toBe(configure)
    const body = { email: `${role}-${crypto.randomUUID()}@example.com`, role: 'viewer' }
    await mailed(async () => {
      expect((await send('inviteMember', { token, body })).status).toBe(invites)
    })
  })

  test('a grant is for its cluster alone', async () => {
    await done('createCluster', { token: ana.token, body: { name: 'other' } })
    const { token } = await joining({ grants: [{ role: 'admin', cluster: 'prod' }] })
    const { clusters } = await done<{ clusters: { name: string }[] }>('listClusters', { token })
    expect(clusters.map((one) => one.name)).toEqual(['prod'])
    expect((await createGroup(token)).status).toBe(200)
    expect((await send('getCluster', { token, params: { cluster: 'other' } })).status).toBe(404)
    expect((await send('listMembers', { token })).status).toBe(403)
  })

  test('changes at once', async () => {
    const ben = await joining({ role: 'viewer' })
    expect((await createGroup(ben.token)).status).toBe(403)
    const params = { member: ben.email }
    await done('changeMember', { token: ana.token, params, body: { role: 'admin' } })
    expect((await createGroup(ben.token)).status).toBe(200)
    await done('removeMember', { token: ana.token, params })
    expect(
      await refusedTo('getCluster', { token: ben.token, params: { cluster: 'prod' } }),
    ).toMatchObject({
      ...{ status: 403, detail: `${ben.email} belongs to no organisation` },
    })
  })
})

describe('owners', () => {
  test('only owners make and unmake owners: no admin, and no key', async () => {
    const admin = await joining({ role: 'admin' })
    const { key } = await done<{ key: string }>('createKey', {
      token: ana.token,
      body: { name: `k-${crypto.randomUUID().slice(0, 8)}`, scopes: [{ role: 'admin' }] },
    })
    for (const token of [admin.token, key]) {
      const params = { member: ana.email }
      const role = { role: 'owner' }
      const refusals = await Promise.all([
        refusedTo('changeMember', { token, params: { member: admin.email }, body: role }),
        refusedTo('changeMember', { token, params, body: { role: 'viewer' } }),
        refusedTo('removeMember', { token, params }),
        refusedTo('inviteMember', { token, body: { ...role, email: 'owner@example.org' } }),
      ])
      for (const one of refusals)
        expect(one).toMatchObject({ detail: 'this needs an owner of the organisation' })
    }
  })

  test('the last one stays', async () => {
    const cleo = await founder('Cleo')
    const params = { member: cleo.email }
    const asked = { token: cleo.token, params }
    for (const one of [
      await refusedTo('removeMember', asked),
      await refusedTo('changeMember', { ...asked, body: { role: 'admin' } }),
    ])
      expect(one).toMatchObject({ status: 409, code: 'LAST_OWNER' })
    expect(await members(cleo.token)).toMatchObject([{ email: cleo.email, role: 'owner' }])
  })

  test('two that remove each other at the same time: one stays', async () => {
    const cleo = await founder('Cleo')
    const dora = await newcomer('Dora')
    const token = await invite(dora.email, { role: 'owner' }, cleo.token)
    await done('acceptInvitation', { token: dora.token, body: { token } })
    const seen = await Promise.all([
      send('removeMember', { token: cleo.token, params: { member: dora.email } }),
      send('removeMember', { token: dora.token, params: { member: cleo.email } }),
    ])
    expect(seen.map((one) => one.status).sort()).toContain(200)
    const { results } = await env.DB.prepare(
      "select * from members where organisation_id = ? and role = 'owner'",
    )
      .bind(cleo.organisation.id)
      .all()
    expect(results).toHaveLength(1)
  })
})
