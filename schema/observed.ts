/**
 * What was observed and what is under way: kept in SQLite beside the hive, not part of its hash,
 * not replicated (S-65, Q3). Losing it costs a comparison, never a decision that was committed.
 */
import * as z from 'zod'
import type { Fencing } from './fencing.ts'
import { detail, epoch, guid, instantMs } from './ids.ts'
import { status } from './status.ts'

export const observedResource = z.strictObject({
  status,
  nodeId: guid.nullable(),
  epoch,
  sinceMs: instantMs,
  detail: detail.optional(),
  /** Restarts on this node within the restart period, as the node counts them. */
  restarts: z.int().nonnegative(),
  /** The node has used up the restart attempts and waits for the control plane's decision. */
  gaveUp: z.boolean(),
})
export type ObservedResource = z.infer<typeof observedResource>

/** An offer under way (O1): information only, may be lost at any time. */
export const pendingOffer = z.strictObject({
  nodeId: guid,
  session: z.int(),
  epoch,
  deadlineMs: instantMs,
  /** The target said yes (O2); it counts once the group is free at this epoch (O3). */
  accepted: z.boolean(),
  /** Refusals so far for the group at this epoch; those nodes are not asked again until a pause. */
  refused: z.array(z.strictObject({ nodeId: guid, reason: z.string() })),
})
export type PendingOffer = z.infer<typeof pendingOffer>

export interface Observed {
  readonly resources: Map<string, ObservedResource>
  readonly offers: Map<string, PendingOffer>
  /** Groups that no node can take now, with the reason per node; looked at again on each change. */
  readonly waiting: Map<string, Waiting>
  /** Nodes that are Up and have no session, where fencing has something to do with it. */
  readonly fencing: Map<string, Fencing>
  /** Groups that go back to where they belong once their window opens (S-19). */
  readonly failbacks: Map<string, PendingFailback>
  /** What was said of a node's drain besides that it is to be empty (S-18). */
  readonly drains: Map<string, DrainPlan>
}

export const pendingFailback = z.strictObject({ dueMs: instantMs })
export type PendingFailback = z.infer<typeof pendingFailback>

/** Absent: a drain that has no limit, and goes by placement alone. */
export const drainPlan = z.strictObject({
  /** From then on whatever has not begun to leave goes by stop and start; null: there is no such time. */
  untilMs: instantMs.nullable(),
  /** The time is over. */
  isLate: z.boolean(),
  /** The node that is asked first. */
  to: guid.nullable(),
})
export type DrainPlan = z.infer<typeof drainPlan>

export const waiting = z.strictObject({
  epoch,
  sinceMs: instantMs,
  /** After refusals: when the list is tried again. */
  retryAtMs: instantMs.nullable(),
  reasons: z.array(z.strictObject({ node: z.string(), reason: z.string() })),
})
export type Waiting = z.infer<typeof waiting>

export const emptyObserved = (): Observed => ({
  resources: new Map(),
  offers: new Map(),
  waiting: new Map(),
  fencing: new Map(),
  failbacks: new Map(),
  drains: new Map(),
})

/** A change of what is observed, committed in the same transaction as the updates. */
export type Observation =
  | { table: 'resource'; id: string; value: ObservedResource | null }
  | { table: 'offer'; id: string; value: PendingOffer | null }
  | { table: 'waiting'; id: string; value: Waiting | null }
  | { table: 'fencing'; id: string; value: Fencing | null }
  | { table: 'failback'; id: string; value: PendingFailback | null }
  | { table: 'drain'; id: string; value: DrainPlan | null }

const MAP_OF = {
  resource: 'resources',
  offer: 'offers',
  waiting: 'waiting',
  fencing: 'fencing',
  failback: 'failbacks',
  drain: 'drains',
} as const

export function applyObservation(observed: Observed, o: Observation): void {
  const table: Map<string, unknown> = observed[MAP_OF[o.table]]
  if (o.value === null) table.delete(o.id)
  else table.set(o.id, o.value)
  ;(observed as Followed)[FOLLOWER]?.(o)
}

/** On the record itself, where each copy of this module finds it; no part of its content. */
const FOLLOWER = Symbol.for('holdfast.follower')
type Followed = Observed & { [FOLLOWER]?: (o: Observation) => void }

/** Has whoever keeps something beside what is observed hear of each change; there is one for each. */
export function followObservations(observed: Observed, heard: (o: Observation) => void): void {
  Object.defineProperty(observed, FOLLOWER, { value: heard, enumerable: false, configurable: true })
}
