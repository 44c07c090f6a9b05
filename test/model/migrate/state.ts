/** Live migration (rules M): what one state holds, and what happens to it whoever does it. */
import type { Faults, Removed } from '../model.ts'
import { at, range, record } from '../record.ts'
import type { State } from '../stepper.ts'

export type MigrateRule =
  | 'autoRun'
  | 'trustManager'
  | 'resumeWithoutAck'
  | 'ackEarly'
  | 'resumeAfterDown'
  | 'restartAndAck'
  | 'anyEpochAck'
  | 'keepCopy'
  | 'copyOutlivesLease'

export interface MigrateConfig {
  readonly removed?: Removed<MigrateRule>
  readonly faults?: Faults<'restart' | 'drop' | 'crash' | 'fail'>
  /** Longest real life of the lease, in ticks. */
  readonly lease?: number
  readonly onlyDual?: true
}

export const NOBODY = 2

/** What the manager does about a migration. */
export const JOB = {
  none: 0,
  preCopy: 1,
  /** The source is paused, the rest is under way. */
  switchOver: 2,
  /** The copy is complete; the source does not know it yet. */
  complete: 3,
  /** The source will be resumed. */
  failed: 4,
} as const

/** Paused at the switch-over counts as running: the manager may resume it at any time. */
export const RUNS = { no: 0, executes: 1, paused: 2, stale: 3 } as const
export const COPY = { none: 0, incomplete: 1, complete: 2 } as const
export const COMMAND = { none: 0, start: 1, resume: 2, offline: 3, migrate: 4 } as const
export const ACK = { none: 0, terminated: 1, inTheCopy: 2 } as const

/** `resumable`: 1 + the node whose copy may be resumed (M5). */
const GROUP = record(['owner', 'resumable', 'job', 'source'])

/**
 * `copyStale`: the guest has executed since the copy was made. `movedAway`: the manager says
 * "migrated". `ackOfEpoch`: the ack belongs to the present epoch (M6).
 */
const NODE = record([
  'up',
  'session',
  'leaseAge',
  'grant',
  'runs',
  'copy',
  'copyStale',
  'movedAway',
  'command',
  'ack',
  'ackOfEpoch',
])

export type Node = ReturnType<typeof NODE.on>

export interface MigrateState extends State {
  readonly group: ReturnType<typeof GROUP.on>
  readonly nodes: readonly Node[]
}

export const SIZE = GROUP.size + 2 * NODE.size

export function makeState(): MigrateState {
  const bytes = new Uint8Array(SIZE)
  const nodes = range(2, (n) => NODE.on(bytes, GROUP.size + n * NODE.size))
  return { bytes, group: GROUP.on(bytes, 0), nodes }
}

export function normalise({ group, nodes }: MigrateState): void {
  if (!group.job) group.source = 0
  for (const node of nodes) {
    if (node.copy !== COPY.complete) node.copyStale = 0
    if (!node.session) node.command = node.ack = 0
    if (!node.ack) node.ackOfEpoch = 0
    if (!node.grant) node.movedAway = 0
  }
}

/** The guest executes: every finished copy is older than its state from now on. */
export function guestExecutes({ nodes }: MigrateState): void {
  for (const node of nodes) if (node.copy === COPY.complete) node.copyStale = 1
}

/** A new epoch: acks under way are about an earlier one. */
export function newEpoch({ nodes }: MigrateState): void {
  for (const node of nodes) node.ackOfEpoch = 0
}

/** What happens to a running migration when node `n` gives up its part in it. */
export function breakJob({ group, nodes }: MigrateState, n: number): void {
  if (!group.job) return
  const target = at(nodes, 1 - group.source)
  if (group.source !== n) {
    group.job = at(nodes, group.source).runs === RUNS.paused ? JOB.failed : JOB.none
    return
  }
  if (group.job < JOB.complete && target.copy) target.copy = COPY.incomplete
  group.job = JOB.none
}

/** Everything on this host has ended. */
export function killAll(state: MigrateState, n: number): void {
  breakJob(state, n)
  const node = at(state.nodes, n)
  node.grant = node.runs = node.copy = node.movedAway = 0
  node.session = node.command = node.ack = 0
}
