import type { CallOutcome, Run } from '../core/rhs.ts'

/** Of a check so many members are named. */
const NAMED_MAX = 3

export function namesOf(runs: readonly Run[]): string {
  const names = runs.slice(0, NAMED_MAX).map((run) => run.held.name)
  const more = runs.length - names.length
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ')
}

export const messageOf = (error: unknown) =>
  error instanceof Error ? error.message : String(error)

export function reasonOf(outcome: CallOutcome): string {
  if (outcome.ok) return ''
  return 'error' in outcome ? outcome.error : outcome.refused
}
