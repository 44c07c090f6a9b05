import type { Refusal } from '../../schema/errors.ts'
import type { FenceOrder, PolicyTold } from '../../schema/fencing.ts'
import type { Hive, ReleaseReason } from '../../schema/hive.ts'
import type { Incident } from '../../schema/last-calls.ts'
import type { Observation, Observed } from '../../schema/observed.ts'
import type { LogEntry } from '../../schema/session.ts'
import type { Update } from '../../schema/update.ts'

/** What a decision is made on: what is wanted (the hive) and what was observed. */
export interface ClusterState {
  readonly hive: Hive
  readonly observed: Observed
}

/** What has to leave once the decision is committed (C4), in order. */
export type Effect =
  /** Rule U2: the welcome carries the `seq` of the commit it follows. */
  | { type: 'welcome'; nodeId: string; session: number }
  | { type: 'refuse'; nodeId: string; session: number; code: string; detail: string }
  | {
      type: 'offer'
      nodeId: string
      groupId: string
      epoch: number
      reason: OfferReason
      /** M1: a copy of this name is to come. */
      mid?: string
    }
  /** To a helper: run a fence agent. */
  | { type: 'fence'; nodeId: string; order: FenceOrder }
  | { type: 'policy'; nodeId: string; policy: PolicyTold }
  /** `session`: only that one; without it all there are of the node. */
  | { type: 'closeSession'; nodeId: string; session?: number; code: number; detail: string }

export type OfferReason = 'placement' | ReleaseReason

export type LogLine = Omit<LogEntry, 'atMs'> & {
  /** How many updates of the decision came before it: the log tells both in their order. */
  after: number
}

/** What is kept for whoever asks why, beside the hive. */
export interface Evidence {
  readonly resourceId: string
  readonly nodeId: string
  readonly what: Incident
}

/** The whole outcome of one event. Commit updates, observations and journal, then send effects. */
export interface Decision {
  /** Set when an operator's request was refused; then nothing else is. */
  readonly refused: Refusal | null
  readonly updates: readonly Update[]
  readonly observations: readonly Observation[]
  readonly effects: readonly Effect[]
  readonly log: readonly LogLine[]
  readonly evidence?: readonly Evidence[]
}
