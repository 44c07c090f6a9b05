/** The stop procedure and what waits for its end (rules G5, L4, L5, S3). */
import type { WorkloadRecord } from '../../schema/ipc.ts'
import type { ProcessRef } from '../../schema/workload.ts'
import { copyEnded, discardCopies } from './guard-copies.ts'
import {
  epochOf,
  type GuardEffect,
  type GuardOutcome,
  type GuardState,
  heldGroups,
  nothing,
  put,
  recordOf,
  type Stop,
} from './guard-state.ts'
import { NO_LEASES } from './lease.ts'

/** L4, L5, G5: void all grants (file), kill RHS, terminate all that is recorded. */
export function lapse(state: GuardState, lease: 'pong' | 'authority'): GuardOutcome {
  const next: GuardState = {
    ...state,
    leases: NO_LEASES,
    grants: [],
    begun: [],
    carried: [],
    session: null,
    stops: [...state.stops.filter((s) => s.kind !== 'lapse'), { kind: 'lapse' }],
  }
  // M7: whoever has lapsed speaks for nothing, and has no use for a copy.
  const discarded = discardCopies(next)
  const done = finishStops(discarded.state)
  return {
    state: done.state,
    effects: [
      { type: 'persist' },
      { type: 'killRhs', monitor: 'all' },
      ...state.records.map((record) => ({ type: 'terminate' as const, record })),
      ...discarded.effects,
      { type: 'toAgent', frame: { t: 'lapsed', lease } },
      ...done.effects,
    ],
  }
}

/** Offline or give-up of one group: the grant goes first, in the file too; then what runs. */
export function stopGroup(state: GuardState, groupId: string, epoch: number): GuardOutcome {
  const held = epochOf(heldGroups(state), groupId)
  if (held !== undefined && held !== epoch) return nothing(state)
  const next: GuardState = {
    ...state,
    grants: state.grants.filter((g) => g.groupId !== groupId),
    begun: state.begun.filter((b) => b.groupId !== groupId),
    seen: put(state.seen, { groupId, epoch: Math.max(epoch, epochOf(state.seen, groupId) ?? 0) }),
    stops: [...state.stops, { kind: 'group', groupId, epoch }],
  }
  const done = finishStops(next)
  const records = state.records.filter((r) => r.groupId === groupId)
  return {
    state: done.state,
    effects: [
      { type: 'persist' },
      ...openYes(records).map((monitor) => ({ type: 'killRhs' as const, monitor })),
      ...records.map((record) => ({ type: 'terminate' as const, record })),
      ...done.effects,
    ],
  }
}

/**
 * G5, G7: monitors with a yes for this group that has not become a process. RHS stops what it runs
 * before the guard is asked to, so this is one that hangs or was passed by. All others are spared.
 */
function openYes(records: readonly WorkloadRecord[]): string[] {
  const open = records.filter((r) => r.phase === 'starting' && r.process === null)
  return [...new Set(open.flatMap((r) => r.monitor ?? []))].sort()
}

/** One resource: its grant stays, its record ends. */
export function stopResource(
  state: GuardState,
  resourceId: string,
  requestId: number,
): GuardOutcome {
  const record = recordOf(state, resourceId)
  const next: GuardState = {
    ...state,
    stops: [...state.stops, { kind: 'resource', resourceId, requestId }],
  }
  const done = finishStops(next)
  return {
    state: done.state,
    effects: [...(record ? [{ type: 'terminate' as const, record }] : []), ...done.effects],
  }
}

/** Nothing of it runs: the record ends (file), and only then is anything acked (G5, G9). */
export function clear(
  state: GuardState,
  resourceId: string,
  process: ProcessRef | null,
): GuardOutcome {
  const left = copyEnded(state, resourceId, process)
  if (left !== state) return { state: left, effects: [{ type: 'persistLater' }] }
  const record = recordOf(state, resourceId)
  // Of an earlier start: what has been started since is still on record, and runs (G7).
  if (!record || !sameProcess(record.process, process)) return nothing(state)
  const records = state.records.filter((r) => r.resourceId !== resourceId)
  const done = finishStops({ ...state, records })
  // Where nothing is acked the file may follow later: a record of what is dead ends by itself.
  const persist = { type: done.effects.length > 0 ? 'persist' : 'persistLater' } as const
  return { state: done.state, effects: [persist, ...done.effects] }
}

function sameProcess(a: ProcessRef | null, b: ProcessRef | null): boolean {
  return a?.pid === b?.pid && a?.startTicks === b?.startTicks
}

/** Acks every stop that has nothing left on record; then a waiting challenge is answered. */
function finishStops(state: GuardState): GuardOutcome {
  const effects: GuardEffect[] = []
  const left = state.stops.filter((stop) => {
    if (state.records.some((r) => concerns(stop, r))) return true
    if (stop.kind === 'group') {
      const { groupId, epoch } = stop
      // M3: the grant is gone, and nothing has been started since the state was carried away.
      const mid = state.carried.find((c) => c.groupId === groupId && c.epoch === epoch)?.mid
      const frame = {
        t: 'stopped' as const,
        groupId,
        epoch,
        ...(mid !== undefined && { copy: mid }),
      }
      effects.push({ type: 'toAgent', frame })
    }
    if (stop.kind === 'resource')
      effects.push({ type: 'answerRhs', requestId: stop.requestId, ok: true })
    return false
  })
  const over = state.stops.filter((stop) => !left.includes(stop))
  const carried = state.carried.filter(
    (c) => !over.some((stop) => stop.kind === 'group' && stop.groupId === c.groupId),
  )
  const reported = report({ ...state, stops: left, carried })
  return { state: reported.state, effects: [...effects, ...reported.effects] }
}

function concerns(stop: Stop, record: WorkloadRecord): boolean {
  if (stop.kind === 'lapse') return true
  return stop.kind === 'group'
    ? stop.groupId === record.groupId
    : stop.resourceId === record.resourceId
}

/** S3: made after the challenge, only when nothing is being stopped by a lapse. */
export function report(state: GuardState): GuardOutcome {
  if (state.challenge === null || state.stops.some((s) => s.kind === 'lapse')) return nothing(state)
  const held = heldGroups(state)
  const session = state.challenge
  return {
    state: {
      ...state,
      challenge: null,
      session: { number: session, welcomed: false },
      // L2: an empty report resets the lease to none.
      leases: held.length === 0 ? NO_LEASES : state.leases,
    },
    effects: [{ type: 'toAgent', frame: { t: 'held', session, held } }],
  }
}
