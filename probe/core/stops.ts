/** How a resource is brought offline: gracefully or at once, now or when it is its turn (S-40, S-41, S-50). */
import type { Run, Work } from './rhs-state.ts'

/** Whether it is killed instead of being stopped gracefully. */
export function stopsAtOnce(work: Work, run: Run): boolean {
  const { stopHere, hurry } = run.held
  return stopHere === 'kill' || (hurry === true && work.hintsOf(run).fastOffline === true)
}

export function stop(work: Work, run: Run): void {
  if (stopsAtOnce(work, run)) work.call(work.status(run, 'offlinePending'), 'terminate')
  else if (mayStop(work, run)) work.call(work.status(run, 'offlinePending'), 'offline')
}

/** As many of its type at once as its module has said; in the order of their GUIDs. */
function mayStop(work: Work, run: Run): boolean {
  const { guid, type } = run.held
  const most = work.hintsOf(run).parallelStop
  if (most === undefined) return true
  let now = 0
  for (const other of work.runs.values())
    if (other.held.type === type && other.call?.fn === 'offline') now += 1
  if (now < most) {
    work.waiting.delete(guid)
    return true
  }
  if (!work.waiting.has(guid)) work.log(run, `waits: ${most} of ${type} are stopped at once`)
  work.waiting.add(guid)
  return false
}

/** Whether it still needs a turn: it is neither being stopped, nor down, nor wanted again. */
export const waitsToStop = (run: Run | undefined): boolean =>
  run !== undefined && !run.call && run.held.target === 0 && run.status !== 'offline'
