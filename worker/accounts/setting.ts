/** What whoever runs the control plane has said about accounts. */
import { HoldfastError } from '../../schema/errors.ts'

export type SignUp = 'open' | 'invited' | 'closed'

export const signUpOf = ({ SIGN_UP }: Env): SignUp =>
  SIGN_UP === 'open' || SIGN_UP === 'invited' ? SIGN_UP : 'closed'

export const signUpClosed = (message: string) =>
  new HoldfastError({ code: 'SIGN_UP_CLOSED', message })

/** What this control plane is to its provider of logins (OpenID Connect). */
export interface Provider {
  readonly issuer: URL
  readonly name: string
  readonly clientId: string
  readonly clientSecret: string | undefined
}

/** @returns null: none is set up, or what is set is no issuer */
export function providerOf(env: Env): Provider | null {
  const { OIDC_ISSUER, OIDC_CLIENT_ID: clientId, OIDC_CLIENT_SECRET: clientSecret } = env
  if (!OIDC_ISSUER || !clientId || !URL.canParse(OIDC_ISSUER)) return null
  const issuer = new URL(OIDC_ISSUER)
  return { issuer, name: env.OIDC_NAME || issuer.hostname, clientId, clientSecret }
}

/** @throws {HoldfastError} NOT_FOUND */
export function requireProvider(env: Env): Provider {
  const provider = providerOf(env)
  if (provider) return provider
  throw new HoldfastError({
    code: 'NOT_FOUND',
    message: 'nobody is logged in by another provider here',
    why: 'OIDC_ISSUER or OIDC_CLIENT_ID is not set.',
    remedy: 'Log in by address and password. Whoever runs it can set up OpenID Connect.',
  })
}

const SECRET_LENGTH_MIN = 32

/** @throws {HoldfastError} UNAVAILABLE */
export function requireSecret({ AUTH_SECRET }: Env): string {
  if (AUTH_SECRET && AUTH_SECRET.length >= SECRET_LENGTH_MIN) return AUTH_SECRET
  throw new HoldfastError({
    code: 'UNAVAILABLE',
    message: 'accounts of people are not set up at this control plane',
    why: `AUTH_SECRET is not set, or has fewer than ${SECRET_LENGTH_MIN} characters.`,
    remedy: 'API keys work without it. Whoever runs it sets AUTH_SECRET: openssl rand -base64 32',
  })
}

const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])$/

/**
 * What links begin with. A name that a caller says is taken on loopback alone: elsewhere it would lead whoever gets
 * a mail, with what is in it, to wherever the caller likes.
 *
 * @throws {HoldfastError} UNAVAILABLE
 */
export function publicUrl({ PUBLIC_URL }: Env, asked: string): string {
  if (PUBLIC_URL) return PUBLIC_URL.replace(/\/+$/, '')
  const { origin, hostname } = new URL(asked)
  if (LOOPBACK.test(hostname)) return origin
  throw new HoldfastError({
    code: 'UNAVAILABLE',
    message: 'this control plane does not know its own address',
    why: 'PUBLIC_URL is not set, and what a caller calls it is not to be trusted.',
    remedy: 'Whoever runs it sets PUBLIC_URL to the address that people use.',
  })
}
