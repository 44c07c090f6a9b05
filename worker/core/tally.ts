/**
 * What a decision adds to the counters that metrics show. They are kept, since what they are counted from
 * (updates, journal) is let go of after a while, and a counter never goes back.
 */
import { FAILOVER_BOUNDS } from '../../schema/metrics.ts'
import type { Observation } from '../../schema/observed.ts'
import type { Update } from '../../schema/update.ts'
import { Census } from './census.ts'
import type { ClusterState, Decision } from './decision.ts'

/** A group that left its node, and is not yet online elsewhere as far as it is wanted. */
export interface Away {
  readonly code: string
  readonly sinceMs: number
}

export interface Tally {
  /** By key: parts joined by `/`, the first of which is what is counted. */
  readonly add: Map<string, number>
  readonly left: Map<string, Away>
  /** Groups that may be online again by what was decided, and those that are no more. */
  readonly touched: Set<string>
  /** Ids of things that are no more: nor are counters about them. */
  readonly removed: Set<string>
}

/** @param state as it was before the decision: what it changes from */
export function tallyOf(state: ClusterState, decision: Decision): Tally {
  const tally: Tally = { add: new Map(), left: new Map(), touched: new Set(), removed: new Set() }
  const phases = new Map<string, string | undefined>()
  const answered = lastAnswers(decision.updates)
  for (const update of decision.updates) tallyUpdate(tally, state, update, { phases, answered })
  for (const observation of decision.observations) tallyObservation(tally, state, observation)
  return tally
}

/** Of one decision: phases as they have changed within it, and when lost hosts last answered, by cause. */
interface Context {
  readonly phases: Map<string, string | undefined>
  readonly answered: ReadonlyMap<string, number>
}

function tallyUpdate(
  tally: Tally,
  { hive }: ClusterState,
  { change, because, atMs, correlationId }: Update,
  { phases, answered }: Context,
): void {
  if (change.table === 'cluster' || change.table === 'type' || change.table === 'rule') return
  if (change.value === null) tally.removed.add(change.id)
  if (change.table === 'resource') {
    const groupId = (change.value ?? hive.resources.get(change.id))?.groupId
    if (groupId) tally.touched.add(groupId)
    return
  }
  if (change.table === 'group') {
    tally.touched.add(change.id)
    const before = phases.has(change.id)
      ? phases.get(change.id)
      : hive.groups.get(change.id)?.ownership.phase
    const phase = change.value?.ownership.phase
    phases.set(change.id, phase)
    if (before !== 'owned' || phase === 'owned' || phase === undefined) return
    count(tally.add, ['failovers', change.id, because.code])
    tally.left.set(change.id, { code: because.code, sinceMs: answered.get(correlationId) ?? atMs })
    return
  }
  const before = hive.nodes.get(change.id)
  if (before && before.state !== 'down' && change.value?.state === 'down')
    count(tally.add, ['downs', change.id, because.code])
  const fence = change.value?.lastFence
  if (fence && fence.atMs !== before?.lastFence?.atMs)
    count(tally.add, ['fences', change.id, fence.outcome])
}

/** Of a host that is lost nothing is known since it last answered: by what made it so. */
function lastAnswers(updates: readonly Update[]): Map<string, number> {
  const found = new Map<string, number>()
  for (const { change, because, correlationId } of updates) {
    const answered = because.evidence?.['lastAnswerMs'] ?? because.evidence?.['confirmedMs']
    if (change.table === 'node' && typeof answered === 'number') found.set(correlationId, answered)
  }
  return found
}

/** A node counts restarts within a period; what that count has grown by is at least what there were. */
function tallyObservation(tally: Tally, state: ClusterState, observation: Observation): void {
  if (observation.table !== 'resource') return
  const { id, value } = observation
  const groupId = state.hive.resources.get(id)?.groupId
  if (groupId) tally.touched.add(groupId)
  if (!value) return
  const before = state.observed.resources.get(id)
  const known = before && before.epoch === value.epoch ? before.restarts : 0
  if (value.restarts > known) count(tally.add, ['restarts', id], value.restarts - known)
}

function count(add: Tally['add'], key: readonly string[], by = 1): void {
  const joined = key.join('/')
  add.set(joined, (add.get(joined) ?? 0) + by)
}

/** All of it that is wanted is online on a node that owns it; or there is no such group any more. */
export function isBack(state: ClusterState, groupId: string): boolean {
  const { hive, observed } = state
  const ownership = hive.groups.get(groupId)?.ownership
  if (!ownership) return true
  if (ownership.phase !== 'owned') return false
  return Census.of(state)
    .membersOf(groupId)
    .every((id) => {
      if (hive.resources.get(id)?.persistentState !== 1) return true
      const seen = observed.resources.get(id)
      return seen?.status === 'online' && seen.epoch === ownership.epoch
    })
}

/** What the end of an absence adds: to its bucket, and to the sum in milliseconds. */
export function tallyBack({ add }: Tally, { code, sinceMs }: Away, nowMs: number): void {
  const ms = Math.max(0, nowMs - sinceMs)
  const found = FAILOVER_BOUNDS.findIndex((bound) => ms <= bound * 1_000)
  const bucket = found < 0 ? FAILOVER_BOUNDS.length : found
  count(add, ['away', code, String(bucket)])
  count(add, ['awayMs', code], ms)
}
