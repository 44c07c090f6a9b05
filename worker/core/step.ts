/**
 * START HERE. The whole cluster service as one pure function: every input, every decision.
 *
 * Order within a step: the manager that the event concerns takes it; then the Failover Manager
 * looks at every group that is not at rest until nothing changes any more. All changes of one step
 * are one commit.
 */

import type { Refusal } from '../../schema/errors.ts'
import type { Event } from '../../schema/event.ts'
import { unreachable } from '../../schema/unreachable.ts'
import { notCarried } from './carrying.ts'
import type { ClusterState, Decision } from './decision.ts'
import { Draft } from './draft.ts'
import { endDrainTimes } from './drain.ts'
import { releaseGroup, settleGroup } from './failover-manager.ts'
import { fenceBegun, fenceReported, nodeSuspected, policyTaken, settleFences } from './fencing.ts'
import { isolateResources, releaseResources } from './isolation.ts'
import { endMaintenances } from './maintenance.ts'
import {
  nodeLeaving,
  nodeLeft,
  nodeLost,
  nodeReported,
  nodeSaidGoodbye,
} from './membership-manager.ts'
import { isCurrent, nodeTypesChanged } from './node-manager.ts'
import { acceptOffer, refuseOffer } from './offers.ts'
import { endQuarantines } from './quarantine.ts'
import { resourceReported, takeIntent } from './rcm.ts'
import { takeRequest } from './requests.ts'
import { settle } from './settling.ts'
import { endSticks } from './sticks.ts'

/**
 * Decides what one event means for the cluster. Changes nothing.
 *
 * @param nowMs milliseconds since the Unix epoch on the Durable Object's clock
 * @param brief in a game of what-if: of those who could take a group only the first is looked for
 * @returns everything to commit, then everything to send (C4); or the refusal of a request
 */
export function step(
  state: ClusterState,
  event: Event,
  nowMs: number,
  brief: boolean = false,
): Decision {
  const draft = new Draft(state, nowMs, causeOf(event, state), brief)
  const refused = take(draft, event)
  if (refused) return { refused, updates: [], observations: [], effects: [], log: [] }
  endQuarantines(draft)
  endMaintenances(draft)
  endSticks(draft)
  endDrainTimes(draft)
  settle(draft, settleGroup)
  settleFences(draft)
  return draft.decision()
}

function take(draft: Draft, event: Event): Refusal | null {
  if (event.type === 'requested') return takeRequest(draft, event.request, event.by)
  // S2: a report, ack or request of any other session than the latest accepted one is ignored.
  if ('session' in event && event.type !== 'nodeReported' && !isCurrent(draft, event)) return null
  hear(draft, event)
  return null
}

/** Each event goes to the manager that it concerns. */
function hear(draft: Draft, event: Exclude<Event, { type: 'requested' }>): void {
  switch (event.type) {
    case 'nodeReported':
      return nodeReported(draft, event)
    case 'nodeLost':
      return nodeLost(draft, event)
    case 'nodeTypesChanged':
      return nodeTypesChanged(draft, event)
    case 'resourcesIsolated':
      return isolateResources(draft, event)
    case 'resourcesWellAlone':
      return releaseResources(draft, event)
    case 'nodeLeaving':
      return nodeLeaving(draft, event)
    case 'nodeSaidGoodbye':
      return nodeSaidGoodbye(draft, event)
    case 'nodeLeft':
      return nodeLeft(draft, event)
    case 'resourceReported':
      return resourceReported(draft, event)
    case 'intentReported':
      return takeIntent(draft, event.nodeId, event.intent)
    case 'groupReleased':
      return releaseGroup(draft, event)
    case 'groupNotCarried':
      return notCarried(draft, event)
    case 'offerAccepted':
      return acceptOffer(draft, event)
    case 'offerRefused':
      return refuseOffer(draft, event)
    case 'nodeSuspected':
      return nodeSuspected(draft, event)
    case 'fenceBegun':
      return fenceBegun(draft, event)
    case 'fenceReported':
      return fenceReported(draft, event)
    case 'policyTaken':
      return policyTaken(draft, event)
    case 'woke':
      return
    default:
      return unreachable(event)
  }
}

/** The correlation id under which this event's consequences are logged. */
function causeOf(event: Event, state: ClusterState): string {
  if (event.type === 'resourceReported') {
    const known = event.items.find((item) => item.correlationId)?.correlationId
    if (known) return known
  }
  return `u${state.hive.seq + 1}`
}
