import { higher, includes, type Role } from '../schema/api/access.ts'
import { HoldfastError } from '../schema/errors.ts'

/** A role in one cluster, by its GUID, or in the whole organisation (null). */
export interface Scope {
  readonly role: Role
  readonly cluster: string | null
}

/** Whoever asks, once it is known who: what is behind it does not look at keys. */
export interface Principal {
  readonly kind: 'key'
  readonly id: string
  readonly name: string
  readonly organisation: { readonly id: string; readonly name: string }
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
  throw new HoldfastError({
    code: 'FORBIDDEN',
    message: `this needs scope "${scope}"`,
    why: `Key "${principal.name}" has ${has ? `no more than "${has}"` : 'no scope'} in ${where}.`,
    remedy: `Use a key that has it. An admin of the organisation makes one: holdfast key create NAME --scope ${scope}`,
  })
}
