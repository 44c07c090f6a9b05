/** How a command fails: what, why, what to do, and where to read about it. For all commands alike. */
import { ERRORS, HoldfastError, type Refusal } from '../errors.ts'
import { errorPage } from './docs.ts'

export interface Failure {
  /** A code of the catalogue, `USAGE` for a wrong command line, `INTERRUPTED` for Ctrl-C. */
  readonly code: string
  readonly message: string
  readonly why?: string | undefined
  readonly remedy?: string | undefined
  readonly errors?: Refusal['errors'] | undefined
  /** Request id at the control plane. */
  readonly request?: string | undefined
  readonly exit: number
}

/** Exit code of what nobody foresaw. */
const UNEXPECTED = 1

export function failureOf(error: unknown): Failure {
  if (error instanceof HoldfastError) {
    const { refusal } = error
    return {
      ...refusal,
      // What the refusal itself does not say, the catalogue says of its code.
      why: refusal.why || ERRORS[refusal.code].cause,
      remedy: refusal.remedy || ERRORS[refusal.code].remedy,
      exit: ERRORS[refusal.code].exit,
    }
  }
  const text = error instanceof Error ? error.message : String(error)
  // The client checks what it is given: an answer that does not fit is of another version.
  const foreign = error instanceof Error && /^(\$?Zod|Syntax)Error$/.test(error.name)
  return {
    code: 'INTERNAL',
    message: foreign ? 'the answer of the control plane cannot be read' : 'unexpected error',
    why: text,
    remedy: foreign
      ? 'The command and the control plane may be of different versions.'
      : 'Run it again; if it stays, report it with this text.',
    exit: UNEXPECTED,
  }
}

/** @param page of the command itself, for what is no code of the catalogue */
export const docsOf = ({ code }: Failure, page: string): string =>
  code in ERRORS ? errorPage(code) : page

/** What the parser of a command line says, in our words; null for help and version: no failure. */
export function usageFailure(
  error: { readonly code: string; readonly message: string; readonly exitCode: number },
  exit: number,
): Failure | null {
  if (error.exitCode === 0) return null
  const isHelp = error.code === 'commander.help'
  const [message = '', hint = ''] = error.message.replace(/^error: /, '').split('\n')
  const near = /^\(Did you mean (.+)\?\)$/.exec(hint)?.[1]
  return {
    code: 'USAGE',
    message: isHelp ? 'a command is missing' : message,
    why: 'The command line does not say what is wanted, so nothing was done.',
    remedy: near ? `did you mean ${near}?` : 'Add --help to see what there is.',
    exit,
  }
}

/** @param page where the command itself is described; @param red paints the word `error:` */
export function failureText(
  failure: Failure,
  page: string,
  red: (text: string) => string = (text) => text,
): string {
  const lines = [`${red('error:')} ${clean(failure.message)}   [${failure.code}]`]
  if (failure.why) lines.push(`  why:  ${indented(failure.why)}`)
  const said = (message: string) => failure.why?.includes(message) ?? false
  for (const { pointer, message } of failure.errors ?? [])
    if (!said(message)) lines.push(`        ${clean(pointer)}: ${clean(message)}`)
  if (failure.remedy) lines.push(`  try:  ${indented(failure.remedy)}`)
  const request = failure.request ? `   request: ${clean(failure.request)}` : ''
  lines.push(`  docs: ${docsOf(failure, page)}${request}`)
  return `${lines.join('\n')}\n`
}

/** Text from elsewhere, made safe for a terminal: nothing in it can move the cursor. */
export const clean = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')

const indented = (text: string) => text.split('\n').map(clean).join('\n        ')
