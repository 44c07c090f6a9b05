/**
 * The guard as a pure function: leases, grants, records, and the stop procedure (rules L, G, S3,
 * C2, C3, C6, U2). The shell carries the effects out in their order: what is to be written to the
 * state file is written before what follows it leaves (G9).
 */

import type { WorkloadRecord } from '../../schema/ipc.ts'
import { unreachable } from '../../schema/unreachable.ts'
import { carried, discardCopies, permitCopy, takeUp } from './guard-copies.ts'
import { policyAfter, takePolicy } from './guard-policy.ts'
import { answerGate, permitGate, running, startChild } from './guard-starts.ts'
import {
  emptyGuard,
  epochOf,
  type GuardEvent,
  type GuardFile,
  type GuardOutcome,
  type GuardState,
  heldGroups,
  nothing,
  put,
} from './guard-state.ts'
import { clear, lapse, report, stopGroup, stopResource } from './guard-stops.ts'
import { mayStart, renewed, stopTime } from './lease.ts'

export type {
  GuardEffect,
  GuardEvent,
  GuardFile,
  GuardOutcome,
  GuardState,
  StartAsk,
} from './guard-state.ts'
export { emptyGuard, heldGroups } from './guard-state.ts'

/**
 * A new guard (G10): adopts grant and record iff the boot is the same and the stop time in the file
 * has not passed. Everything else that is recorded goes through the stop procedure.
 *
 * @param fresh names the memory of a guard that adopts nothing
 */
export function adoptGuard(
  file: GuardFile | null,
  boot: string,
  fresh: string,
  nowMs: number,
): GuardOutcome {
  const empty = emptyGuard(boot, fresh)
  if (!file || file.boot !== boot) return { state: empty, effects: [{ type: 'persist' }] }
  const kept: GuardState = { ...empty, ...file }
  // Under policy `fence` what it holds is its own until this boot is over, which it is not.
  if (file.policy.takeover === 'fence') return adopted(kept)
  const stop = stopTime(file.leases, file.timing)
  if (!stop || nowMs >= stop.atMs) return lapse(kept, 'pong')
  return adopted(kept)
}

/** Grants and their records go on; a record without a grant means that a stop was under way. */
function adopted(kept: GuardState): GuardOutcome {
  const granted = (r: WorkloadRecord) =>
    kept.grants.some((g) => g.groupId === r.groupId && g.epoch === r.epoch)
  const orphans = kept.records.filter((r) => !granted(r))
  // M7: nobody knows what has become of them meanwhile.
  const none = discardCopies(kept)
  return {
    state: {
      ...none.state,
      stops: orphans.map((r) => ({ kind: 'group', groupId: r.groupId, epoch: r.epoch })),
    },
    effects: [
      ...none.effects,
      ...orphans.map((record) => ({ type: 'terminate' as const, record })),
    ],
  }
}

export function guardStep(state: GuardState, event: GuardEvent, nowMs: number): GuardOutcome {
  return policyAfter(take(state, event, nowMs), nowMs)
}

function take(state: GuardState, event: GuardEvent, nowMs: number): GuardOutcome {
  // L5: a lapse that is due comes first, whatever arrived: a late renewal revives nothing.
  const due = lapseDue(state, nowMs)
  if (due && event.type === 'childStarted') {
    // G5: what was forked a moment ago has to be known before it can be ended. A lapse that ended
    // the record without its process would leave it running.
    const known = running(state, event.resourceId, event.process, event.group)
    const lapsed = lapse(known.state, due)
    return { state: lapsed.state, effects: [...known.effects, ...lapsed.effects] }
  }
  if (due && event.type !== 'tick') {
    const lapsed = lapse(state, due)
    const after = take(lapsed.state, event, nowMs)
    return { state: after.state, effects: [...lapsed.effects, ...after.effects] }
  }
  switch (event.type) {
    case 'tick':
      return due ? lapse(state, due) : nothing(state)
    case 'everythingMustStop':
      return lapse(state, 'authority')
    case 'challenged': {
      // M7: by the report that follows, others may decide what runs where.
      const none = discardCopies({ ...state, session: null, challenge: event.session })
      const reported = report(none.state)
      return { state: reported.state, effects: [...none.effects, ...reported.effects] }
    }
    case 'welcomed':
      return welcome(state, event, nowMs)
    case 'policyTold':
      return state.session?.welcomed && state.session.number === event.session
        ? takePolicy(state, event.policy, nowMs)
        : nothing(state)
    case 'fed':
      return nothing({ ...state, watchdog: { timeoutMs: event.timeoutMs, fedMs: nowMs } })
    case 'sessionClosed':
      return nothing(state.session?.number === event.session ? { ...state, session: null } : state)
    case 'renewed':
      return renew(state, event)
    case 'granted':
      return grant(state, event)
    case 'groupStopAsked':
      return stopGroup(state, event.groupId, event.epoch)
    case 'childAsked':
      return startChild(state, event.ask, event.spec, nowMs)
    case 'gatePermitAsked':
      return permitGate(state, event.ask, event.gateName, nowMs, event.restores)
    case 'gateAsked':
      return answerGate(state, event.gateName, event.process, event.incoming, nowMs)
    case 'copyAsked':
      return permitCopy(state, event.ask, event)
    case 'copiesWanted':
      return discardCopies(state, (copy) => !event.mids.includes(copy.mid))
    case 'carried':
      return carried(state, event.ask, event.mid)
    case 'childStarted':
      return running(state, event.resourceId, event.process, event.group)
    case 'resourceStopAsked':
      return stopResource(state, event.resourceId, event.requestId)
    case 'nothingRuns':
      return clear(state, event.resourceId, event.process)
    default:
      return unreachable(event)
  }
}

