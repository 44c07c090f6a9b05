/** Bodies about who belongs to an organisation, and who is invited to. */
import * as z from 'zod'
import { instantMs } from '../ids.ts'
import { LIMITS } from '../limits.ts'
import { memberRole } from './access.ts'
import { email } from './accounts.ts'
import { reference } from './reference.ts'

const grantRole = memberRole.exclude(['owner'])

/** A role in one cluster. */
const grant = z.strictObject({ role: grantRole, cluster: reference })

const standing = {
  /** In the whole organisation; null: only what is granted in single clusters. */
  role: memberRole.nullable(),
  grants: z.array(grant).max(LIMITS.grantsMax).default([]),
}
const isSomething = ({ role, grants }: { role: unknown; grants: readonly unknown[] }) =>
  role !== null || grants.length > 0
const NOTHING = { error: 'give a role, or a grant in a cluster', path: ['role'] }

export const inviteMember = z
  .strictObject({
    email,
    ...standing,
    ttlMs: z.int().min(60_000).max(LIMITS.invitationTtlMaxMs).default(LIMITS.invitationTtlMs),
  })
  .refine(isSomething, NOTHING)

/** What somebody is and may do from now on, all of it. */
export const changeMember = z.strictObject(standing).refine(isSomething, NOTHING)

const grantView = z.object({
  role: grantRole,
  cluster: z.object({ id: z.string(), name: z.string() }),
})
export type GrantView = z.infer<typeof grantView>

const standingView = { role: memberRole.nullable(), grants: z.array(grantView) }

export const memberView = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  ...standingView,
  joinedAtMs: instantMs,
  invitedBy: z.string(),
})
export type MemberView = z.infer<typeof memberView>

export const invitationView = z.object({
  id: z.string(),
  email: z.string(),
  ...standingView,
  createdAtMs: instantMs,
  createdBy: z.string(),
  expiresAtMs: instantMs,
})
export type InvitationView = z.infer<typeof invitationView>

export const invited = z.object({
  id: z.string(),
  email: z.string(),
  expiresAtMs: instantMs,
  /** It went to the address, and nobody else has it. */
  mailed: z.boolean(),
  /** Where no mail is sent: for whoever passes it on, shown this once. */
  token: z.string().nullable(),
  /** Whoever has no account cannot accept it while sign-up is `closed`. */
  signUp: z.enum(['open', 'invited', 'closed']),
})
export type Invited = z.infer<typeof invited>

export const memberChanged = z.object({ id: z.string(), email: z.string() })
