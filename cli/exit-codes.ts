/** What the command's exit code means: one table for the CLI, its help text and its tests. */
import { ERRORS, type ErrorCode } from '../schema/errors.ts'

export const EXIT = {
  done: 0,
  /** A fault of ours, or a control plane that does not answer. */
  unexpected: 1,
  usage: 2,
  /** Done, but not as wished: the group failed, or stands on another node. */
  problems: 3,
  /** Waits for somebody: an approval, a confirmed fence. */
  waiting: 4,
  notFound: 5,
  notAllowed: 6,
  conflict: 7,
  /** A safety rule forbids it. */
  refused: 8,
  /** The wait is over; the operation goes on. */
  timeout: 124,
  /** Ctrl-C: no longer watched; the operation goes on. */
  interrupted: 130,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export const exitOf = (code: ErrorCode): number => ERRORS[code].exit

export const EXIT_HELP = `
Exit codes:
  0 done   1 unexpected, unreachable   2 usage   3 done with problems   4 waiting for somebody
  5 not found   6 not allowed   7 conflict   8 refused by a safety rule
  124 wait is over, operation goes on   130 Ctrl-C, operation goes on
`
