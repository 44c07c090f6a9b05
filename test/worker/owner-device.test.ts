/** The first owner by their link, commands that are let in, and the page that links lead to. */
import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import { newOwnerToken } from '../../demo/accounts.ts'
import type { SessionMade } from '../../schema/api/accounts.ts'
import { sha256 } from '../../worker/secrets.ts'
import { fetchApi, problemOf } from './api.ts'
import { done, newcomer, PASSWORD, refusedTo, send } from './people.ts'

const address = () => `owner-${crypto.randomUUID().slice(0, 8)}@example.com`
const claim = (token: string, email: string) => ({ token, email, name: 'Olga', password: PASSWORD })

describe('the owner link', () => {
  test('makes the first owner of "default", once, also for two at the same time', async () => {
    const OWNER_TOKEN = newOwnerToken(Date.now())
    const settings = { OWNER_TOKEN, SIGN_UP: 'closed', MAIL: '', PUBLIC_URL: '' }
    const email = address()
    const seen = await Promise.all(
      [email, address(), address()].map((one) =>
        send('register', { body: claim(OWNER_TOKEN, one), env: settings }),
      ),
    )
    expect(seen.map((one) => one.status).sort()).toEqual([200, 403, 403])
    const won = seen.find((one) => one.status === 200) as Response
    const { token, person } = await won.json<SessionMade>()
    expect(await done('whoami', { token })).toMatchObject({
      ...{ role: 'owner', name: person.email, organisation: { name: 'default' } },
    })
    const again = { body: claim(OWNER_TOKEN, address()), env: settings }
    expect(await refusedTo('register', again)).toMatchObject({ code: 'TOKEN_INVALID' })
    const rows = JSON.stringify((await env.DB.prepare('select * from invitations').all()).results)
    expect(rows).toContain(await sha256(OWNER_TOKEN))
    expect(rows).not.toContain(OWNER_TOKEN)
    // A later one is for who has lost their way in; who has an account keeps it.
    const later = newOwnerToken(Date.now())
    const ben = await newcomer('Ben')
    const body = { token: later }
    await done('acceptInvitation', { token: ben.token, body, env: { OWNER_TOKEN: later } })
    expect(await done('whoami', { token: ben.token })).toMatchObject({ role: 'owner' })
  })

  test('ends when it says, cannot be given another end, and names no address by itself', async () => {
    const OWNER_TOKEN = newOwnerToken(Date.now() - 25 * 3_600_000)
    const [, , secret] = OWNER_TOKEN.split('_')
    const later = `hfo_${Math.floor(Date.now() / 1_000 + 3_600).toString(36)}_${secret}`
    for (const token of [OWNER_TOKEN, later, newOwnerToken(Date.now())]) {
      const asked = { body: claim(token, address()), env: { OWNER_TOKEN } }
      expect(await refusedTo('register', asked)).toMatchObject({ code: 'TOKEN_INVALID' })
    }
    const valid = newOwnerToken(Date.now())
    const { email: _, ...body } = claim(valid, '')
    expect(await refusedTo('register', { body, env: { OWNER_TOKEN: valid } })).toMatchObject({
      ...{ code: 'BAD_REQUEST', detail: 'an address is missing' },
    })
    expect(await refusedTo('register', { body: claim(valid, address()) })).toMatchObject({
      code: 'TOKEN_INVALID',
    })
  })
})

const CLIENT = 'holdfast-cli'
const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
interface Code {
  device_code: string
  user_code: string
  verification_uri: string
  interval: number
}

async function post(what: 'code' | 'token', form: Record<string, string> | string) {
  const body = typeof form === 'string' ? form : new URLSearchParams(form)
  const headers = { authorization: '', 'cf-connecting-ip': '192.0.2.200' }
  const response = await fetchApi(`/v1/auth/device/${what}`, { method: 'POST', headers, body })
  return {
    status: response.status,
    answer: await response.json<Record<string, string>>(),
    response,
  }
}
const ask = async () => (await post('code', { client_id: CLIENT })).answer as unknown as Code
const poll = async (code: Code, client = CLIENT) => {
  // As if the time between two polls had passed.
  await env.DB.prepare('update device_codes set last_polled_at_ms = null').run()
  return post('token', { grant_type: GRANT, device_code: code.device_code, client_id: client })
}
const decide = (code: Code, approve: boolean, token: string) => ({
  ...{ token, body: { code: code.user_code, approve } },
})

