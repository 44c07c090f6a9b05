import type { Command } from 'commander'
import { noun, type Runner } from '../command.ts'
import { writeSettings } from '../config-store.ts'
import { passwordFile, readPassword, readToken, tokenFile } from '../secret-input.ts'
import type { Session } from '../session.ts'

/** What the page does that links in mails lead to, without a browser. */
export function addAccount(program: Command, runner: Runner): void {
  const account = noun('account', 'an account of your own, and its password')
  account
    .command('sign-up')
    .description('has a mail sent with a token, where sign-up is open')
    .argument('<address>')
    .action(runner.action(signUp))
  account
    .command('register')
    .description('makes an account by a token (mail, invitation, owner link), and logs it in')
    .requiredOption('--name <name>', 'what you are called')
    .option('--address <address>', 'with the owner link, which names none')
    .addOption(tokenFile())
    .addOption(passwordFile())
    .action(runner.action(register))
  account
    .command('forgot')
    .description('has a mail sent with a token for a new password')
    .argument('<address>')
    .action(runner.action(forgot))
  account
    .command('reset')
    .description('a new password by a token from a mail; it ends all sessions')
    .addOption(tokenFile())
    .addOption(passwordFile())
    .action(runner.action(reset))
  program.addCommand(account)
  addSecondFactor(program, runner)
}

/** Codes of an app, asked for beside the password. */
function addSecondFactor(program: Command, runner: Runner): void {
  const factor = noun('second-factor', 'codes of an app (TOTP), asked for beside your password')
  factor
    .command('begin')
    .description('shows what an app makes codes of; asked for from its first code on')
    .addOption(passwordFile())
    .action(runner.action(begin))
  factor
    .command('confirm')
    .description('takes the first code, and shows recovery codes for when the app is lost')
    .argument('<code>')
    .action(runner.action(confirm))
  factor
    .command('remove')
    .description('no code is asked for any more')
    .argument('<code>', 'of the app, or a recovery code')
    .addOption(passwordFile())
    .action(runner.action(remove))
  program.addCommand(factor)
}

interface Files {
  tokenFile?: string
  passwordFile?: string
}

async function signUp(session: Session, _options: object, email: string): Promise<undefined> {
  const done = await session.call('signUp', { body: { email } })
  session.out.answer(done, () => `a mail is on its way to ${email}`)
  session.out.note('Go on with the token in it: holdfast account register')
}

async function register(
  session: Session,
  options: Files & { name: string; address?: string },
): Promise<undefined> {
  const token = await readToken(session, options.tokenFile)
  const password = await readPassword(session, options.passwordFile)
  const { name, address: email } = options
  const body = { token, name, password, ...(email !== undefined && { email }) }
  const { token: key, ...made } = await session.call('register', { body })
  const { url } = session.place()
  const file = writeSettings(session.surroundings.env, { url, key })
  session.out.answer({ ...made, url, file }, () => `${made.person.email} is logged in at ${url}`)
}

async function forgot(session: Session, _options: object, email: string): Promise<undefined> {
  const done = await session.call('forgotPassword', { body: { email } })
  session.out.answer(done, () => `if there is an account for ${email}, a mail is on its way`)
}

async function reset(session: Session, options: Files): Promise<undefined> {
  const token = await readToken(session, options.tokenFile)
  const password = await readPassword(session, options.passwordFile)
  const done = await session.call('resetPassword', { body: { token, password } })
  session.out.answer(done, () => 'the new password is in use; all sessions have ended')
}

async function begin(session: Session, options: Files): Promise<undefined> {
  const password = await readPassword(session, options.passwordFile)
  const begun = await session.call('beginSecondFactor', { body: { password } })
  session.out.answer(begun, () => `${begun.secret}\n${begun.uri}`)
  session.out.note('Give it to your app, then: holdfast second-factor confirm CODE')
}

async function confirm(session: Session, _options: object, code: string): Promise<undefined> {
  const done = await session.call('confirmSecondFactor', { body: { code } })
  session.out.answer(done, () => done.recoveryCodes.join('\n'))
  session.out.note(
    'Keep these where your phone is not: each lets you in once, and none is shown again.',
  )
}

async function remove(session: Session, options: Files, code: string): Promise<undefined> {
  const password = await readPassword(session, options.passwordFile)
  const done = await session.call('removeSecondFactor', { body: { password, code } })
  session.out.answer(done, () => 'no code is asked for any more')
}
