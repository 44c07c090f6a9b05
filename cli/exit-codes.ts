/** What the command's exit code means: one table for the CLI, its help text and its tests. */
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
  /** `plan --detailed-exitcode`: there are changes. */
  changes: 10,
  /** The wait is over; the operation goes on. */
  timeout: 124,
  /** Ctrl-C: no longer watched; the operation goes on. */
  interrupted: 130,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export const EXIT_MEANS: readonly { code: ExitCode; means: string }[] = [
  { code: EXIT.done, means: 'done' },
  { code: EXIT.unexpected, means: 'unexpected, or the control plane does not answer' },
  { code: EXIT.usage, means: 'usage: nothing was done' },
  { code: EXIT.problems, means: 'done, with problems' },
  { code: EXIT.waiting, means: 'waiting for somebody' },
  { code: EXIT.notFound, means: 'not found' },
  { code: EXIT.notAllowed, means: 'not allowed' },
  { code: EXIT.conflict, means: 'conflict' },
  { code: EXIT.refused, means: 'refused by a safety rule' },
  { code: EXIT.changes, means: 'plan --detailed-exitcode: there are changes' },
  { code: EXIT.timeout, means: 'the wait is over, the operation goes on' },
  { code: EXIT.interrupted, means: 'Ctrl-C: no longer watched, the operation goes on' },
]

export const EXIT_HELP = `
Exit codes:
${EXIT_MEANS.map(({ code, means }) => `  ${String(code).padStart(3)}  ${means}`).join('\n')}
`
