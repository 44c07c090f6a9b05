/** What may start (rules G2, G3, G4, C3): the guard's yes, recorded before it leaves. */
import type { ChildSpec, ProcessRef } from '../../schema/workload.ts'
import { answerCopy, notCarried } from './guard-copies.ts'
import {
  answer,
  epochOf,
  type GuardEffect,
  type GuardOutcome,
  type GuardState,
  nothing,
  recordOf,
  type StartAsk,
  type Stop,
  withRecord,
} from './guard-state.ts'
import { mayStart } from './lease.ts'
import { fedInTime } from './watchdog.ts'

/** G2, G3, C3: why the guard says no, or null when it may say yes. */
function whyNot(state: GuardState, ask: StartAsk, nowMs: number): string | null {
  if (epochOf(state.grants, ask.groupId) !== ask.epoch) return 'noGrant'
  if (state.stops.some((s) => s.kind !== 'resource' && !isOther(s, ask.groupId))) return 'stopping'
  if (state.stops.some((s) => s.kind === 'resource' && s.resourceId === ask.resourceId))
    return 'stopping'
  // G7: the record of an earlier placement ends by the stop procedure, not by a new start.
  const known = recordOf(state, ask.resourceId)
  if (known && (known.groupId !== ask.groupId || known.epoch !== ask.epoch)) return 'stopping'
  // C3, C6: under policy `fence` the grant alone is enough. Nobody else may run the group while it
  // stands and this boot is not over.
  if (state.policy.takeover === 'fence') return null
  if (!mayStart(state.leases, state.timing, nowMs)) return 'noLease'
  if (!fedInTime(state)) return 'watchdog'
  return null
}

const isOther = (s: Stop, groupId: string) => s.kind === 'group' && s.groupId !== groupId

/** A no, or the yes that stands already: what is asked for runs. Null: it is to be started. */
function answerAtOnce(state: GuardState, ask: StartAsk, nowMs: number): GuardEffect | null {
  const reason = whyNot(state, ask, nowMs)
  if (reason) return answer(ask, false, reason)
  const process = recordOf(state, ask.resourceId)?.process
  return process ? { ...answer(ask, true), process } : null
}

/** G4 (a): one step in the guard, with the lease check; recorded as starting first (G3). */
export function startChild(
  state: GuardState,
  ask: StartAsk,
  spec: ChildSpec,
  nowMs: number,
): GuardOutcome {
  const answered = answerAtOnce(state, ask, nowMs)
  if (answered) return { state, effects: [answered] }
  return {
    state: withRecord(stays(state, ask), {
      ...ask,
      way: 'child',
      phase: 'starting',
      process: null,
      ...(spec.undo && { undo: spec.undo }),
      ...(spec.daemon && { daemon: true }),
    }),
    effects: [{ type: 'persist' }, { type: 'spawn', ask, spec }],
  }
}

/** G4 (b): recorded; the gate process has to ask for itself, so nothing can be late (T_x = 0). */
export function permitGate(
  state: GuardState,
  ask: StartAsk,
  gateName: string,
  nowMs: number,
  restores?: true,
): GuardOutcome {
  const answered = answerAtOnce(state, ask, nowMs)
  if (answered) return { state, effects: [answered] }
  if (restores && hasBegun(state, ask))
    return { state, effects: [answer(ask, false, 'it has begun here already')] }
  const record = {
    ...ask,
    way: 'gate' as const,
    phase: 'starting' as const,
    gateName,
    process: null,
    ...(restores && { restores }),
  }
  return {
    state: withRecord(stays(state, ask), record),
    effects: [{ type: 'persist' }, answer(ask, true)],
  }
}

/** M3: what is started here again makes the copy of it worthless. M5: and what was saved before. */
function stays(state: GuardState, ask: StartAsk): GuardState {
  const { resourceId, groupId, epoch } = ask
  const carried = notCarried(state, groupId)
  if (hasBegun(state, ask)) return { ...state, carried }
  const begun = state.begun.filter((b) => b.resourceId !== resourceId)
  return { ...state, carried, begun: [...begun, { resourceId, groupId, epoch }] }
}

const hasBegun = (state: GuardState, { resourceId, epoch }: StartAsk) =>
  state.begun.some((b) => b.resourceId === resourceId && b.epoch === epoch)

/** The gate process itself asks, as the last thing before it becomes the workload. */
export function answerGate(
  state: GuardState,
  gateName: string,
  process: ProcessRef,
  incoming: boolean,
  nowMs: number,
): GuardOutcome {
  const copy = state.copies.find((c) => c.gateName === gateName && !c.ending)
  if (copy) return answerCopy(state, copy, process, incoming)
  const no = (reason: string): GuardOutcome => ({
    state,
    effects: [{ type: 'answerGate', yes: false, reason }],
  })
  const record = state.records.find((r) => r.gateName === gateName)
  if (!record) return no('nothing of that name may start')
  if (record.process) return no('it runs already')
  // What comes from elsewhere late must not pass for what was asked for here.
  if (incoming !== (record.restores === true)) return no('it may not start in this way')
  const reason = whyNot(state, { ...record, requestId: 0 }, nowMs)
  if (reason) return no(reason)
  return {
    state: withRecord(state, { ...record, phase: 'running', process }),
    effects: [
      { type: 'persist' },
      { type: 'answerGate', yes: true, resourceId: record.resourceId },
    ],
  }
}

export function running(
  state: GuardState,
  resourceId: string,
  process: ProcessRef,
  group: string,
): GuardOutcome {
  const record = recordOf(state, resourceId)
  if (!record) return nothing(state)
  return {
    state: withRecord(state, { ...record, phase: 'running', process, group }),
    effects: [{ type: 'persist' }],
  }
}
