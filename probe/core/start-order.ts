/**
 * So many starts at a time, and the most important ones first: a host that gets everything at once would
 * bring nothing up in time.
 */
import type { Hive } from '../../schema/hive.ts'
import type { HeldResource } from '../../schema/ipc.ts'
import { STARTS_PER_NODE } from '../../schema/placement.ts'
import type { ReportedStatus } from '../../schema/status.ts'

/** Of one resource that may run now. */
type StartState = 'starts' | 'waits' | 'other'

/**
 * @param held what may run now has target 1
 * @param stateOf what each is to a start: under way, to be made, or none
 * @returns the same, but that of the starts to be made only as many are as the cluster lets a node make
 */
export function inStartOrder(
  hive: Hive,
  held: readonly HeldResource[],
  stateOf: (one: HeldResource) => StartState,
): readonly HeldResource[] {
  let free = hive.cluster?.startsPerNode ?? STARTS_PER_NODE
  const waiting: HeldResource[] = []
  for (const one of held) {
    if (one.target === 0) continue
    const state = stateOf(one)
    if (state === 'starts') free -= 1
    if (state === 'waits') waiting.push(one)
  }
  if (waiting.length <= free) return held
  const group = ({ groupId }: HeldResource) => hive.groups.get(groupId)
  const priority = (one: HeldResource) => group(one)?.priority ?? 0
  const age = (one: HeldResource) => group(one)?.createdAtMs ?? 0
  waiting.sort((a, b) => priority(b) - priority(a) || age(a) - age(b) || (a.guid < b.guid ? -1 : 1))
  const later = new Set(waiting.slice(Math.max(0, free)))
  return held.map((one) => (later.has(one) ? { ...one, target: 0 as const } : one))
}

/**
 * @param status at the epoch of the grant
 * @param wasTold whether RHS has been told to start it: then it is about to
 * @param mayRun whether it may be running though nobody has looked yet (G8)
 */
export function startState(
  status: ReportedStatus | undefined,
  wasTold: boolean,
  mayRun: boolean,
): StartState {
  if (status === 'onlinePending') return 'starts'
  if (status === 'offline' || (status === undefined && !mayRun)) return wasTold ? 'starts' : 'waits'
  return 'other'
}
