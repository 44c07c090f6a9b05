import type { Command } from 'commander'
import type { OrganisationView, SessionView } from '../../schema/api/accounts.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { noun, type Runner } from '../command.ts'
import { forgetKey, writeSettings } from '../config-store.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import { deviceLogin } from '../device-login.ts'
import { requireDryRun } from '../dry-run.ts'
import { instantText } from '../duration.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'
import { addOrganisationEnd } from './organisation-end.ts'

export function addLogin(program: Command, runner: Runner): void {
  program
    .command('login')
    .description('logs a person in: shows a code, which is let in with a browser')
    .action(runner.action(logIn))
  program
    .command('logout')
    .description('ends the session in use, and forgets it')
    .action(runner.action(logOut))
  const session = noun('session', 'where you are logged in')
  session.command('list').description('sessions of yours').action(runner.action(listSessions))
  session
    .command('end')
    .description('ends a session of yours at once')
    .argument('<id>')
    .addOption(yesOption())
    .action(runner.action(endSession))
  program.addCommand(session)
  const org = noun('org', 'organisations that you belong to')
  addOrganisationEnd(org, runner)
  org.command('list').description('those, and what you are there').action(runner.action(listAll))
  org
    .command('use')
    .description('works in another one from now on')
    .argument('<name>')
    .action(runner.action(use))
  org
    .command('create')
    .description('makes one, which you own, where sign-up is open')
    .argument('<name>')
    .action(runner.action(create))
  program.addCommand(org)
}

async function logIn(session: Session): Promise<undefined> {
  // A session is made by whoever lets the code in: nothing here could only be tried.
  if (session.dryRun) requireDryRun('logIn')
  const { url } = session.place()
  const { env } = session.surroundings
  const made = await deviceLogin({
    ...{ url, signal: session.signal },
    show: (code, page, minutes) =>
      session.out.note(`Open ${page}\nand let in the code ${code} within ${minutes} minutes.`),
  })
  const path = writeSettings(env, { url, key: made.access_token })
  if (env['HOLDFAST_API_KEY'])
    session.out.note('HOLDFAST_API_KEY is set, and is used instead until you unset it.')
  const expiresAtMs = Date.now() + made.expires_in * 1_000
  session.out.answer({ url, file: path, expiresAtMs }, () => `logged in at ${url}`)
}

async function logOut(session: Session): Promise<undefined> {
  const { key = '' } = session.place()
  if (!key.startsWith('hfs_'))
    throw new HoldfastError({
      code: 'UNAUTHENTICATED',
      message: 'nobody is logged in',
      why: key ? 'What is in use is an API key, which is nobody.' : 'There is no session in use.',
      remedy: 'To end a key: holdfast key revoke NAME',
    })
  const { id } = await session.call('logOut')
  const forgotten = forgetKey(session.surroundings.env, key)
  session.out.answer({ id, forgotten }, () => 'logged out')
}

async function listSessions(session: Session): Promise<undefined> {
  const { sessions } = await session.call('listSessions')
  const row = (one: SessionView) => [
    one.id,
    one.current ? 'this one' : instantText(one.lastUsedAtMs),
    instantText(one.expiresAtMs),
    one.from ?? '-',
    one.agent ?? '-',
  ]
  const heads = ['id', 'last used', 'expires', 'from', 'with']
  session.out.answer({ sessions }, () => table(heads, sessions.map(row)))
}

async function endSession(session: Session, options: YesOption, id: string): Promise<undefined> {
  await confirm(session, `end session ${id}: whatever uses it is refused from then on`, options)
  const done = await session.call('endSession', { params: { session: id } })
  session.out.answer(done, () => `session ${done.id} ended`)
}

async function listAll(session: Session): Promise<undefined> {
  const { organisations } = await session.call('listOrganisations')
  const row = (one: OrganisationView) => [
    one.name,
    one.role ?? 'in single clusters',
    one.current ? 'in use' : '',
  ]
  session.out.answer({ organisations }, () =>
    table(['name', 'you are', ''], organisations.map(row)),
  )
}

async function use(session: Session, _options: object, name: string): Promise<undefined> {
  const done = await session.call('useOrganisation', { body: { organisation: name } })
  session.out.answer(done, () => `working in ${done.organisation.name}`)
}

async function create(session: Session, _options: object, name: string): Promise<undefined> {
  const done = await session.call('createOrganisation', { body: { name } })
  session.out.answer(done, () => `organisation ${done.organisation.name}, which you own, is in use`)
}
