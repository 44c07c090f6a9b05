/** Who may call what: roles, each of which includes those before it. */
import * as z from 'zod'

/**
 * `read` looks; `operate` runs what is configured: moves, pauses, brings online and offline, maintenance;
 * `admin` configures, which includes what is executed on hosts, who joins, and who has keys.
 */
export const role = z.enum(['read', 'operate', 'admin'])
export type Role = z.infer<typeof role>

/**
 * What a member of an organisation is there. `viewer` is `read`, `operator` is `operate`, `admin` and `owner` are
 * `admin`; who is an owner only owners decide.
 */
export const memberRole = z.enum(['viewer', 'operator', 'admin', 'owner'])
export type MemberRole = z.infer<typeof memberRole>

/**
 * What a route needs. A role is needed in the cluster that the path names, or in the whole organisation
 * where it names none. `anyKey`: any valid key, or session of a member; the answer has what they may see.
 * `person`: a session, whether or not its person belongs to an organisation. `joinToken`: the token in the body is
 * the permission. `anyone`: nothing.
 */
export type Access = Role | 'anyKey' | 'person' | 'joinToken' | 'anyone'

/** @returns whether `has` includes `needs`; null: no role at all */
export const includes = (has: Role | null, needs: Role): boolean =>
  has !== null && role.options.indexOf(has) >= role.options.indexOf(needs)

/** The one that includes the other. */
export function higher(a: Role | null, b: Role | null): Role | null {
  if (a === null) return b
  return b !== null && includes(b, a) ? b : a
}
