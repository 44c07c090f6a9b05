/** Accounts under attack: what is guessed, listed, fixed, forged, oversized, or looked for in logs. */
import { env } from 'cloudflare:workers'
import { describe, expect, test, vi } from 'vitest'
import type { SessionMade } from '../../schema/api/accounts.ts'
import type { Problem } from '../../schema/api/bodies.ts'
import { LIMITS } from '../../schema/limits.ts'
import { hashPassword, isPassword } from '../../worker/accounts/password.ts'
import { sha256 } from '../../worker/secrets.ts'
import { done, founder, mailed, newcomer, PASSWORD, refusedTo, send, tokenIn } from './people.ts'

const nobody = () => `nobody-${crypto.randomUUID().slice(0, 8)}@example.com`
const of = ({ request: _, ...rest }: Problem) => rest

/** As if it had been tried so often before. */
async function tried(times: number, ...buckets: string[]): Promise<void> {
  for (const bucket of buckets)
    await env.DB.prepare(
      'insert into attempts values (?, ?, ?) on conflict do update set count = excluded.count',
    )
      .bind(await sha256(bucket), times, Date.now() + 60_000)
      .run()
}
const FROM = (last: number) => ({ 'cf-connecting-ip': `192.0.2.${last}` })

describe('who has an account is not told', () => {
  test('by a login: the same answer, and a password is hashed for both', async () => {
    const ana = await newcomer()
    const wrong = { password: 'not the password' }
    const known = await refusedTo('logIn', { body: { email: ana.email, ...wrong } })
    const unknown = await refusedTo('logIn', { body: { email: nobody(), ...wrong } })
    expect(known).toMatchObject({ status: 401, detail: 'address or password is wrong' })
    expect(of(unknown)).toEqual(of(known))
  })

  test('by a sign-up: the same answer; what differs is in the mail', async () => {
    const ana = await newcomer()
    const texts: string[] = []
    for (const email of [ana.email, nobody()])
      texts.push(
        ...(await mailed(async () => {
          expect(await done('signUp', { body: { email } })).toEqual({ sent: true })
        })),
      )
    expect(texts[0]).toContain('There is an account for it already')
    expect(tokenIn(texts[0])).toBe('')
    expect(tokenIn(texts[1])).toMatch(/^hfi_/)
  })

  test('by a forgotten password: the same answer, and a mail to who has one alone', async () => {
    const ana = await newcomer()
    const mails = await mailed(async () => {
      for (const email of [ana.email, nobody()])
        expect(await done('forgotPassword', { body: { email } })).toEqual({ sent: true })
    })
    expect(mails).toHaveLength(1)
  })

  test('addresses are the same in any case of letters', async () => {
    const ana = await newcomer()
    const body = { email: ana.email.toUpperCase(), password: PASSWORD }
    expect(await done<SessionMade>('logIn', { body })).toMatchObject({ person: ana.person })
  })
})

describe('what can be guessed may be tried a few times', () => {
  test('a password: from one address at one account; others log in', async () => {
    const ana = await newcomer()
    const attempt = (password: string, last: number) =>
      send('logIn', { body: { email: ana.email, password }, headers: FROM(last) })
    expect((await attempt('the first guess', 1)).status).toBe(401)
    await tried(LIMITS.attemptsOfAddressAtAccount - 1, `at ${ana.email} from 192.0.2.1`)
    expect((await attempt('the last guess', 1)).status).toBe(401)
    expect((await attempt('one too many', 1)).status).toBe(429)
    // The right one is no way out, nor does it tell.
    const response = await attempt(PASSWORD, 1)
    expect(await response.json()).toMatchObject({ code: 'RATE_LIMITED', status: 429 })
    expect((await attempt(PASSWORD, 2)).status).toBe(200)
  })

  test('as often where there is no such account', async () => {
    const body = { email: nobody(), password: 'not the password' }
    await tried(LIMITS.attemptsOfAddressAtAccount - 1, `at ${body.email} from 192.0.2.3`)
    expect((await send('logIn', { body, headers: FROM(3) })).status).toBe(401)
    expect((await send('logIn', { body, headers: FROM(3) })).status).toBe(429)
  })

  test('a password of one account from everywhere together', async () => {
    const body = { email: nobody(), password: 'not the password' }
    await tried(LIMITS.attemptsAtAccount, `at ${body.email}`)
    expect((await send('logIn', { body, headers: FROM(9) })).status).toBe(429)
  })

  test('where nobody vouches for addresses, all callers count as one', async () => {
    const body = { email: nobody(), password: 'not the password' }
    const elsewhere = { ADDRESS_HEADER: '' }
    await tried(LIMITS.attemptsOfAll, 'anywhere')
    const asked = { body, headers: FROM(10), env: elsewhere }
    expect((await send('logIn', asked)).status).toBe(429)
    await env.DB.prepare('update attempts set resets_at_ms = 1').run()
  })

  test('after a while it may be tried again', async () => {
    await env.DB.prepare('update attempts set resets_at_ms = 1').run()
    const body = { email: nobody(), password: 'not the password' }
    expect((await send('logIn', { body, headers: FROM(1) })).status).toBe(401)
    const { results } = await env.DB.prepare('select * from attempts where resets_at_ms = 1').all()
    expect(results).toEqual([])
  })

  test('tokens, of whichever kind', async () => {
    const body = { token: 'hfi_guessed-guessed-guessed', name: 'Eve', password: PASSWORD }
    const attempt = async () => (await send('register', { body, headers: FROM(4) })).status
    await tried(LIMITS.attemptsOfAddress - 1, 'from 192.0.2.4')
    expect([await attempt(), await attempt()]).toEqual([403, 429])
    const reset = { token: 'hfr_guessedguessedguessed', password: PASSWORD }
    expect(await refusedTo('resetPassword', { body: reset, headers: FROM(4) })).toMatchObject({
      code: 'RATE_LIMITED',
    })
  })

  test('mails to one address', async () => {
    const email = nobody()
    const statuses: number[] = []
    await mailed(async () => {
      for (let i = 0; i <= LIMITS.mailsPerHour; i++)
        statuses.push((await send('signUp', { body: { email }, headers: FROM(5 + i) })).status)
    })
    expect(statuses.at(-2)).toBe(200)
    expect(statuses.at(-1)).toBe(429)
  })
})