/**
 * Asked once more right before something starts: the record may have taken long to write, or the
 * guard may have stood still since it said yes (G2, A5). Under policy `fence` no lease is asked for:
 * the grant stands for as long as this boot does (C3, C6).
 */
export const leaseStands = (state: GuardState, nowMs: number): boolean =>
  state.policy.takeover === 'fence' || mayStart(state.leases, state.timing, nowMs)

/** When the guard has to look again even if nothing is heard, or null. */
export function guardDeadline(state: GuardState): number | null {
  if (!isBound(state)) return null
  return stopTime(state.leases, state.timing)?.atMs ?? null
}

function lapseDue(state: GuardState, nowMs: number): 'pong' | 'authority' | null {
  if (!isBound(state)) return null
  const stop = stopTime(state.leases, state.timing)
  return stop && nowMs >= stop.atMs ? stop.lease : null
}

/** Whether its leases bind it: something is held, and others may take it over by them. */
function isBound(state: GuardState): boolean {
  if (state.policy.takeover === 'fence') return false
  return state.grants.length > 0 || state.records.length > 0
}

function welcome(
  state: GuardState,
  event: Extract<GuardEvent, { type: 'welcomed' }>,
  nowMs: number,
): GuardOutcome {
  const { session, timing, policy } = event
  if (state.session?.number !== session) return nothing(state)
  const welcomed = { ...state, timing, session: { number: session, welcomed: true } }
  const told = takePolicy(welcomed, policy, nowMs)
  return { state: told.state, effects: [{ type: 'persist' }, ...told.effects] }
}

/** L2: only answers on the current, welcomed session renew. */
function renew(state: GuardState, event: Extract<GuardEvent, { type: 'renewed' }>): GuardOutcome {
  if (!state.session?.welcomed || state.session.number !== event.session) return nothing(state)
  const leases = renewed(state.leases, event.lease, event.sentAtMs, state.timing)
  // G9: a renewed deadline is written after the answer that renewed it. Nothing waits for it.
  return { state: { ...state, leases }, effects: [{ type: 'persistLater' }] }
}

/** U2 is the agent's check; C2, U4 are made here: this memory of epochs outlives the agent. */
function grant(state: GuardState, event: Extract<GuardEvent, { type: 'granted' }>): GuardOutcome {
  const { groupId, epoch, session } = event
  const deny = (reason: string): GuardOutcome => ({
    state,
    effects: [{ type: 'toAgent', frame: { t: 'denied', groupId, epoch, reason } }],
  })
  if (!state.session?.welcomed || state.session.number !== session) return deny('C1: other session')
  const seen = epochOf(state.seen, groupId)
  if (seen !== undefined && epoch <= seen) return deny(`C2: epoch ${seen} was seen already`)
  const held = epochOf(heldGroups(state), groupId)
  if (held !== undefined) return deny(`C5: epoch ${held} is not stopped yet`)
  const taken = takeUp(state, event)
  return {
    state: {
      ...taken.state,
      grants: [...state.grants, { groupId, epoch }],
      seen: put(state.seen, { groupId, epoch }),
    },
    effects: [
      { type: 'persist' },
      ...taken.effects,
      { type: 'toAgent', frame: { t: 'granted', groupId, epoch } },
    ],
  }
}
