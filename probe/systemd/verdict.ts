/**
 * What the end of a unit means: a crash to be repaired, or somebody's intent to be respected (S-62).
 * systemd stops a unit only by a job. A job that the cluster has not asked for is intent; an end
 * without one is none, however clean it looks. Pure.
 */
import type { ReportedStatus } from '../../schema/status.ts'
import type { UnitEnd } from './manager.ts'

/** One run of a unit, as far as systemd has told of it. */
export interface Run {
  readonly activeState: string
  /** Jobs under way that others have asked for. */
  readonly foreign: readonly string[]
  /** What was said about its end. One end has one meaning. */
  readonly verdict: Verdict | null
}

export interface Verdict {
  readonly status: Extract<ReportedStatus, 'failed' | 'stopped'>
  readonly detail: string
}

export const NEW_RUN: Run = { activeState: '', foreign: [], verdict: null }

export const isUp = (activeState: string): boolean =>
  activeState === 'active' || activeState === 'reloading' || activeState === 'refreshing'

/** No process of it is left, as systemd has it. */
export const isDown = (activeState: string): boolean =>
  activeState === 'inactive' || activeState === 'failed'

/** Somebody has asked for something. */
export const afterJobNew = (run: Run, job: string): Run => ({
  ...run,
  foreign: [...run.foreign, job],
})

/** systemd tells how a unit stands before it tells that a job has ended. */
export function afterJobRemoved(run: Run, job: string, result: string): Run {
  if (!run.foreign.includes(job)) return run
  const left = { ...run, foreign: run.foreign.filter((one) => one !== job) }
  return result === 'done' && isDown(run.activeState) ? ended(left, STOPPED) : left
}

/**
 * @param patience systemd may still say that somebody has asked for it
 * @returns the run, without a verdict while that is open
 */
export function afterState(run: Run, activeState: string, end: UnitEnd, patience: boolean): Run {
  if (isUp(activeState)) return { ...run, activeState, verdict: null }
  const now = { ...run, activeState }
  if (!isDown(activeState)) return now
  // A job that is under way says at its end what it was: a stop, or the first half of a restart.
  if (run.foreign.length > 0) return now
  if (end.result === 'success' && patience) return now
  return ended(now, { status: 'failed', detail: describe(end) })
}

/** For people: what systemd says, and how its main process ended. */
export function describe({ result, code, status }: UnitEnd): string {
  const how = code === CLD_EXITED ? `exit code ${status}` : `signal ${status}`
  const main = code === 0 ? 'it has ended' : `its main process ended (${how})`
  return result === 'success'
    ? `${main}, and nobody has asked systemd to stop it`
    : `${main}, Result=${result}`
}

const CLD_EXITED = 1
const STOPPED: Verdict = {
  status: 'stopped',
  detail: 'stopped by a job of systemd (systemctl stop)',
}

const ended = (run: Run, verdict: Verdict): Run =>
  run.verdict === null ? { ...run, verdict } : run
