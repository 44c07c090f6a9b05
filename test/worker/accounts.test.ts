/** People: signing up, logging in, sessions, forgotten passwords, and who asks with what. */
import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import docs from '../../docs/accounts.md?raw'
import type { OrganisationView, SessionMade, SessionView } from '../../schema/api/accounts.ts'
import { routes } from '../../schema/api/routes.ts'
import { sha256, tokenOfSession } from '../../worker/secrets.ts'
import { insertKey, KEY } from './api.ts'
import { done, founder, mailed, newcomer, PASSWORD, refusedTo, send, tokenIn } from './people.ts'

const logIn = (email: string, password = PASSWORD) =>
  done<SessionMade>('logIn', { body: { email, password } })
const sessions = async (token: string) =>
  (await done<{ sessions: SessionView[] }>('listSessions', { token })).sessions

describe('signing up', () => {
  test('a mail, an account, a session, an organisation, a cluster', async () => {
    const ana = await newcomer()
    expect(ana).toMatchObject({ token: expect.stringMatching(/^hfs_[A-Za-z0-9]{32}$/) })
    expect(await refusedTo('listClusters', { token: ana.token })).toMatchObject({
      ...{ code: 'FORBIDDEN', detail: `${ana.email} belongs to no organisation` },
    })
    const name = `acme-${ana.person.id.slice(0, 8)}`
    await done('createOrganisation', { token: ana.token, body: { name } })
    await done('createCluster', { token: ana.token, body: { name: 'prod' } })
    expect(await done('whoami', { token: ana.token })).toMatchObject({
      ...{ kind: 'person', id: ana.person.id, name: ana.email, role: 'owner' },
      ...{ organisation: { name }, scopes: [{ role: 'admin', cluster: null }] },
    })
    // Who has made it is told by their address.
    const { entries } = await done<{ entries: { who: object; route: string }[] }>('listAudit', {
      token: ana.token,
    })
    const who = { kind: 'person', id: ana.person.id, name: ana.email }
    expect(entries.map((one) => one.who)).toEqual([who, who])
    expect(entries.map((one) => one.route)).toEqual(['createOrganisation', 'createCluster'])
  })

  test('a name of an organisation that is taken', async () => {
    const [ana, ben] = [await founder(), await newcomer('Ben')]
    const body = { name: ana.organisation.name }
    expect(await refusedTo('createOrganisation', { token: ben.token, body })).toMatchObject({
      code: 'NAME_TAKEN',
    })
    expect(await done('listOrganisations', { token: ben.token })).toEqual({ organisations: [] })
  })
})

describe('a session', () => {
  test('is listed, ended by its person, and none from then on', async () => {
    const ana = await newcomer()
    const { token } = await logIn(ana.email)
    const [second, first] = await sessions(token)
    expect([first?.current, second?.current]).toEqual([false, true])
    const session = first?.id ?? ''
    await done('endSession', { token, params: { session } })
    expect(await refusedTo('listSessions', { token: ana.token })).toMatchObject({
      ...{ status: 401, code: 'UNAUTHENTICATED', detail: 'this session is not valid' },
    })
    await done('logOut', { token })
    expect(await refusedTo('listSessions', { token })).toMatchObject({ status: 401 })
  })

  test('works in the organisation that was chosen, and in none where nothing was said', async () => {
    const ana = await founder()
    const { token } = await logIn(ana.email)
    // The only one there is.
    expect(await done('whoami', { token })).toMatchObject({ organisation: ana.organisation })
    const name = `second-${ana.person.id.slice(0, 8)}`
    await done('createOrganisation', { token: ana.token, body: { name } })
    expect(await refusedTo('whoami', { token })).toMatchObject({
      ...{ code: 'FORBIDDEN', detail: 'in which organisation?' },
    })
    expect(await done('whoami', { token: ana.token })).toMatchObject({ organisation: { name } })
    await done('useOrganisation', { token, body: { organisation: ana.organisation.name } })
    expect(await done('whoami', { token })).toMatchObject({ organisation: ana.organisation })
    const { organisations } = await done<{ organisations: OrganisationView[] }>(
      'listOrganisations',
      { token },
    )
    expect(organisations.map((one) => one.current)).toEqual([true, false])
    expect(
      await refusedTo('useOrganisation', { token, body: { organisation: 'suite' } }),
    ).toMatchObject({ code: 'NOT_FOUND' })
  })

  test('is no key, and a key is nobody', async () => {
    await insertKey()
    expect(await refusedTo('listSessions', { token: KEY })).toMatchObject({
      ...{ status: 403, code: 'FORBIDDEN', detail: 'this needs the session of a person' },
    })
  })
})

