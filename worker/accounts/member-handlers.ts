/** Who belongs to the organisation: listed, invited, changed, removed. */
import type * as z from 'zod'
import { includes, type MemberRole } from '../../schema/api/access.ts'
import type * as m from '../../schema/api/members.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import type { ClusterRow } from '../api-keys.ts'
import { accountsOf, asking, type Call, notFound } from '../calls.ts'
import { roleIn } from '../principal.ts'
import { endStreams } from '../stream-ends.ts'
import { type InvitationRow, Invitations } from './invitations.ts'
import { mailerOf, mailing } from './mail.ts'
import { Members, ownerRefusal } from './members.ts'
import { type Grant, grantsOf, roleOf, scopesOf } from './roles.ts'
import { publicUrl, signUpOf } from './setting.ts'

type Standing = Pick<z.output<typeof m.changeMember>, 'role' | 'grants'>

export const memberHandlers = {
  listMembers: async (call: Call): Promise<{ members: z.input<typeof m.memberView>[] }> => {
    const [clusters, rows] = await Promise.all([ours(call), membersOf(call).list()])
    return {
      members: rows.map(({ member, person }) => ({
        ...{ id: person.id, email: person.email, name: person.name },
        ...{ role: roleOf(member), grants: shown(grantsOf(member), clusters) },
        ...{ joinedAtMs: member.joinedAtMs, invitedBy: member.invitedBy },
      })),
    }
  },

  changeMember: async (call: Call<z.output<typeof m.changeMember>>) => {
    const { member, person } = await named(call)
    const after = await stored(call, call.body)
    mayDecide(call, [member.role, after.role])
    const before = { role: member.role, grants: JSON.parse(member.grants) }
    const work = membersOf(call).change(person.id, after)
    const changes = { before, after: { ...after, grants: JSON.parse(after.grants) } }
    const answer = await committed(call, 'changeMember', person, changes, work)
    await endedStreams(call, person.id, member)
    return answer
  },

  removeMember: async (call: Call) => {
    const { member, person } = await named(call)
    mayDecide(call, [member.role])
    const { id, email, name } = person
    const before = { id, email, name, role: member.role, grants: JSON.parse(member.grants) }
    const work = membersOf(call).removal(id)
    const answer = await committed(call, 'removeMember', person, { before, after: null }, work)
    await endedStreams(call, id, member)
    return answer
  },

  listInvitations: async (
    call: Call,
  ): Promise<{ invitations: z.input<typeof m.invitationView>[] }> => {
    const { id } = asking(call).organisation
    const [clusters, rows] = await Promise.all([ours(call), new Invitations(call.env.DB).open(id)])
    return {
      invitations: rows.map((row) => ({
        ...{ id: row.id, email: row.email, createdAtMs: row.createdAtMs },
        ...{ createdBy: row.createdBy, expiresAtMs: row.expiresAtMs },
        ...{ role: roleOf(row), grants: shown(grantsOf(row), clusters) },
      })),
    }
  },

  inviteMember: async (call: Call<z.output<typeof m.inviteMember>>): Promise<m.Invited> => {
    const { env, body } = call
    const by = asking(call)
    const { email, ttlMs } = body
    const standing = await stored(call, body)
    mayDecide(call, [standing.role])
    if (await membersOf(call).find(email)) throw isMember(email)
    const invitations = new Invitations(env.DB)
    await withinLimits(call, invitations)
    const mailer = mailerOf(env)
    const url = mailer && publicUrl(env, call.url)
    const organisationId = by.organisation.id
    const made = { organisationId, email, ...standing, createdBy: by.name, ttlMs }
    const { token, row, work } = await invitations.make(made)
    const { id, expiresAtMs } = row
    const answer = {
      ...{ id, email, expiresAtMs, mailed: mailer !== null },
      // Who has it shows that the address is theirs: where there is mail, it goes there alone.
      ...{ token: mailer ? null : token, signUp: signUpOf(env) },
    }
    const changes = [{ table: 'invitation', id, before: null, after: seen(row) }]
    const told = { action: 'inviteMember', about: aboutOf(row), asked: { ...body }, changes }
    await accountsOf(call).commit(call.write, told, answer, work)
    const subject = `${by.organisation.name} on Holdfast`
    const text = `${by.name} invites you to the organisation ${by.organisation.name} at ${url}.\n\nAccept until ${new Date(expiresAtMs).toISOString().slice(0, 16)} UTC:\n${url}/account#register=${token}\n\nIf you have an account: holdfast member accept\n`
    if (mailer && !call.write.dryRun) call.later(mailing(mailer, { to: email, subject, text }))
    return answer
  },

  revokeInvitation: async (call: Call) => {
    const reference = call.params['invitation'] ?? ''
    const invitations = new Invitations(call.env.DB)
    const open = await invitations.open(asking(call).organisation.id)
    const address = reference.toLowerCase()
    const row = open.find((one) => one.id === reference || one.email === address)
    if (!row) throw notFound('invitation', reference, 'List what there is: holdfast member list')
    mayDecide(call, [row.role])
    const answer = { id: row.id, email: row.email }
    const changes = [{ table: 'invitation', id: row.id, before: seen(row), after: null }]
    const told = { action: 'revokeInvitation', about: aboutOf(row), asked: {}, changes }
    const work = [invitations.revocation(row, Date.now())]
    await accountsOf(call).commit(call.write, told, answer, work)
    return answer
  },
}

