/** One node from inside (rules G): what one state holds, and the times it runs by. */
import type { Faults, Removed } from '../model.ts'
import { type Fields, record } from '../record.ts'
import { type State, Stepper } from '../stepper.ts'

export type GuardRule =
  | 'terminateFirst'
  | 'noStarting'
  | 'noMark'
  | 'unbounded'
  | 'markLast'
  | 'noRecheck'
  | 'recheckNoMargin'
  | 'stopWithoutTX'
  | 'stopWithoutGap'
  | 'keepToken'
  | 'clearWhenNotRunning'
  | 'reportRunning'
  | 'yesBeforeFile'
  | 'voidAfterAck'
  | 'adoptAlways'
  | 'deadlineAhead'
  | 'noBootId'
  | 'oldRhsLives'
  | 'noRestart'
  | 'feedAlways'

export interface GuardConfig {
  readonly removed?: Removed<GuardRule>
  readonly faults?: Faults<'drop' | 'rhs' | 'fail' | 'crash' | 'guard'>
  /** How a start reaches the workload (G4). */
  readonly way?: 'child' | 'gate' | 'mark' | 'time'
  /** T_x, T_gap, time of the watchdog device (0: there is none) and lease, in ticks. */
  readonly residual?: number
  readonly gap?: number
  readonly watchdog?: number
  readonly lease?: number
  readonly onlyDual?: true
}

export const OWNER = { nobody: 0, here: 1, other: 2 } as const
export const SESSION = { none: 0, challenged: 1, welcomed: 2 } as const
/** The stop procedure (G5). */
export const STOP = { none: 0, begun: 1, rhsDead: 2, marked: 3 } as const
export const RHS = { dead: 0, idle: 1, holdsYes: 2, issued: 3 } as const

/**
 * - `renewalAge` since the last renewal, as the coordinator knows it; `leaseAge`, as the guard believes.
 * - `gapAge` and `gapBudget`: how long there has been no guard, and whether this lease allows a gap (A6).
 * - `record`: starting or running. `ackOwed`: at the end of the stop procedure.
 * - `sinceMarked`: since RHS is dead and the mark is set.
 * - `requests` at the manager before its look at the mark, with their ages; `accepted`: one is past it.
 * - `file…`: the state file, its grant, record and lease age, and whether it is of an earlier boot.
 * - `oldRhs`: an RHS of an earlier guard still holds a yes. `fileOwed`: a write that is still to come.
 */
const NODE = record([
  'owner',
  'renewalAge',
  'leaseAge',
  'session',
  'guard',
  'gapAge',
  'gapBudget',
  'grant',
  'record',
  'stop',
  'ackOwed',
  'sinceMarked',
  'rhs',
  'requests',
  'requestAge',
  'accepted',
  'mark',
  'workload',
  'fileGrant',
  'fileRecord',
  'fileAge',
  'fileOldBoot',
  'oldRhs',
  'watchdogAge',
  'fileOwed',
  'secondRequestAge',
])

export const SIZE = NODE.size

type NodeFields = ReturnType<typeof NODE.on>

export interface GuardState extends State, NodeFields {}

export function makeState(): GuardState {
  return NODE.on(new Uint8Array(SIZE), 0) as Fields<keyof NodeFields> as GuardState
}

export interface Times {
  readonly residual: number
  readonly gap: number
  readonly watchdog: number
  readonly lease: number
  /** Age of the lease at which stopping begins: lease − T_stop (L4, G6). */
  readonly lapse: number
  /** Strictly more than T_x (G5); nothing to wait for where nothing can be late. */
  readonly recheck: number
  /** Age of a lease that is none. */
  readonly noLease: number
  /** With a watchdog and no bound on the gap nobody needs to bring the guard back (G12). */
  readonly gapBounded: boolean
}

export interface GuardContext {
  readonly removed: Removed<GuardRule>
  readonly faults: Faults<'drop' | 'rhs' | 'fail' | 'crash' | 'guard'>
  readonly way: 'child' | 'gate' | 'mark' | 'time'
  readonly times: Times
  readonly stepper: Stepper<GuardState>
}

export function makeContext(config: GuardConfig): GuardContext {
  const removed = config.removed ?? {}
  const way = config.way ?? 'mark'
  const times = timesOf(config, removed, way)
  const stepper = new Stepper(makeState, (state) => normalise(state, removed, way, times))
  return { removed, faults: config.faults ?? {}, way, times, stepper }
}

function timesOf(config: GuardConfig, removed: Removed<GuardRule>, way: string): Times {
  const residual = config.residual ?? (way === 'child' || way === 'gate' ? 0 : 1)
  const [gap, watchdog] = [config.gap ?? 0, config.watchdog ?? 0]
  const stop = (removed.stopWithoutTX ? 0 : residual) + (removed.stopWithoutGap ? 0 : gap)
  const lease = config.lease ?? stop + 2
  return {
    residual,
    gap,
    watchdog,
    lease,
    lapse: lease - stop,
    recheck: residual > 0 ? residual + (removed.recheckNoMargin ? 0 : 1) : 0,
    noLease: lease + 1,
    gapBounded: gap > 0 || watchdog === 0,
  }
}

function normalise(s: GuardState, removed: Removed<GuardRule>, way: string, times: Times): void {
  if (!s.requests || way !== 'time') s.requestAge = 0
  if (s.requests < 2 || way !== 'time') s.secondRequestAge = 0
  if (way !== 'mark') s.mark = 1
  if (s.stop !== STOP.marked) s.sinceMarked = 0
  if (s.guard) s.gapAge = 0
  const believes = removed.noBootId || removed.adoptAlways || removed.deadlineAhead
  if (s.leaseAge < s.renewalAge && !believes) s.leaseAge = s.renewalAge
  if (!s.stop) s.ackOwed = 0
  if (!times.watchdog) s.watchdogAge = 0
  if (!times.gapBounded) s.gapAge = 0
  if (!removed.voidAfterAck && !removed.yesBeforeFile) s.fileOwed = 0
  // A guard that finds nothing in its file starts with no lease, whatever the file says of it.
  if (!s.fileGrant && !s.fileRecord) s.fileAge = times.noLease
}

/** The state file is written (G9). */
export function save(s: GuardState): void {
  s.fileGrant = s.grant
  s.fileRecord = s.record
  s.fileOldBoot = s.fileOwed = 0
}

export const held = (s: GuardState): boolean => s.record > 0 || s.grant > 0

/** G3, and G12: the watchdog would fire no later than the lease ends. */
export function mayStart({ removed, times }: GuardContext, s: GuardState): boolean {
  if (!s.guard || !s.grant || s.stop || s.leaseAge >= times.lapse) return false
  if (!times.watchdog || removed.feedAlways) return true
  return times.watchdog - s.watchdogAge <= times.lease - s.leaseAge
}
