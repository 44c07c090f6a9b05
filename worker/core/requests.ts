import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import { unreachable } from '../../schema/unreachable.ts'
import type { Draft } from './draft.ts'
import { drainNode } from './drain.ts'
import { failbackGroup } from './failback.ts'
import { confirmFence, setFence, setTakeover } from './fence-requests.ts'
import {
  changeGroup,
  createGroup,
  deleteGroup,
  failoverGroup,
  moveGroup,
  setGroupState,
} from './group-requests.ts'
import { setMaintenance } from './maintenance.ts'
import { evictNode, formCluster, joinNode, pauseNode } from './node-requests.ts'
import {
  changeResource,
  createResource,
  deleteResource,
  setResourceState,
} from './resource-requests.ts'
import { changeNode, createRule, deleteRule, setPlacement, setStarts } from './rule-requests.ts'
import { unstickGroup } from './sticks.ts'
import { registerType, unregisterType } from './type-requests.ts'

/** What an operator asked for: carried out, or refused with a reason and nothing changed. */
export function takeRequest(draft: Draft, request: Request, by: string): Refusal | null {
  switch (request.type) {
    case 'batch':
      return takeBatch(draft, request, by)
    case 'formCluster':
      return formCluster(draft, request, by)
    case 'joinNode':
      return joinNode(draft, request, by)
    case 'drainNode':
      return drainNode(draft, request, by)
    case 'pauseNode':
      return pauseNode(draft, request, by)
    case 'evictNode':
      return evictNode(draft, request, by)
    case 'createGroup':
      return createGroup(draft, request, by)
    case 'changeGroup':
      return changeGroup(draft, request, by)
    case 'deleteGroup':
      return deleteGroup(draft, request, by)
    case 'moveGroup':
      return moveGroup(draft, request, by)
    case 'unstickGroup':
      return unstickGroup(draft, request, by)
    case 'failbackGroup':
      return failbackGroup(draft, request, by)
    case 'failoverGroup':
      return failoverGroup(draft, request, by)
    case 'setGroupState':
      return setGroupState(draft, request, by)
    case 'createResource':
      return createResource(draft, request, by)
    case 'changeResource':
      return changeResource(draft, request, by)
    case 'deleteResource':
      return deleteResource(draft, request, by)
    case 'setResourceState':
      return setResourceState(draft, request, by)
    case 'registerType':
      return registerType(draft, request, by)
    case 'unregisterType':
      return unregisterType(draft, request, by)
    case 'changeNode':
      return changeNode(draft, request, by)
    case 'setMaintenance':
      return setMaintenance(draft, request, by)
    case 'setStarts':
      return setStarts(draft, request, by)
    case 'setPlacement':
      return setPlacement(draft, request, by)
    case 'createRule':
      return createRule(draft, request, by)
    case 'deleteRule':
      return deleteRule(draft, request, by)
    case 'setTakeover':
      return setTakeover(draft, request, by)
    case 'setFence':
      return setFence(draft, request, by)
    case 'confirmFence':
      return confirmFence(draft, request, by)
    default:
      return unreachable(request)
  }
}

/** All or nothing: the draft of a refused event is kept by nobody. */
function takeBatch(
  draft: Draft,
  { requests }: Extract<Request, { type: 'batch' }>,
  by: string,
): Refusal | null {
  for (const [n, one] of requests.entries()) {
    const refused = takeRequest(draft, one, by)
    if (!refused) continue
    const errors = refused.errors ?? [{ pointer: '', message: refused.message }]
    const inside = errors.map((e) => ({ ...e, pointer: `/requests/${n}${e.pointer}` }))
    return { ...refused, errors: inside }
  }
  return null
}
