/**
 * Logins by another provider (issue 7.1). The provider here is played by the test, which has it lie in every way; a
 * real one is in test/e2e/oidc.test.ts.
 */
import { env } from 'cloudflare:workers'
import { base64url, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { SessionMade } from '../../schema/api/accounts.ts'
import { done, founder, newcomer, PASSWORD, refusedTo } from './people.ts'

const SETTINGS = {
  OIDC_CLIENT_ID: 'holdfast',
  OIDC_CLIENT_SECRET: 'a secret: with colon',
  OIDC_NAME: 'Keys',
}
const CALLBACK = 'https://holdfast.test/account'

type Claims = Record<string, unknown>
interface Lies {
  /** Claims that differ from what they should be; undefined: left out. */
  claims?: Claims
  header?: Claims
  /** In place of the token endpoint's answer. */
  answer?: () => Response
  discovery?: Claims
  /** What the provider answers to who asks with the access token. */
  me?: Claims
  signedBy?: CryptoKey | Uint8Array
  token?: (honest: string) => string
}

let keys: CryptoKeyPair
let foreign: CryptoKeyPair
beforeAll(async () => {
  keys = await generateKeyPair('RS256', { extractable: true })
  foreign = await generateKeyPair('RS256', { extractable: true })
})
afterEach(() => void vi.unstubAllGlobals())

let providers = 0

/** One of its own for each test: what is known of a provider is kept for an hour. */
function provider(lies: Lies = {}) {
  providers += 1
  const issuer = `https://keys-${providers}.example`
  const settings = { ...SETTINGS, OIDC_ISSUER: issuer }
  const subject = `sub-${crypto.randomUUID()}`
  const email = `${subject}@example.com`
  const asked: Request[] = []
  let begun = new URL(issuer)
  const idToken = async () => {
    const nowS = Math.floor(Date.now() / 1_000)
    const honest = {
      ...{ iss: issuer, aud: 'holdfast', sub: subject, iat: nowS, exp: nowS + 60 },
      ...{ email, email_verified: true, name: 'Olga', nonce: begun.searchParams.get('nonce') },
    }
    const claims = JSON.parse(JSON.stringify({ ...honest, ...lies.claims })) as Claims
    const header = { alg: 'RS256', kid: 'one', ...lies.header }
    const signed = await new SignJWT(claims)
      .setProtectedHeader(header)
      .sign(lies.signedBy ?? keys.privateKey)
    return lies.token ? lies.token(signed) : signed
  }
  vi.stubGlobal('fetch', async (input: string, init: RequestInit) => {
    const request = new Request(input, init)
    asked.push(request.clone())
    const { pathname } = new URL(request.url)
    if (pathname === '/.well-known/openid-configuration')
      return Response.json({
        ...{ issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` },
        ...{ jwks_uri: `${issuer}/jwks`, id_token_signing_alg_values_supported: ['RS256'] },
        ...lies.discovery,
      })
    if (pathname === '/me') return Response.json(lies.me)
    if (pathname === '/jwks')
      return Response.json({
        keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }],
      })
    return (
      lies.answer?.() ??
      Response.json({ access_token: 'x', token_type: 'Bearer', id_token: await idToken() })
    )
  })
  const begin = async () => {
    const { url, flow } = await done<{ url: string; flow: string }>('beginOidc', { env: settings })
    begun = new URL(url)
    return { flow, code: 'a-code', state: begun.searchParams.get('state') ?? '' }
  }
  const finish = async (more: object = {}, own: Partial<Env> = {}) => ({
    ...{ body: { ...(await begin()), ...more }, env: { ...settings, ...own } },
  })
  return { issuer, subject, email, settings, asked, begin, finish, url: () => begun }
}

describe('somebody who comes back from the provider', () => {
  test('is logged in: with PKCE, nonce and state, and the client proves who it is', async () => {
    const one = provider()
    const made = await done<SessionMade>('finishOidc', await one.finish())
    expect(made.person).toMatchObject({ email: one.email, name: 'Olga' })
    await done('listSessions', { token: made.token })
    const { searchParams } = one.url()
    expect(Object.fromEntries(searchParams)).toMatchObject({
      ...{ client_id: 'holdfast', response_type: 'code', redirect_uri: CALLBACK },
      ...{ code_challenge_method: 'S256', scope: 'openid email profile' },
    })
    const exchange = one.asked.find((request) => request.url.endsWith('/token')) as Request
    const form = await exchange.formData()
    expect(Object.fromEntries(form)).toMatchObject({
      ...{ grant_type: 'authorization_code', code: 'a-code', redirect_uri: CALLBACK },
    })
    const digest = await crypto.subtle.digest(
      'SHA-256',
      new TextEncoder().encode(String(form.get('code_verifier'))),
    )
    expect(base64url.encode(new Uint8Array(digest))).toBe(searchParams.get('code_challenge'))
    expect(exchange.headers.get('authorization')).toMatch(/^Basic /)
  })

  test('is the same person ever after, also with another address', async () => {
    const lies: Lies = {}
    const one = provider(lies)
    const { person } = await done<SessionMade>('finishOidc', await one.finish())
    lies.claims = { email: 'new@example.com' }
    const again = await done<SessionMade>('finishOidc', await one.finish())
    expect(again.person).toEqual(person)
    // Of another issuer the same subject is somebody else.
    vi.unstubAllGlobals()
    const other = provider({ claims: { sub: one.subject } })
    const { person: stranger } = await done<SessionMade>('finishOidc', await other.finish())
    expect(stranger.id).not.toBe(person.id)
  })

  test('has the account whose address the provider has verified, and its password still', async () => {
    const ana = await newcomer()
    const one = provider({ claims: { email: ana.email.toUpperCase() } })
    const made = await done<SessionMade>('finishOidc', await one.finish())
    expect(made.person).toEqual(ana.person)
    await done('logIn', { body: { email: ana.email, password: PASSWORD } })
  })

  test('new ones come in where sign-up is open, or somebody has invited that address', async () => {
    const one = provider()
    for (const SIGN_UP of ['closed', 'invited'])
      expect(await refusedTo('finishOidc', await one.finish({}, { SIGN_UP }))).toMatchObject({
        code: 'SIGN_UP_CLOSED',
      })
    const owner = await founder()
    const invited = { token: owner.token, body: { email: one.email, role: 'viewer' } }
    await done('inviteMember', { ...invited, env: { MAIL: '' } })
    await done('finishOidc', await one.finish({}, { SIGN_UP: 'invited' }))
  })

  test('who has no password may not be given one by a session alone', async () => {
    const one = provider()
    const { token } = await done<SessionMade>('finishOidc', await one.finish())
    const change = { current: '', password: 'one of somebody else' }
    expect(await refusedTo('changePassword', { token, body: change })).toMatchObject({
      status: 403,
    })
    expect(await refusedTo('beginSecondFactor', { token, body: { password: '' } })).toMatchObject({
      status: 403,
    })
  })

  test('is asked for by another way where the token names no address; of whom it does not say', async () => {
    const lies: Lies = { claims: { email: undefined, email_verified: undefined } }
    const one = provider(lies)
    lies.discovery = { userinfo_endpoint: `${one.issuer}/me` }
    lies.me = { sub: one.subject, email: one.email, email_verified: true }
    const made = await done<SessionMade>('finishOidc', await one.finish())
    expect(made.person).toMatchObject({ email: one.email, name: 'Olga' })
    lies.me = { ...lies.me, sub: 'somebody else' }
    expect(await refusedTo('finishOidc', await one.finish())).toMatchObject({ status: 401 })
    lies.me = { sub: one.subject, email: one.email, email_verified: false }
    expect(await refusedTo('finishOidc', await one.finish())).toMatchObject({ status: 401 })
  })

  test('two at once are one person', async () => {
    const one = provider()
    const first = await one.finish()
    const made = await Promise.all([
      done<SessionMade>('finishOidc', first),
      done<SessionMade>('finishOidc', first),
    ])
    expect(made[0]?.person).toEqual(made[1]?.person)
  })
})

describe('nobody is logged in', () => {
  const past = Math.floor(Date.now() / 1_000) - 3_600
  const hmac = new TextEncoder().encode('x'.repeat(32))
  const unsigned = (token: string) => {
    const [, body] = token.split('.')
    return `${base64url.encode(JSON.stringify({ alg: 'none' }))}.${body}.`
  }
  const lies: [string, () => Lies][] = [
    ['a token that is not signed (alg none)', () => ({ token: unsigned })],
    [
      'one whose signature is cut off',
      () => ({ token: (t) => `${t.split('.').slice(0, 2).join('.')}.` }),
    ],
    ['one of another key', () => ({ signedBy: foreign.privateKey })],
    ['one of a key that nobody publishes', () => ({ header: { kid: 'two' } })],
    [
      'one signed with what is public (HS256)',
      () => ({ header: { alg: 'HS256' }, signedBy: hmac }),
    ],
    ['one that has expired', () => ({ claims: { exp: past } })],
    ['one for somebody else (audience)', () => ({ claims: { aud: 'another' } })],
    ['one of another issuer', () => ({ claims: { iss: 'https://evil.example' } })],
    ['one of another login (nonce)', () => ({ claims: { nonce: 'another' } })],
    ['one without a nonce', () => ({ claims: { nonce: undefined } })],
    ['one that names nobody', () => ({ claims: { sub: undefined } })],
    ['an address that is not verified', () => ({ claims: { email_verified: false } })],
    ['an address of which that is not said', () => ({ claims: { email_verified: undefined } })],
    ['"true", which is not true', () => ({ claims: { email_verified: 'true' } })],
    ['no address', () => ({ claims: { email: undefined } })],
    [
      'a body that was changed behind the signature',
      () => ({
        token: (t) => {
          const [head, body = '', signature] = t.split('.')
          const claims = JSON.parse(new TextDecoder().decode(base64url.decode(body))) as Claims
          const changed = base64url.encode(
            JSON.stringify({ ...claims, email: 'owner@example.com' }),
          )
          return `${head}.${changed}.${signature}`
        },
      }),
    ],
    [
      'no ID token',
      () => ({ answer: () => Response.json({ access_token: 'x', token_type: 'Bearer' }) }),
    ],
    [
      'a code that the provider does not know',
      () => ({
        answer: () => Response.json({ error: 'invalid_grant' }, { status: 400 }),
      }),
    ],
  ]
  test.each(lies)('by %s', async (_, lie) => {
    const one = provider(lie())
    const refused = await refusedTo('finishOidc', await one.finish())
    expect(refused).toMatchObject({ ...{ status: 401, code: 'UNAUTHENTICATED' } })
    expect(refused.why).toBeTruthy()
    const { results } = await env.DB.prepare('select id from persons where email = ?')
      .bind(one.email)
      .all()
    expect(results).toEqual([])
  })

  test('by the answer to a login that another browser began, or that took too long', async () => {
    const one = provider()
    const [mine, theirs] = [await one.begin(), await one.begin()]
    const asked = (body: object) => ({ body, env: one.settings })
    expect(await refusedTo('finishOidc', asked({ ...mine, state: theirs.state }))).toMatchObject({
      status: 401,
    })
    for (const flow of ['', 'made up', mine.flow.slice(0, -4), btoa('x'.repeat(64))])
      expect(await refusedTo('finishOidc', asked({ ...mine, flow }))).toMatchObject({ status: 401 })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 11 * 60_000 })
    expect(await refusedTo('finishOidc', asked(mine))).toMatchObject({ why: 'It took too long.' })
    vi.useRealTimers()
    expect(one.asked.filter((request) => request.url.endsWith('/token'))).toEqual([])
  })
})

describe('a provider that is not there as it should be', () => {
  test.each<[string, Lies]>([
    ['is another one', { discovery: { issuer: 'https://evil.example' } }],
    ['names no place for tokens', { discovery: { token_endpoint: undefined } }],
  ])('%s', async (_, lie) => {
    const one = provider(lie)
    expect(await refusedTo('beginOidc', { env: one.settings })).toMatchObject({
      ...{ status: 503, detail: 'the provider of logins does not answer as it should' },
    })
  })

  test('answers without an end: no more is read than would be used', async () => {
    const chunk = new Uint8Array(64 * 1_024)
    let sent = 0
    const body = () =>
      new ReadableStream({
        pull(control) {
          sent += 1
          control.enqueue(chunk)
        },
      })
    const one = provider({ answer: () => new Response(body()) })
    expect(await refusedTo('finishOidc', await one.finish())).toMatchObject({ status: 503 })
    expect(sent).toBeLessThan(20)
  })

  test('is not set up, and that is said; who may ask for it sees its name', async () => {
    expect(await refusedTo('beginOidc')).toMatchObject({ status: 404 })
    expect(await done('authInfo')).toMatchObject({ oidc: null })
    const { settings } = provider()
    expect(await done('authInfo', { env: settings })).toMatchObject({ oidc: { name: 'Keys' } })
  })
})
