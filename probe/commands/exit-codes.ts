/** What the exit codes of `holdfast-probe` mean: one table for help, docs and tests. */
import { ERRORS, type ErrorCode } from '../../schema/errors.ts'
import { FATAL_EXITS } from '../host/fatal-exits.ts'

export const EXIT = {
  done: 0,
  /** A fault of ours, or a control plane that does not answer. */
  unexpected: 1,
  usage: 2,
  /** Done, and something is not as it should be; or it cannot be done on a host like this. */
  problems: 3,
  notFound: 5,
  notAllowed: 6,
  conflict: 7,
  /** A rule of the cluster forbids it. */
  refused: 8,
  /** The wait is over; what was asked for goes on. */
  timeout: 124,
} as const

/** The codes of the catalogue that a command on a host can end with. */
const CODES: readonly ErrorCode[] = [
  'INTERNAL',
  'UNAVAILABLE',
  'BAD_REQUEST',
  'BAD_MODULE',
  'NO_SERVICE_MANAGER',
  'NOT_JOINED',
  'NOT_RUNNING',
  'NOT_HELD',
  'TOKEN_INVALID',
  'NOT_A_MEMBER',
  'WRONG_KEY',
  'STATE_FOLDER',
  'NAME_TAKEN',
  'TYPE_CONFLICT',
  'RESOURCE_IN_USE',
  'NOT_FOUND',
  'JOINED_ELSEWHERE',
  'IDENTITY_IN_USE',
  'ALREADY_RUNNING',
  'LIMIT_REACHED',
]

const MEANS: Readonly<Record<keyof typeof EXIT, string>> = {
  done: 'done, or nothing had to be done',
  unexpected: 'unexpected, or the control plane does not answer',
  usage: 'usage: nothing was done',
  problems: 'done, with problems; or not possible on a host like this',
  notFound: 'not there: not joined, no guard, no such resource',
  notAllowed: 'not allowed: token, membership, key, state folder',
  conflict: 'conflict: in use, or a member already',
  refused: 'refused by a rule of the cluster',
  timeout: 'the wait is over, what was asked for goes on',
}

interface ExitRow {
  readonly exit: number
  readonly means: string
  readonly codes: readonly ErrorCode[]
  /** `run` ends with it for what time cannot mend: a service manager does not start it again. */
  readonly final: boolean
}

export const EXIT_ROWS: readonly ExitRow[] = Object.entries(EXIT).map(([key, exit]) => ({
  exit,
  means: MEANS[key as keyof typeof EXIT],
  codes: CODES.filter((code) => ERRORS[code].exit === exit),
  final: FATAL_EXITS.includes(exit),
}))

export const EXIT_HELP = `
Exit codes:
${EXIT_ROWS.map(({ exit, means }) => `  ${String(exit).padStart(3)}  ${means}`).join('\n')}

After ${FATAL_EXITS.join(', ')} a service manager must not start "run" again, after all others at once.
`