describe('sessions', () => {
  test('fixation: nobody chooses the token of another, and a login makes a new one', async () => {
    const ana = await newcomer()
    const body = { email: ana.email, password: PASSWORD }
    const chosen = `hfs_${'a'.repeat(32)}`
    const headers = { cookie: `better-auth.session_token=${'a'.repeat(32)}` }
    const made = await done<SessionMade>('logIn', { body, token: chosen, headers })
    expect(made.token).not.toBe(chosen)
    expect(await refusedTo('listSessions', { token: chosen })).toMatchObject({ status: 401 })
  })

  test('no cookie is set, and none is a session: a page of somebody else can do nothing', async () => {
    const ana = await newcomer()
    const body = { email: ana.email, password: PASSWORD }
    const response = await send('logIn', { body })
    expect(response.headers.get('set-cookie')).toBe(null)
    const token = (await response.json<SessionMade>()).token
    for (const name of ['better-auth.session_token', '__Secure-better-auth.session_token']) {
      const headers = { cookie: `${name}=${token.slice(4)}`, origin: 'https://evil.example' }
      expect(await refusedTo('logOut', { headers })).toMatchObject({ status: 401 })
    }
    expect((await send('listSessions', { token })).status).toBe(200)
  })

  test('expired, unused for long, and of somebody who is no member any more', async () => {
    const ana = await founder()
    const set = (what: string) =>
      env.DB.prepare(`update sessions set ${what} where person_id = ?`).bind(ana.person.id).run()
    await set('expires_at_ms = 5')
    expect(await refusedTo('whoami', { token: ana.token })).toMatchObject({
      ...{ status: 401, detail: 'this session is over' },
      why: 'It expired at 1970-01-01T00:00:00.005Z.',
    })
    await set(`expires_at_ms = ${Date.now() + 60_000}, last_used_at_ms = 7`)
    expect(await refusedTo('whoami', { token: ana.token })).toMatchObject({ status: 401 })
    await set(`last_used_at_ms = ${Date.now()}`)
    await done('whoami', { token: ana.token })
    await env.DB.prepare('delete from members where person_id = ?').bind(ana.person.id).run()
    expect(await refusedTo('whoami', { token: ana.token })).toMatchObject({ status: 403 })
  })

  test('those of others are not ended: the same answer as for one that there is not', async () => {
    const [ana, eve] = [await newcomer(), await newcomer('Eve')]
    const [{ id } = { id: '' }] = (
      await done<{ sessions: { id: string }[] }>('listSessions', { token: ana.token })
    ).sessions
    const answers = await Promise.all(
      [id, crypto.randomUUID()].map(async (session) => {
        const problem = await refusedTo('endSession', { token: eve.token, params: { session } })
        return JSON.stringify(of(problem)).replaceAll(session, 'X')
      }),
    )
    expect(answers[0]).toBe(answers[1])
    await done('listSessions', { token: ana.token })
  })

  test('what looks like one, or like a token of another kind, is none', async () => {
    const none = `eyJhbGciOiJub25lIn0.${btoa('{"sub":"owner"}')}.`
    for (const token of [none, `hfs_${'ä'.repeat(4)}`, 'hfs_short', `hfs_${'a'.repeat(33)}`])
      expect(
        (await send('listSessions', { headers: { authorization: `Bearer ${encodeURI(token)}` } }))
          .status,
      ).toBe(401)
  })

  test('of one person a bounded number', async () => {
    const ana = await newcomer()
    const rows = Array.from({ length: LIMITS.sessionsMax + 5 }, (_, i) =>
      env.DB.prepare(
        'insert into sessions (id, person_id, token_hash, expires_at_ms, created_at_ms, updated_at_ms) values (?, ?, ?, ?, ?, 0)',
      ).bind(`many-${ana.email}-${i}`, ana.person.id, `${ana.email}-${i}`, Date.now() + 60_000, i),
    )
    await env.DB.batch(rows)
    await done('logIn', { body: { email: ana.email, password: PASSWORD } })
    const { sessions } = await done<{ sessions: object[] }>('listSessions', { token: ana.token })
    expect(sessions.length).toBeLessThanOrEqual(LIMITS.sessionsMax)
  })
})

