/** What an operation is told from: the request, and what was committed and heard since. */
import type { OperationKind, OperationView } from '../../../schema/api/operations.ts'
import type { Request, SingleRequest } from '../../../schema/event.ts'
import type { Update } from '../../../schema/update.ts'
import type { ClusterState } from '../decision.ts'
import type { Seen } from '../timeline.ts'

/** By codes of the update that a request began with. */
export const OPERATION_CODES = [
  'operatorMove',
  'operatorFailover',
  'failedBack',
  'nodeDrained',
  'operatorOnline',
  'operatorOffline',
] as const

export interface Begun {
  /** Correlation id of its first update: `u` and the number of that. */
  readonly id: string
  readonly seq: number
  readonly atMs: number
  readonly by: string
  readonly request: Request
}

/** As it was reported, and whether the owner had used up its attempts. */
export interface Reported extends Seen {
  readonly nodeId: string
  readonly gaveUp: boolean
  readonly detail: string | null
}

export interface Facts {
  /** The cluster now. */
  readonly state: ClusterState
  /** From the first of the operation on, of all causes, oldest first. */
  readonly updates: readonly Update[]
  /** Since then, oldest first. */
  readonly seen: readonly Reported[]
  readonly nowMs: number
}

type Verb = Extract<
  SingleRequest,
  {
    type:
      | 'moveGroup'
      | 'failoverGroup'
      | 'failbackGroup'
      | 'drainNode'
      | 'setGroupState'
      | 'setResourceState'
  }
>
type Of<T extends Verb['type']> = Extract<Verb, { type: T }>

export type LeaveRequest = Of<'moveGroup' | 'failoverGroup' | 'failbackGroup'>
export type DrainRequest = Of<'drainNode'>
export type WantRequest = Of<'setGroupState' | 'setResourceState'>

/** Null: a request that is carried out in the step that takes it. */
export function verbOf(request: Request): Verb | null {
  // What cancels an operation wants several resources as they were.
  const one = request.type === 'batch' ? request.requests[0] : request
  switch (one?.type) {
    case 'moveGroup':
    case 'failoverGroup':
    case 'failbackGroup':
    case 'drainNode':
      return request.type === 'batch' ? null : one
    case 'setGroupState':
    case 'setResourceState':
      return one
    default:
      return null
  }
}

/** The id of what a request has begun; null: it was carried out at once, or there was nothing to do. */
export function idOf(request: Request, updates: readonly Update[]): string | null {
  const [first] = updates
  const begins = OPERATION_CODES.some((code) => code === first?.because.code)
  return first && begins && verbOf(request) ? first.correlationId : null
}

export function kindOf(verb: Verb): OperationKind {
  switch (verb.type) {
    case 'moveGroup':
      return 'move'
    case 'failoverGroup':
      return 'failover'
    case 'failbackGroup':
      return 'failback'
    case 'drainNode':
      return 'drain'
    case 'setGroupState':
    case 'setResourceState':
      return verb.persistentState === 1 ? 'online' : 'offline'
  }
}

/** What each kind of operation says for itself; the rest is the same for all. */
export type Told = Pick<
  OperationView,
  'subject' | 'state' | 'summary' | 'endedAtMs' | 'limitMs' | 'cancel' | 'groups' | 'steps'
>

export const updatesOf = (updates: readonly Update[], table: string, id: string): Update[] =>
  updates.filter(({ change }) => change.table === table && change.id === id)

/** Null when one of them is not limited. */
export function sumOf(limits: readonly (number | null)[]): number | null {
  let sum = 0
  for (const ms of limits) {
    if (ms === null) return null
    sum += ms
  }
  return sum
}