describe('letting a command in (RFC 8628)', () => {
  test('pending, then let in by a person, and a session once', async () => {
    const ana = await newcomer()
    const code = await ask()
    expect(code).toMatchObject({
      ...{ user_code: expect.stringMatching(/^[A-HJ-NP-Z2-9]{8}$/), interval: 5, expires_in: 900 },
      verification_uri: `https://holdfast.test/account#device=${code.user_code}`,
    })
    expect(await poll(code)).toMatchObject({
      status: 400,
      answer: { error: 'authorization_pending' },
    })
    const form = { grant_type: GRANT, device_code: code.device_code, client_id: CLIENT }
    expect((await post('token', form)).answer).toEqual({ error: 'slow_down' })
    expect(await done('decideDevice', decide(code, true, ana.token))).toEqual({ approved: true })
    const { status, answer, response } = await poll(code)
    expect([status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(answer).toMatchObject({ token_type: 'Bearer' })
    const token = answer['access_token'] ?? ''
    expect(await done('listSessions', { token })).toMatchObject({
      sessions: [{ current: true }, {}],
    })
    expect((await poll(code)).answer).toEqual({ error: 'invalid_grant' })
  })

  test('refused, expired, and of another client', async () => {
    const ana = await newcomer()
    const refusedOne = await ask()
    await done('decideDevice', decide(refusedOne, false, ana.token))
    expect((await poll(refusedOne)).answer).toEqual({ error: 'access_denied' })
    const foreign = await ask()
    expect((await poll(foreign, 'another')).answer).toEqual({ error: 'invalid_client' })
    const old = await ask()
    await env.DB.prepare('update device_codes set expires_at_ms = 5 where user_code = ?')
      .bind(old.user_code)
      .run()
    expect(await refusedTo('decideDevice', decide(old, true, ana.token))).toMatchObject({
      code: 'TOKEN_INVALID',
    })
    expect((await poll(old)).answer).toEqual({ error: 'expired_token' })
  })

  test('by the one who has looked at it first, and decided once', async () => {
    const [ana, eve] = [await newcomer(), await newcomer('Eve')]
    const code = await ask()
    await done('decideDevice', decide(code, true, ana.token))
    for (const token of [eve.token, ana.token])
      expect(await refusedTo('decideDevice', decide(code, false, token))).toMatchObject({
        code: 'TOKEN_INVALID',
      })
    const { answer } = await poll(code)
    expect(await done('listSessions', { token: answer['access_token'] ?? '' })).toBeTruthy()
  })

  test('what does not fit is refused in the words of OAuth, and the code is stored as a hash', async () => {
    for (const form of ['', 'client_id=a&client_id=b', 'client_id=holdfast-cli&user_id=x', '{'])
      expect((await post('code', form)).answer).toEqual({ error: 'invalid_request' })
    expect((await post('code', { client_id: 'evil' })).answer).toEqual({ error: 'invalid_client' })
    for (const device_code of ['x', 'a'.repeat(40)])
      expect(
        (await post('token', { grant_type: GRANT, device_code, client_id: CLIENT })).status,
      ).toBe(400)
    const code = await ask()
    const rows = JSON.stringify((await env.DB.prepare('select * from device_codes').all()).results)
    expect(rows).toContain(await sha256(code.device_code))
    expect(rows).not.toContain(code.device_code)
  })

  test('is not to be had in numbers', async () => {
    await env.DB.prepare('update attempts set count = 1000').run()
    await env.DB.prepare('insert or replace into attempts values (?, 1000, ?)')
      .bind(await sha256('from 192.0.2.200'), Date.now() + 60_000)
      .run()
    const headers = { 'cf-connecting-ip': '192.0.2.200' }
    const asked = { method: 'POST', headers, body: new URLSearchParams({ client_id: CLIENT }) }
    expect(await problemOf(await fetchApi('/v1/auth/device/code', asked))).toMatchObject({
      code: 'RATE_LIMITED',
    })
    await env.DB.prepare('delete from attempts').run()
  })
})

test('the page: nothing of it comes from elsewhere, nobody frames it, and nothing else runs in it', async () => {
  const response = await fetchApi('/account')
  const text = await response.text()
  const policy = response.headers.get('content-security-policy') ?? ''
  expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-\S+'; style-src 'sha256-\S+';/)
  expect(policy).toContain("frame-ancestors 'none'")
  for (const [tag, source] of [
    ['script', 'script-src'],
    ['style', 'style-src'],
  ] as const) {
    const inside = new RegExp(`<${tag}>([\\s\\S]*)</${tag}>`).exec(text)?.[1] ?? ''
    const hash = Buffer.from(await sha256(inside), 'hex').toString('base64')
    expect(policy).toContain(`${source} 'sha256-${hash}'`)
  }
  expect(text).not.toMatch(/https?:|src=|innerHTML|document\.cookie|localStorage/)
  expect(response.headers.get('set-cookie')).toBe(null)
  expect(response.headers.get('referrer-policy')).toBe('no-referrer')
})
