/** Watching an operation: its steps as they go, and what came of it. It goes on when nobody watches. */
import type { OperationState, OperationView } from '../schema/api/operations.ts'
import { formatDuration } from './duration.ts'
import { outageText, StepLines } from './operation-text.ts'
import type { Session } from './session.ts'
import { EXIT_OF, type Outcome, type Progress, waitFor } from './wait.ts'

/** Of what takes less than this only the end is told. */
const QUIET_MS = 1_000

const OUTCOME: Readonly<Record<OperationState, Outcome>> = {
  running: 'problems',
  waiting: 'problems',
  done: 'done',
  problems: 'problems',
  cancelled: 'problems',
  superseded: 'problems',
}

/** What asked for it: the number of the last update, and the operation, if there is anything to do. */
export interface Begun {
  readonly seq: number
  readonly operation: string | null
}

/**
 * @param limitMs null: it is only looked at
 * @param nothing what is true when there is nothing to do
 * @returns the exit code
 */
export async function watchBegun(
  session: Session,
  { seq, operation }: Begun,
  limitMs: number | null,
  nothing: string,
): Promise<number> {
  if (operation !== null) return watchOperation(session, operation, limitMs, { seq })
  session.out.answer({ seq, operation, outcome: 'done', tookMs: 0 }, () => nothing)
  return EXIT_OF.done
}

export async function watchOperation(
  session: Session,
  id: string,
  limitMs: number | null,
  more: { readonly seq?: number } = {},
): Promise<number> {
  const params = { operation: id }
  const lines = new StepLines()
  const beganMs = performance.now()
  const waited = await waitFor(
    session,
    async () => {
      const view = await session.inCluster('getOperation', { params })
      const slow = performance.now() - beganMs >= QUIET_MS
      if (slow && !session.out.json) for (const line of lines.next(view)) session.out.note(line)
      return view
    },
    judge,
    limitMs,
    QUIET_MS,
  )
  const { last: view, tookMs } = waited
  const outcome = waited.outcome === 'done' ? OUTCOME[view.state] : waited.outcome
  session.out.answer({ ...more, outcome, tookMs, operation: view }, () => verdict(view, outcome))
  advise(session, view, outcome, tookMs)
  return EXIT_OF[outcome]
}

function judge({ state, endedAtMs }: OperationView): Progress {
  if (endedAtMs !== null) return 'done'
  return state === 'waiting' ? 'stuck' : 'going'
}

function verdict(view: OperationView, outcome: Outcome): string {
  if (outcome === 'notWaited')
    return `asked for: ${view.kind} of ${view.subject.kind} ${view.subject.name} (operation ${view.id})`
  if (outcome !== 'done') return view.summary
  const outage = outageText(view)
  const took = `${view.summary}, took ${formatDuration(view.elapsedMs)}`
  return outage === null ? took : `${took} (${outage})`
}

function advise({ out }: Session, view: OperationView, outcome: Outcome, tookMs: number): void {
  const { id, cancel } = view
  const undo = cancel === null ? '' : `   Cancel: holdfast operation cancel ${id}`
  const again = `Look again: holdfast operation watch ${id}${undo}`
  if (outcome === 'timeout')
    out.note(`Not done after ${formatDuration(tookMs)}; it goes on. ${again}`)
  if (outcome === 'interrupted') out.note(`No longer watched; it goes on. ${again}`)
  if (outcome !== 'problems') return
  const how = view.endedAtMs === null ? ` It goes on when it can. ${again}` : ''
  out.note(`To see why: holdfast why ${view.subject.name}, holdfast operation show ${id}.${how}`)
}
