import { type Command, Option } from 'commander'
import { type MemberRole, memberRole } from '../../schema/api/access.ts'
import type { GrantView, InvitationView, MemberView } from '../../schema/api/members.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { collect, duration, noun, type Runner } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import { formatInstant, instantText } from '../duration.ts'
import { readToken, tokenFile } from '../secret-input.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'

export function addMember(program: Command, runner: Runner): void {
  const member = noun('member', 'people of the organisation')
  member
    .command('list')
    .description('who belongs to it and what they may do; of an admin also who is invited')
    .action(runner.action(listMembers))
  standing(member.command('invite').description('invites an address, by mail where mail is sent'))
    .addOption(duration('--expires', 'how long it can be accepted').default(604_800_000, '7d'))
    .argument('<address>')
    .action(runner.action(invite))
  member
    .command('uninvite')
    .description('takes an invitation back')
    .argument('<address>')
    .action(runner.action(uninvite))
  member
    .command('accept')
    .description('accepts an invitation with the account that is logged in')
    .addOption(tokenFile())
    .action(runner.action(accept))
  standing(member.command('role').description('what somebody is and may do from now on, all of it'))
    .argument('<address>')
    .action(runner.action(change))
  member
    .command('remove')
    .description('somebody is no member any more; keys that they made stay')
    .argument('<address>')
    .addOption(yesOption())
    .action(runner.action(remove))
  program.addCommand(member)
}

interface Standing {
  role?: MemberRole
  grant?: string[]
}

const standing = (command: Command): Command =>
  command
    .addOption(new Option('--role <role>', 'in the whole organisation').choices(memberRole.options))
    .option(
      '--grant <role:cluster>',
      'viewer, operator or admin in one cluster: operator:prod. May be given several times',
      collect,
    )

function bodyOf({ role, grant = [] }: Standing) {
  const grants = grant.map((text) => {
    const [said = '', ...rest] = text.split(':')
    const parsed = memberRole.exclude(['owner']).safeParse(said)
    const cluster = rest.join(':')
    if (parsed.success && cluster) return { role: parsed.data, cluster }
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `"${text}" is not a grant`,
      why: 'A grant is viewer, operator or admin with a cluster: operator:prod.',
      remedy: 'For example: --grant operator:prod. In the whole organisation: --role operator',
    })
  })
  if (role !== undefined || grants.length > 0) return { role: role ?? null, grants }
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: 'what may they do?',
    why: 'Neither --role nor --grant was given.',
    remedy: 'For example: --role viewer --grant operator:prod',
  })
}

const standingText = ({ role, grants }: { role: MemberRole | null; grants: GrantView[] }) =>
  [...(role ? [role] : []), ...grants.map((one) => `${one.role}:${one.cluster.name}`)].join(',') ||
  'nothing'

async function listMembers(session: Session): Promise<undefined> {
  const { members } = await session.call('listMembers')
  const invitations = await openInvitations(session)
  const row = (one: MemberView) => [
    ...[one.email, one.name, standingText(one), instantText(one.joinedAtMs), one.invitedBy],
  ]
  const invited = (one: InvitationView) => [
    ...[one.email, '(invited)', standingText(one)],
    ...[`until ${instantText(one.expiresAtMs)}`, one.createdBy],
  ]
  const heads = ['address', 'name', 'may', 'since', 'invited by']
  session.out.answer({ members, invitations }, () =>
    table(heads, [...members.map(row), ...(invitations ?? []).map(invited)]),
  )
}

/** @returns null: they are not for who asks */
async function openInvitations(session: Session): Promise<InvitationView[] | null> {
  try {
    return (await session.call('listInvitations')).invitations
  } catch (error) {
    if (error instanceof HoldfastError && error.refusal.code === 'FORBIDDEN') return null
    throw error
  }
}

async function invite(
  session: Session,
  options: Standing & { expires: number },
  email: string,
): Promise<undefined> {
  const body = { email, ...bodyOf(options), ttlMs: options.expires }
  const made = await session.call('inviteMember', { body })
  const until = formatInstant(made.expiresAtMs, Date.now())
  session.out.answer(made, () => made.token ?? `${made.email} was sent an invitation`)
  if (made.token)
    session.out.note(
      `invitation of ${made.email}, until ${until}; shown once. No mail is sent here: pass it on.`,
    )
  if (made.signUp === 'closed')
    session.out.note('Sign-up is closed: whoever has no account cannot accept it.')
}

async function uninvite(session: Session, _options: object, email: string): Promise<undefined> {
  const done = await session.call('revokeInvitation', { params: { invitation: email } })
  session.out.answer(done, () => `the invitation of ${done.email} is taken back`)
}

async function accept(session: Session, options: { tokenFile?: string }): Promise<undefined> {
  const token = await readToken(session, options.tokenFile)
  const done = await session.call('acceptInvitation', { body: { token } })
  session.out.answer(done, () => `you belong to ${done.organisation.name}, which is in use`)
}

async function change(session: Session, options: Standing, email: string): Promise<undefined> {
  const asked = { params: { member: email }, body: bodyOf(options) }
  const done = await session.call('changeMember', asked)
  session.out.answer(done, () => `${done.email}: from now on ${said(options)}`)
}

const said = ({ role, grant = [] }: Standing) => [...(role ? [role] : []), ...grant].join(',')

async function remove(session: Session, options: YesOption, email: string): Promise<undefined> {
  await confirm(session, `remove ${email}: they may do nothing here from then on`, options)
  const done = await session.call('removeMember', { params: { member: email } })
  session.out.answer(done, () => `${done.email} is no member any more`)
}
