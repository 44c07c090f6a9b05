/**
 * Copies of workloads that another node still runs (rules M1 to M7). A copy does not execute: it is no
 * grant, is never reported as held, and becomes a workload by the ownership update alone (M4).
 */
import type { WorkloadCopy, WorkloadRecord } from '../../schema/ipc.ts'
import type { ProcessRef } from '../../schema/workload.ts'
import {
  answer,
  epochOf,
  type GuardEffect,
  type GuardOutcome,
  type GuardState,
  heldGroups,
  nothing,
  type StartAsk,
} from './guard-state.ts'

/** M1: `incoming(mid)`. M7: a node with a copy takes no other; nor one of what it holds itself. */
export function permitCopy(
  state: GuardState,
  ask: StartAsk,
  copy: Pick<WorkloadCopy, 'mid' | 'gateName'>,
): GuardOutcome {
  const no = (reason: string): GuardOutcome => ({ state, effects: [answer(ask, false, reason)] })
  if (!state.session?.welcomed) return no('there is no session')
  if (state.copies.length > 0) return no('there is a copy of another workload')
  if (epochOf(heldGroups(state), ask.groupId) !== undefined) return no('it is still here')
  if (state.records.some((r) => r.gateName === copy.gateName)) return no('it runs here')
  const { resourceId, groupId, epoch } = ask
  const incoming = { ...copy, resourceId, groupId, epoch, process: null }
  return {
    state: { ...state, copies: [incoming] },
    effects: [{ type: 'persist' }, answer(ask, true)],
  }
}

/** The gate process of a copy asks: yes only to one that waits for a state, and does not execute. */
export function answerCopy(
  state: GuardState,
  copy: WorkloadCopy,
  process: ProcessRef,
  incoming: boolean,
): GuardOutcome {
  const no = (reason: string): GuardOutcome => ({
    state,
    effects: [{ type: 'answerGate', yes: false, reason }],
  })
  if (copy.process) return no('a copy of it is here already')
  if (!incoming) return no('only a copy of it may come in')
  const came = { ...copy, process }
  return {
    state: { ...state, copies: state.copies.map((c) => (c.mid === copy.mid ? came : c)) },
    effects: [{ type: 'persist' }, { type: 'answerGate', yes: true }],
  }
}

/** M7: what is not wanted any more is killed, and the place for what has not come yet is closed. */
export function discardCopies(
  state: GuardState,
  isUnwanted: (copy: WorkloadCopy) => boolean = () => true,
): GuardOutcome {
  const unwanted = state.copies.filter((c) => !c.ending && isUnwanted(c))
  if (unwanted.length === 0) return nothing(state)
  const copies = state.copies.flatMap((c): WorkloadCopy[] => {
    if (!unwanted.includes(c)) return [c]
    return c.process ? [{ ...c, ending: true }] : []
  })
  return {
    state: { ...state, copies },
    effects: [
      { type: 'persist' },
      ...unwanted
        .filter((c) => c.process)
        .map((c): GuardEffect => ({ type: 'terminate', record: asRecord(c, c.epoch) })),
    ],
  }
}

/** It is gone: discarded, or its migration has failed. */
export function copyEnded(
  state: GuardState,
  resourceId: string,
  process: ProcessRef | null,
): GuardState {
  const copies = state.copies.filter(
    (c) =>
      c.resourceId !== resourceId ||
      c.process?.pid !== process?.pid ||
      c.process?.startTicks !== process?.startTicks,
  )
  return copies.length === state.copies.length ? state : { ...state, copies }
}

/**
 * M4, M5: the group is placed here. The copy that the source's ack names becomes its workload, which goes
 * on only with the guard's yes (G3); any other copy of it is discarded.
 */
export function takeUp(
  state: GuardState,
  granted: { groupId: string; epoch: number; resume?: { mid: string } | undefined },
): GuardOutcome {
  const { groupId, epoch, resume } = granted
  const copy = state.copies.find((c) => c.groupId === groupId && c.mid === resume?.mid)
  const fits = copy?.process && !copy.ending && copy.epoch + 1 === epoch
  if (!copy || !fits) return discardCopies(state, (c) => c.groupId === groupId)
  const record = asRecord(copy, epoch)
  return {
    state: {
      ...state,
      copies: state.copies.filter((c) => c !== copy),
      begun: [...state.begun, { resourceId: copy.resourceId, groupId, epoch }],
      records: [...state.records, record],
    },
    effects: [{ type: 'adopt', record }],
  }
}

/**
 * M3: the manager has moved it, and nothing of the group is on record any more. What is started after
 * that (C6) makes the copy worthless.
 */
export function carried(state: GuardState, ask: StartAsk, mid: string): GuardOutcome {
  const { groupId, epoch } = ask
  if (epochOf(state.grants, groupId) !== epoch)
    return { state, effects: [answer(ask, false, 'noGrant')] }
  if (state.records.some((r) => r.groupId === groupId))
    return { state, effects: [answer(ask, false, 'it still runs')] }
  return {
    state: { ...state, carried: [...notCarried(state, groupId), { groupId, epoch, mid }] },
    effects: [answer(ask, true)],
  }
}

export const notCarried = (state: GuardState, groupId: string) =>
  state.carried.filter((c) => c.groupId !== groupId)

const asRecord = (copy: WorkloadCopy, epoch: number): WorkloadRecord => ({
  ...{ resourceId: copy.resourceId, groupId: copy.groupId, epoch },
  ...{ way: 'gate', phase: 'running', gateName: copy.gateName, process: copy.process },
})