/** Whoever may still look comes back, and is looked at again. */
async function endedStreams(
  call: Call<unknown>,
  id: string,
  was: Parameters<typeof scopesOf>[0],
): Promise<void> {
  if (call.write.dryRun) return
  await endStreams(call.env, { id, scopes: scopesOf(was) }, await ours(call))
}

const membersOf = (call: Call<unknown>) => new Members(call.env.DB, asking(call).organisation.id)
const ours = (call: Call<unknown>) => call.tenants.clusters(asking(call).organisation.id)

async function named(call: Call<unknown>) {
  const reference = call.params['member'] ?? ''
  const found = await membersOf(call).find(reference)
  if (!found) throw notFound('member', reference, 'List who there is: holdfast member list')
  return found
}

/** Names of clusters become GUIDs. */
async function stored(call: Call<unknown>, { role, grants }: Standing) {
  const clusters = await ours(call)
  const withIds = grants.map((one): Grant => {
    const found = clusters.find(({ id, name }) => id === one.cluster || name === one.cluster)
    if (!found) throw notFound('cluster', one.cluster)
    return { role: one.role, cluster: found.id }
  })
  return { role, grants: JSON.stringify(withIds) }
}

/** Grants in clusters that are there no more are good for nothing, and not shown. */
const shown = (grants: readonly Grant[], clusters: readonly ClusterRow[]): m.GrantView[] =>
  grants.flatMap(({ role, cluster }) => {
    const found = clusters.find((one) => one.id === cluster)
    return found ? [{ role, cluster: { id: found.id, name: found.name } }] : []
  })

/**
 * Who is an owner only owners decide, whatever else an admin or a key may do.
 *
 * @param roles that somebody has, or is to have
 * @throws {HoldfastError} FORBIDDEN
 */
function mayDecide(call: Call<unknown>, roles: readonly (string | null)[]): void {
  const by = asking(call)
  if (!roles.includes('owner' satisfies MemberRole) || by.role === 'owner') return
  // The route needs that already: it is said here so that it holds whoever calls.
  if (!includes(roleIn(by, null), 'admin')) throw new Error('a member is changed by no admin')
  throw new HoldfastError({
    code: 'FORBIDDEN',
    message: 'this needs an owner of the organisation',
    why: 'Who is an owner, and who no longer, only owners decide; no key is one.',
    remedy: 'Ask an owner: holdfast member list shows who they are.',
  })
}

async function withinLimits(call: Call<unknown>, invitations: Invitations): Promise<void> {
  const { id } = asking(call).organisation
  const [there, open] = await Promise.all([membersOf(call).count(), invitations.open(id)])
  if (there + open.length < LIMITS.membersMax && open.length < LIMITS.invitationsMax) return
  throw new HoldfastError({
    code: 'LIMIT_REACHED',
    message: `the organisation has ${there} members and ${open.length} open invitations, and may have no more`,
    remedy: 'Remove members, or take invitations back: holdfast member remove ADDRESS',
  })
}

const isMember = (email: string) =>
  new HoldfastError({
    code: 'ALREADY_MEMBER',
    message: `${email} is a member already`,
    remedy: `Change what they may do: holdfast member role ${email} --role ROLE`,
  })

async function committed(
  call: Call<unknown>,
  action: string,
  { id, email }: { id: string; email: string },
  { before, after }: { before: object; after: object | null },
  work: Parameters<ReturnType<typeof accountsOf>['commit']>[3],
) {
  const answer = { id, email }
  const told = {
    ...{ action, about: { kind: 'member', id, name: email }, asked: {} },
    changes: [{ table: 'member', id, before, after }],
  }
  try {
    await accountsOf(call).commit(call.write, told, answer, work)
  } catch (error) {
    throw ownerRefusal(error)
  }
  return answer
}

const aboutOf = ({ id, email }: InvitationRow) => ({ kind: 'invitation', id, name: email })

/** Of an invitation, for who reads what was done: never its hash. */
const seen = ({ email, role, grants, expiresAtMs }: InvitationRow) => ({
  ...{ email, role, grants: JSON.parse(grants), expiresAtMs },
})