describe('a password', () => {
  test('is changed by the one before, which ends all other sessions', async () => {
    const ana = await newcomer()
    const { token } = await logIn(ana.email)
    const change = (current: string) => ({
      token,
      body: { current, password: 'another one, longer' },
    })
    expect(await refusedTo('changePassword', change('not the one'))).toMatchObject({ status: 403 })
    await done('changePassword', change(PASSWORD))
    expect(await refusedTo('listSessions', { token: ana.token })).toMatchObject({ status: 401 })
    expect(await sessions(token)).toHaveLength(1)
    expect(
      await refusedTo('logIn', { body: { email: ana.email, password: PASSWORD } }),
    ).toMatchObject({ status: 401 })
    await logIn(ana.email, 'another one, longer')
  })

  test('that was forgotten is replaced by a mail, once, which ends all sessions', async () => {
    const ana = await newcomer()
    const [mail] = await mailed(() => done('forgotPassword', { body: { email: ana.email } }))
    const token = tokenIn(mail)
    expect(mail).toContain(`https://holdfast.test/account#reset=${token}`)
    const body = { token, password: 'a new one, longer' }
    await done('resetPassword', { body })
    expect(await refusedTo('resetPassword', { body })).toMatchObject({ code: 'TOKEN_INVALID' })
    expect(await refusedTo('listSessions', { token: ana.token })).toMatchObject({ status: 401 })
    await logIn(ana.email, 'a new one, longer')
  })

  test('is stored as scrypt with its cost, a session and what is mailed as hashes', async () => {
    const ana = await newcomer()
    const [mail] = await mailed(() => done('forgotPassword', { body: { email: ana.email } }))
    const [invited] = await mailed(() => done('signUp', { body: { email: 'x@example.com' } }))
    const { token } = await logIn(ana.email)
    const tables = ['persons', 'logins', 'sessions', 'verifications', 'invitations', 'attempts']
    const rows = await Promise.all(
      tables.map((table) => env.DB.prepare(`select * from ${table}`).all()),
    )
    const text = JSON.stringify(rows)
    expect(text).toMatch(/scrypt\$16384\$8\$5\$/)
    expect(text).toContain(await sha256(tokenOfSession(token)))
    for (const secret of [
      PASSWORD,
      token,
      tokenOfSession(token),
      tokenIn(mail),
      tokenIn(invited),
    ]) {
      expect(secret.length).toBeGreaterThan(8)
      expect(text).not.toContain(secret.replace(/^hfr_/, ''))
    }
  })
})

test('without AUTH_SECRET there are no accounts, and keys work', async () => {
  await insertKey()
  const none = { AUTH_SECRET: '' }
  const body = { email: 'ana@example.com', password: PASSWORD }
  expect(await refusedTo('logIn', { body, env: none })).toMatchObject({ code: 'UNAVAILABLE' })
  expect((await send('listClusters', { token: KEY, env: none })).status).toBe(200)
})

test('what docs/accounts.md shows of the API is what it answers', async () => {
  const found = /^curl -d '(.+)' "\$HOLDFAST_URL(.+)"\n```\n\n```text\n(.+)$/m.exec(docs)
  const [, body = '', path = '', answer = ''] = found ?? []
  expect(path).toBe(routes.signUp.path)
  await mailed(async () => {
    expect(await done('signUp', { body: JSON.parse(body) })).toEqual(JSON.parse(answer))
  })
})
