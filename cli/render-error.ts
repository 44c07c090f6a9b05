/** An error in four parts: what, why, what to do, and where to read about it. */
import { cliPage, errorPage } from '../schema/api/docs.ts'
import { ERRORS, HoldfastError, type Refusal } from '../schema/errors.ts'
import { EXIT, exitOf } from './exit-codes.ts'
import { clean, type Look, paint } from './text.ts'

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

export function failureOf(error: unknown): Failure {
  if (error instanceof HoldfastError) {
    const { refusal } = error
    return {
      ...refusal,
      // What the refusal itself does not say, the catalogue says of its code.
      why: refusal.why || ERRORS[refusal.code].cause,
      remedy: refusal.remedy || ERRORS[refusal.code].remedy,
      exit: exitOf(refusal.code),
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
    exit: EXIT.unexpected,
  }
}

/** A wrong command line and Ctrl-C are the command's own: its page tells about both. */
export const docsOf = ({ code }: Failure): string => (code in ERRORS ? errorPage(code) : cliPage)

export function renderFailure(failure: Failure, look: Look): string {
  const c = paint(look)
  const lines = [`${c.red('error:')} ${clean(failure.message)}   [${failure.code}]`]
  if (failure.why) lines.push(`  why:  ${indented(failure.why)}`)
  const said = (message: string) => failure.why?.includes(message) ?? false
  for (const { pointer, message } of failure.errors ?? [])
    if (!said(message)) lines.push(`        ${clean(pointer)}: ${clean(message)}`)
  if (failure.remedy) lines.push(`  try:  ${indented(failure.remedy)}`)
  const request = failure.request ? `   request: ${clean(failure.request)}` : ''
  lines.push(`  docs: ${docsOf(failure)}${request}`)
  return `${lines.join('\n')}\n`
}

const indented = (text: string) => text.split('\n').map(clean).join('\n        ')
