/**
 * Operations, told from the requests in the journal and from what has been committed and heard since. This
 * decides nothing and stores nothing: what runs is the cluster itself.
 */
import type { OperationView } from '../../../schema/api/operations.ts'
import { type Begun, type Facts, kindOf, type Told, verbOf } from './begun.ts'
import { tellDrain } from './drain.ts'
import { tellLeave } from './leave.ts'
import { tellWant } from './want.ts'

/** @returns null: the request is none that takes its time */
export function operationOf(begun: Begun, facts: Facts): OperationView | null {
  const verb = verbOf(begun.request)
  if (!verb) return null
  const told = tell(begun, verb, facts)
  const { id, by, atMs: beganAtMs } = begun
  const over = told.steps.filter(({ state }) => state === 'done' || state === 'failed')
  return {
    ...{ id, kind: kindOf(verb), by, beganAtMs },
    ...told,
    elapsedMs: Math.max(0, (told.endedAtMs ?? facts.nowMs) - beganAtMs),
    progress: { done: over.length, of: told.steps.length },
  }
}

function tell(begun: Begun, verb: NonNullable<ReturnType<typeof verbOf>>, facts: Facts): Told {
  switch (verb.type) {
    case 'moveGroup':
    case 'failoverGroup':
    case 'failbackGroup':
      return tellLeave(begun, verb, facts)
    case 'drainNode':
      return tellDrain(begun, verb, facts)
    case 'setGroupState':
    case 'setResourceState':
      return tellWant(begun, verb, facts)
  }
}
