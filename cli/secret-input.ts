/** Secrets are never on a command line, where every user of the machine sees them. */
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { Option } from 'commander'
import { HoldfastError } from '../schema/errors.ts'
import { readText } from './read-text.ts'
import type { Session } from './session.ts'
import { isInteractive } from './surroundings.ts'

export const tokenFile = (): Option =>
  new Option(
    '--token-file <path>',
    'file with the token; else it is asked for, or on standard input',
  )

export const passwordFile = (): Option =>
  new Option('--password-file <path>', 'file with the password; else it is asked for')

/** From a terminal, a file or standard input. @throws {HoldfastError} BAD_REQUEST: there is none */
export async function readToken(session: Session, file: string | undefined): Promise<string> {
  const text = canAsk(session, file)
    ? await prompt(session, 'token: ')
    : await readText(
        session.surroundings,
        file ?? '-',
        'Name the file with the token: --token-file PATH',
      )
  if (text.trim()) return text.trim()
  throw missing('token')
}

export const secretFile = (): Option =>
  new Option(
    '--secret-file <path>',
    'file with what is secret; pagerduty: the integration key; slack, heartbeat: the URL',
  )

/** From a terminal, a file or standard input. @throws {HoldfastError} BAD_REQUEST: there is none */
export async function readSecret(session: Session, file: string | undefined): Promise<string> {
  const text = canAsk(session, file)
    ? await prompt(session, 'secret: ')
    : await readText(session.surroundings, file ?? '-', 'Name the file with the secret.')
  if (text.trim()) return text.trim()
  throw missing('secret')
}

/** From a terminal or a file: standard input may have the token. @throws {HoldfastError} BAD_REQUEST */
export async function readPassword(session: Session, file: string | undefined): Promise<string> {
  if (file === undefined && !canAsk(session, file)) throw missing('password')
  const text =
    file === undefined
      ? await prompt(session, 'password: ')
      : await readText(session.surroundings, file, 'Name the file with the password.')
  // The end of its line is none of it; a space may be.
  const password = text.replace(/\r?\n$/, '')
  if (password) return password
  throw missing('password')
}

const canAsk = ({ surroundings, out }: Session, file: string | undefined): boolean =>
  file === undefined && isInteractive(surroundings) && !out.json

const missing = (what: 'token' | 'password' | 'secret') =>
  new HoldfastError({
    code: 'BAD_REQUEST',
    message: `there is no ${what}`,
    why: 'There is no terminal to ask at, or nothing was given.',
    remedy: `Name the file that it is in: --${what}-file PATH`,
  })

/** What is typed is not shown. */
async function prompt({ surroundings, signal }: Session, question: string): Promise<string> {
  surroundings.stderr.write(question)
  const nowhere = new Writable({ write: (_part, _encoding, done) => done() })
  const line = createInterface({ input: surroundings.stdin, output: nowhere, terminal: true })
  try {
    return await line.question('', { signal })
  } finally {
    line.close()
    surroundings.stderr.write('\n')
  }
}
