/** What members may do, in the terms of scopes. */
import * as z from 'zod'
import { type MemberRole, memberRole, type Role } from '../../schema/api/access.ts'
import type { Scope } from '../principal.ts'

/** A role in one cluster, by its GUID. */
export const grant = z.object({ role: memberRole.exclude(['owner']), cluster: z.string() })
export type Grant = z.infer<typeof grant>

const storedGrants = z.array(grant)

/** As the table has them. */
interface Standing {
  readonly role: string | null
  readonly grants: string
}

export const roleOf = ({ role }: Standing): MemberRole | null =>
  role === null ? null : memberRole.parse(role)
export const grantsOf = ({ grants }: Standing): Grant[] => storedGrants.parse(JSON.parse(grants))

const SCOPES: Readonly<Record<MemberRole, Role>> = {
  ...{ viewer: 'read', operator: 'operate', admin: 'admin', owner: 'admin' },
}

export function scopesOf(standing: Standing): Scope[] {
  const role = roleOf(standing)
  return [
    ...(role ? [{ role: SCOPES[role], cluster: null }] : []),
    ...grantsOf(standing).map((one) => ({ role: SCOPES[one.role], cluster: one.cluster })),
  ]
}
