/** A deliberate stop on this host: of what, and how it is put down (S-68). */
import type { Refusal } from '../../schema/errors.ts'
import type { Hive, Resource } from '../../schema/hive.ts'
import type { HeldGroup, LocalIntent } from '../../schema/session.ts'
import type { LocalStops } from './local-stops.ts'
import type { Replica } from './replica.ts'

/**
 * The resource that an operator on this host names, at the epoch of its group. The hive has to give
 * the group to this host; it need not run just now: a lapse may have stopped it, and it is not to
 * come back then either.
 */
function findHeld(
  reference: string,
  hive: Hive,
  nodeId: string,
  grants: readonly HeldGroup[],
): { resource: Resource; epoch: number } | Refusal {
  const resource = [...hive.resources.values()].find(
    (r) => r.id === reference || r.name === reference,
  )
  if (!resource)
    return {
      code: 'NOT_FOUND',
      message: `there is no resource "${reference}"`,
      why: 'The replica of the hive on this host does not have it.',
      remedy: 'See what this host holds: holdfast-probe status',
    }
  const group = hive.groups.get(resource.groupId)
  // What runs here runs under a grant, which may be newer than the replica on disk.
  const grant = grants.find((g) => g.groupId === resource.groupId)
  if (grant) return { resource, epoch: grant.epoch }
  const { owner, epoch } = group?.ownership ?? { owner: null, epoch: 0 }
  if (owner === nodeId) return { resource, epoch }
  const ownerName = owner === null ? 'no node' : (hive.nodes.get(owner)?.name ?? owner)
  return {
    code: 'NOT_HELD',
    message: `"${resource.name}" is not of this host`,
    why: `as far as this host knows, group ${group?.name ?? ''} is owned by ${ownerName}`,
    remedy: `Ask there, or use: holdfast offline ${resource.name}`,
  }
}

export function localStop(
  resourceId: string,
  epoch: number,
  knownSeq: number,
  detail: string | undefined,
): LocalIntent {
  return {
    resourceId,
    epoch,
    persistentState: 0,
    knownSeq,
    ...(detail !== undefined && { detail }),
  }
}

const notDurable = (error: unknown): Refusal => ({
  code: 'STATE_FOLDER',
  message: 'the stop cannot be made durable on this host, so nothing was done',
  why: String(error),
  remedy: 'Make room in the state folder and ask again.',
})

/**
 * An operator on this host wants one resource stopped: durable here before anything is done about it.
 *
 * @param kill at once, without a graceful stop
 */
export function orderStop(
  reference: string,
  kill: boolean,
  { hive, knownSeq }: Pick<Replica, 'hive' | 'knownSeq'>,
  nodeId: string,
  grants: readonly HeldGroup[],
  localStops: LocalStops,
): { refused: Refusal } | { intent: LocalIntent; name: string } {
  const found = findHeld(reference, hive, nodeId, grants)
  if ('code' in found) return { refused: found }
  const { resource, epoch } = found
  const intent = localStop(resource.id, epoch, knownSeq, 'by an operator on the host')
  try {
    localStops.ask(intent)
  } catch (error) {
    return { refused: notDurable(error) }
  }
  localStops.order(resource.id, { epoch, how: kill ? 'kill' : 'stop', knownSeq })
  return { intent, name: resource.name }
}
