/**
 * Logins by another provider (OpenID Connect, code flow with PKCE). oauth4webapi speaks the protocol and judges what
 * comes back: issuer, audience, times, nonce and signature of the ID token, by keys that the provider publishes.
 * What a login began with is sealed and kept by the browser that began it: D1 holds nothing of it.
 */
import * as oauth from 'oauth4webapi'
import * as z from 'zod'
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import { opened, sealedWith } from '../sealing.ts'
import type { Provider } from './setting.ts'

/** Of a person, as the provider says; the address is one that it has verified. */
export interface Claims {
  readonly subject: string
  readonly email: string
  readonly name: string
}

const flowShape = z.strictObject({
  ...{ state: z.string(), nonce: z.string(), verifier: z.string(), untilMs: z.number() },
})
const FLOW = 'login by a provider'
const CLOCKS_APART_S = 60

/** Where a browser goes, and what it keeps meanwhile. @throws {HoldfastError} UNAVAILABLE */
export async function beginFlow(provider: Provider, secret: string, redirectUri: string) {
  const server = await serverOf(provider)
  const flow = {
    ...{ state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce() },
    ...{ verifier: oauth.generateRandomCodeVerifier(), untilMs: Date.now() + LIMITS.oidcFlowMs },
  }
  const url = new URL(server.authorization_endpoint ?? '')
  const asked = {
    ...{ client_id: provider.clientId, redirect_uri: redirectUri, response_type: 'code' },
    ...{ scope: 'openid email profile', state: flow.state, nonce: flow.nonce },
    code_challenge: await oauth.calculatePKCECodeChallenge(flow.verifier),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value)
  return { url: url.href, flow: await sealedWith(secret, FLOW, JSON.stringify(flow)) }
}

export interface Returned {
  readonly flow: string
  readonly code: string
  readonly state: string
  readonly iss?: string | undefined
}

/**
 * Who it is that has come back.
 *
 * @throws {HoldfastError} UNAUTHENTICATED, UNAVAILABLE
 */
export async function finishFlow(
  provider: Provider,
  secret: string,
  redirectUri: string,
  { flow: sealed, code, state, iss }: Returned,
): Promise<Claims> {
  const text = await opened(secret, FLOW, sealed)
  if (text === null) throw notLoggedIn('It was not begun here.')
  const flow = flowShape.parse(JSON.parse(text))
  if (flow.untilMs <= Date.now()) throw notLoggedIn('It took too long.')
  const server = await serverOf(provider)
  const client: oauth.Client = {
    client_id: provider.clientId,
    [oauth.clockTolerance]: CLOCKS_APART_S,
  }
  const asked = optionsOf(provider)
  try {
    const said = new URLSearchParams({ code, state, ...(iss !== undefined && { iss }) })
    const valid = oauth.validateAuthResponse(server, client, said, flow.state)
    const auth = clientAuth(provider, server)
    const answer = await oauth.authorizationCodeGrantRequest(
      ...([server, client, auth, valid, redirectUri, flow.verifier, asked] as const),
    )
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, {
      ...{ expectedNonce: flow.nonce, requireIdToken: true },
    })
    // Also where it came over TLS from the provider itself: one check more, by another way.
    await oauth.validateApplicationLevelSignature(server, answer, asked)
    const claims = oauth.getValidatedIdTokenClaims(tokens)
    if (!claims || 'email' in claims || !server.userinfo_endpoint) return claimsOf(claims)
    // Some say in the token who it is, and more only when asked.
    const more = await oauth.userInfoRequest(server, client, tokens.access_token, asked)
    const info = await oauth.processUserInfoResponse(server, client, claims.sub, more)
    return claimsOf({ ...info, ...claims })
  } catch (error) {
    throw refusalOf(error)
  }
}

const claimsShape = z.object({
  sub: z.string().min(1).max(255),
  email: z.email().max(LIMITS.emailLengthMax).toLowerCase(),
  email_verified: z.literal(true),
  name: z.string().optional(),
})

function claimsOf(claims: object | undefined): Claims {
  const parsed = claimsShape.safeParse(claims)
  if (!parsed.success)
    throw notLoggedIn('The provider names no address, or none that it has verified.')
  const { sub, email, name } = parsed.data
  return { subject: sub, email, name: name ?? email }
}

const known = new Map<string, { server: oauth.AuthorizationServer; untilMs: number }>()

/** What the provider says of itself, which does not change with each login. @throws {HoldfastError} UNAVAILABLE */
async function serverOf(provider: Provider): Promise<oauth.AuthorizationServer> {
  const { issuer } = provider
  const before = known.get(issuer.href)
  if (before && before.untilMs > Date.now()) return before.server
  try {
    const answer = await oauth.discoveryRequest(issuer, optionsOf(provider))
    const server = await oauth.processDiscoveryResponse(issuer, answer)
    if (!server.authorization_endpoint || !server.token_endpoint || !server.jwks_uri)
      throw new Error('it names no authorization_endpoint, token_endpoint or jwks_uri')
    known.clear()
    known.set(issuer.href, { server, untilMs: Date.now() + LIMITS.oidcKnownMs })
    return server
  } catch (error) {
    throw away(error)
  }
}

const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])$/

/** Of each request: how long, how much, and without TLS on loopback alone. */
const optionsOf = ({ issuer }: Provider) => ({
  [oauth.allowInsecureRequests]: LOOPBACK.test(issuer.hostname),
  [oauth.customFetch]: bounded,
  signal: () => AbortSignal.timeout(LIMITS.oidcTimeoutMs),
})

async function bounded(url: string, init: oauth.CustomFetchOptions<string, unknown>) {
  const answer = await fetch(url, init as RequestInit)
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length
    if (bytes > LIMITS.oidcBytesMax) throw new Error(`an answer of ${bytes} bytes and more`)
    chunks.push(chunk)
  }
  const { status, headers } = answer
  return new Response(Buffer.concat(chunks), { status, headers })
}

/** As the provider can: `client_secret_basic` is what one can that says nothing. */
function clientAuth({ clientSecret }: Provider, server: oauth.AuthorizationServer) {
  if (!clientSecret) return oauth.None()
  const can = server.token_endpoint_auth_methods_supported
  return can && !can.includes('client_secret_basic')
    ? oauth.ClientSecretPost(clientSecret)
    : oauth.ClientSecretBasic(clientSecret)
}

/** Of what the protocol was about, the person is told; a provider that does not answer is another thing. */
function refusalOf(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error
  if (error instanceof oauth.ResponseBodyError)
    return notLoggedIn(`The provider says: ${error.error}.`, error)
  if (error instanceof oauth.AuthorizationResponseError)
    return notLoggedIn(`The provider says: ${error.error}.`, error)
  if (
    error instanceof oauth.OperationProcessingError ||
    error instanceof oauth.UnsupportedOperationError
  )
    return notLoggedIn('What came back does not prove who it is.', error)
  return away(error)
}

const notLoggedIn = (why: string, cause?: unknown) =>
  new HoldfastError(
    {
      ...{ code: 'UNAUTHENTICATED', message: 'you are not logged in by the provider', why },
      remedy: 'Begin again; if it stays so, tell whoever runs this control plane.',
    },
    { cause },
  )

const away = (cause: unknown) =>
  new HoldfastError(
    {
      code: 'UNAVAILABLE',
      message: 'the provider of logins does not answer as it should',
      why: cause instanceof Error ? cause.message : String(cause),
      remedy: 'Try again, or log in by address and password.',
      retryAfterS: 10,
    },
    { cause },
  )
