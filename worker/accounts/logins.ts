/** How somebody proves who they are: rows of better-auth, which asks them in its own way at a login. */
import { and, eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { logins } from '../../schema/tables/accounts.ts'
import { isPassword } from './password.ts'

/** As better-auth names a login by password. */
export const BY_PASSWORD = 'credential'

/** @returns false also for who has none */
export async function isPasswordOf(
  d1: D1Database,
  personId: string,
  password: string,
): Promise<boolean> {
  const of = and(eq(logins.userId, personId), eq(logins.providerId, BY_PASSWORD))
  const row = await drizzle(d1).select({ stored: logins.password }).from(logins).where(of).get()
  return typeof row?.stored === 'string' && (await isPassword(row.stored, password))
}
