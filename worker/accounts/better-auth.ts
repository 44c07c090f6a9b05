/**
 * The part of accounts that better-auth does: whether a password is right, forgotten ones, and letting commands in.
 * Only what is called here is reachable: nothing of it is served by itself, no cookie is set or read, and what comes
 * from outside was parsed before. Loaded by import() alone: hosts and keys do without.
 */

import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { APIError } from 'better-auth/api'
import { betterAuth } from 'better-auth/minimal'
import { bearer, deviceAuthorization } from 'better-auth/plugins'
import { drizzle } from 'drizzle-orm/d1'
import { LIMITS } from '../../schema/limits.ts'
import {
  deviceCodes,
  logins,
  persons,
  sessions,
  verifications,
} from '../../schema/tables/accounts.ts'
import { hashingTokens } from './hashed-tokens.ts'
import { hashPassword, isPassword } from './password.ts'
import type { Asker } from './sessions.ts'

/** The command `holdfast`: a public client, so nothing but its name is known of it (RFC 8628). */
export const CLI_CLIENT = 'holdfast-cli'

export interface AuthParts {
  readonly env: Pick<Env, 'DB'>
  readonly secret: string
  /** Where people reach the control plane. */
  readonly url: string
  readonly asker: Asker
  /** Has a mail sent with a token for a new password. */
  forgotten(to: string, token: string): Promise<void>
  /** Somebody has a new password, and no session any more. */
  reset(person: { id: string; email: string }): Promise<void>
  /** Goes on when the answer has been given. */
  later(work: Promise<unknown>): void
}

export function makeAuth({ env, secret, url, asker, forgotten, reset, later }: AuthParts) {
  const schema = {
    ...{ user: persons, session: sessions, account: logins },
    ...{ verification: verifications, deviceCode: deviceCodes },
  }
  return betterAuth({
    appName: 'Holdfast',
    baseURL: url,
    secret,
    telemetry: { enabled: false },
    // It says which addresses were tried: that is nobody's business.
    logger: { level: 'error', log: (_, message) => console.error(JSON.stringify({ message })) },
    database: hashingTokens(
      drizzleAdapter(drizzle(env.DB), { provider: 'sqlite', schema, transaction: false }),
    ),
    advanced: {
      database: { generateId: () => crypto.randomUUID() },
      backgroundTasks: { handler: later },
    },
    // Counted by worker/accounts/attempts.ts, also for what is not asked by HTTP.
    rateLimit: { enabled: false },
    user: { modelName: 'user' },
    session: { expiresIn: LIMITS.sessionMs / 1_000, disableSessionRefresh: true },
    verification: { storeIdentifier: 'hashed' },
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: LIMITS.passwordLengthMin,
      maxPasswordLength: LIMITS.passwordLengthMax,
      password: {
        hash: hashPassword,
        verify: ({ hash, password }) => isPassword(hash, password),
      },
      resetPasswordTokenExpiresIn: LIMITS.mailedTokenMs / 1_000,
      revokeSessionsOnPasswordReset: true,
      onPasswordReset: ({ user }) => reset(user),
      sendResetPassword: ({ user, token }) => forgotten(user.email, token),
    },
    databaseHooks: {
      session: {
        create: {
          before: async (session) => ({
            data: { ...session, ipAddress: asker.address, userAgent: asker.agent },
          }),
        },
      },
    },
    plugins: [
      bearer(),
      deviceAuthorization({
        expiresIn: '15m',
        interval: '5s',
        deviceCodeLength: 40,
        userCodeLength: 8,
        verificationUri: `${url}/account`,
        validateClient: (client) => client === CLI_CLIENT,
      }),
    ],
  })
}

/** @returns its code; null: it is none of better-auth */
export function codeOf(error: unknown): string | null {
  if (!(error instanceof APIError)) return null
  const { code, error: oauth } = (error.body ?? {}) as { code?: string; error?: string }
  return code ?? oauth ?? String(error.status)
}