describe('what comes from outside', () => {
  test('unicode tricks in names and addresses', async () => {
    const register = (name: string) =>
      refusedTo('register', { body: { token: 'hfi_not-looked-at', name, password: PASSWORD } })
    for (const name of [
      'a\u202Eb',
      'a\u200Bb',
      'a\nb',
      '\u0007',
      ' ',
      'a\u2028b',
      '',
      'x'.repeat(65),
    ])
      expect(await register(name), JSON.stringify(name)).toMatchObject({ code: 'BAD_REQUEST' })
    // Cyrillic letters that look like Latin ones, in what people are known by.
    for (const email of ['аna@example.com', 'ana@exаmple.com', 'ana@example.com\n', 'a b@x.de'])
      expect(await refusedTo('signUp', { body: { email } })).toMatchObject({ code: 'BAD_REQUEST' })
    for (const name of ['аcme', 'acme\u200B', 'ac me'])
      expect(
        await refusedTo('createOrganisation', {
          ...{ token: (await newcomer()).token, body: { name } },
        }),
      ).toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('oversize, and what is no JSON', async () => {
    const body = { email: 'ana@example.com', password: 'x'.repeat(LIMITS.passwordLengthMax + 1) }
    expect(await refusedTo('logIn', { body })).toMatchObject({ code: 'BAD_REQUEST' })
    const huge = 'x'.repeat(LIMITS.bodyBytesMax + 1)
    expect(await refusedTo('logIn', { body: huge })).toMatchObject({ code: 'TOO_LARGE' })
    expect(await refusedTo('logIn', { body: 'email=ana' })).toMatchObject({ code: 'BAD_REQUEST' })
    const nested = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
    expect(await refusedTo('logIn', { body: nested })).toMatchObject({ code: 'BAD_REQUEST' })
    const more = { email: 'ana@example.com', password: PASSWORD, rememberMe: true }
    expect(await refusedTo('logIn', { body: more })).toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('a link in a mail leads to where the operator says, whatever a caller calls it', async () => {
    const email = nobody()
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example' }
    const [mail] = await mailed(() => done('signUp', { body: { email }, headers }))
    expect(mail).toContain('https://holdfast.test/account#register=')
    expect(mail).not.toContain('evil')
    // Nobody has said so.
    const unset = { PUBLIC_URL: '' }
    expect(await refusedTo('signUp', { body: { email }, env: unset })).toMatchObject({
      ...{ code: 'UNAVAILABLE', detail: 'this control plane does not know its own address' },
    })
  })
})

describe('passwords', () => {
  test('are hashed with a salt of their own; the same characters are the same password', async () => {
    const [one, two] = [
      await hashPassword('p\u00e4ssword 1'),
      await hashPassword('p\u00e4ssword 1'),
    ]
    expect(one).not.toBe(two)
    expect(await isPassword(one, 'pa\u0308ssword 1')).toBe(true)
    expect(await isPassword(one, 'password 1')).toBe(false)
    for (const damaged of ['', 'plain', one.slice(0, -1), one.replace('scrypt', 'none')])
      expect(await isPassword(damaged, 'p\u00e4ssword 1')).toBe(false)
  })
})

test('nothing secret is logged or answered, whatever goes wrong', async () => {
  const said: unknown[] = []
  const spies = (['log', 'info', 'debug', 'error'] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation((...all) => void said.push(...all)),
  )
  const answers: string[] = []
  const ask = async (...all: Parameters<typeof send>) =>
    void answers.push(await (await send(...all)).text())
  const ana = await founder()
  const secret = 'a secret that nobody may see'
  const [mail] = await mailed(() => ask('forgotPassword', { body: { email: ana.email } }))
  await ask('logIn', { body: { email: ana.email, password: secret } })
  await ask('logIn', { body: { email: nobody(), password: secret } })
  await ask('resetPassword', { body: { token: `${tokenIn(mail)}x`, password: secret } })
  await ask('changePassword', { token: ana.token, body: { current: secret, password: secret } })
  await ask('register', {
    body: { token: 'hfi_secret-of-somebody', name: 'Eve', password: secret },
  })
  // A mail that is not taken.
  await ask('signUp', { body: { email: nobody() }, env: { MAIL: 'http://127.0.0.1:1/' } })
  // The database is away.
  await env.DB.prepare('alter table logins rename to logins_away').run()
  await ask('logIn', { body: { email: ana.email, password: secret } })
  await env.DB.prepare('alter table logins_away rename to logins').run()
  for (const spy of spies) spy.mockRestore()
  const text = `${said.join('\n')}\n${answers.join('\n')}`
  expect(said.join('\n')).toContain('a mail was not sent')
  for (const one of [secret, tokenIn(mail), ana.token, 'hfi_secret-of-somebody', '$8$5$'])
    expect(text).not.toContain(one)
  expect(said.join('\n')).not.toContain('@example.com')
})
