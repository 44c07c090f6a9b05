/** What takes back an operation: the request that does it, or why there is none. */
import type { OperationView } from '../../../schema/api/operations.ts'
import type { Refusal } from '../../../schema/errors.ts'
import type { Request, SingleRequest } from '../../../schema/event.ts'
import type { Hive } from '../../../schema/hive.ts'
import { type Begun, type Facts, verbOf } from './begun.ts'

export interface CancelAsk {
  readonly failback: 'now' | 'policy' | 'never'
}

/**
 * @param view the operation as it stands
 * @param before the hive before it began; null: that is not kept any more
 */
export function cancelRequest(
  begun: Begun,
  view: OperationView,
  facts: Facts,
  before: Hive | null,
  ask: CancelAsk,
): Request | { refused: Refusal } {
  const verb = verbOf(begun.request)
  if (!verb || view.endedAtMs !== null) return over(view)
  switch (verb.type) {
    case 'moveGroup':
    case 'failbackGroup':
      return { type: 'cancelMove', groupId: verb.groupId, operation: begun.id }
    case 'failoverGroup':
      return noWay(view, 'a failover is as if the group had failed where it was')
    case 'drainNode': {
      const { nodeId } = verb
      // Who was held back already before it was emptied stays held back.
      const paused = before?.nodes.get(nodeId)?.paused ?? false
      return { type: 'pauseNode', nodeId, paused, ...(!paused && { failback: ask.failback }) }
    }
    case 'setGroupState':
    case 'setResourceState':
      return wantedBefore(begun, view, facts, before)
  }
}

function wantedBefore(
  begun: Begun,
  view: OperationView,
  { updates, state }: Facts,
  before: Hive | null,
): Request | { refused: Refusal } {
  if (!before) return noWay(view, 'it is not known any more what was wanted before')
  const requests = updates.flatMap(({ change, correlationId }): SingleRequest[] => {
    if (correlationId !== begun.id || change.table !== 'resource' || !change.value) return []
    const { id: resourceId, persistentState: wanted } = change.value
    const was = before.resources.get(resourceId)?.persistentState
    const is = state.hive.resources.get(resourceId)?.persistentState
    if (was === undefined || was === wanted || is !== wanted) return []
    return [{ type: 'setResourceState', resourceId, persistentState: was, cancels: begun.id }]
  })
  if (requests.length === 0) return noWay(view, 'all of it was wanted so before')
  return { type: 'batch', requests }
}

const over = ({ id, summary }: OperationView): { refused: Refusal } => ({
  refused: {
    code: 'OPERATION_OVER',
    message: `operation ${id} is over: ${summary}`,
    remedy: `To see how it went: holdfast operation show ${id}`,
  },
})

const noWay = ({ id, kind, subject }: OperationView, why: string): { refused: Refusal } => ({
  refused: {
    code: 'NOT_CANCELLABLE',
    message: `operation ${id} (${kind} ${subject.name}) cannot be taken back: ${why}`,
    remedy: `Wait for its end: holdfast operation watch ${id}`,
  },
})
