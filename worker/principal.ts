import { higher, includes, type MemberRole, type Role } from '../schema/api/access.ts'
import { HoldfastError } from '../schema/errors.ts'

/** A role in one cluster, by its GUID, or in the whole organisation (null). */
export interface Scope {
  readonly role: Role
  readonly cluster: string | null
}

/** Whoever asks, once it is known who: what is behind it does not look at keys. */
export interface Principal {
  readonly kind: 'key' | 'person'
  readonly id: string
  /** Of a person the address. */
  readonly name: string
  /** Of a member; null: of a key, and of who may do something in single clusters only. */
  readonly role: MemberRole | null
  readonly organisation: {
    readonly id: string
    readonly name: string
    /** JSON; null: those of everybody. */
    readonly quotas: string | null
  }
  readonly scopes: readonly Scope[]
  readonly expiresAtMs: number | null
}

/** The highest role that it has there: of its own, or by the organisation. */
export const roleIn = ({ scopes }: Principal, cluster: string | null): Role | null =>
  scopes
    .filter((scope) => scope.cluster === null || scope.cluster === cluster)
    .reduce<Role | null>((best, scope) => higher(best, scope.role), null)

/**
 * @param cluster null: in the whole organisation
 * @throws {HoldfastError} FORBIDDEN
 */
export function requireRole(
  principal: Principal,
  needs: Role,
  cluster: { id: string; name: string } | null,
): void {
  const has = roleIn(principal, cluster?.id ?? null)
  if (includes(has, needs)) return
  const where = cluster ? `cluster "${cluster.name}"` : 'the whole organisation'
  const scope = cluster ? `${needs}:${cluster.name}` : needs
  const isKey = principal.kind === 'key'
  const who = isKey ? `Key "${principal.name}"` : principal.name
  throw new HoldfastError({
    code: 'FORBIDDEN',
    message: `this needs scope "${scope}"`,
    why: `${who} has ${has ? `no more than "${has}"` : 'no scope'} in ${where}.`,
    remedy: isKey
      ? `Use a key that has it. An admin of the organisation makes one: holdfast key create NAME --scope ${scope}`
      : `Ask an admin of the organisation: holdfast member role ${principal.name} ${cluster ? `--grant ${WORDS[needs]}:${cluster.name}` : `--role ${WORDS[needs]}`}`,
  })
}

/** What members are called who have that scope. */
const WORDS: Readonly<Record<Role, MemberRole>> = {
  ...{ read: 'viewer', operate: 'operator', admin: 'admin' },
}
