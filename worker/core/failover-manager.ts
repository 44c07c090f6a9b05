import type { Event } from '../../schema/event.ts'
import type { Group, Node, Ownership, Resource } from '../../schema/hive.ts'
import type { PendingOffer } from '../../schema/observed.ts'
import { resumeOf, settleCarry } from './carrying.ts'
import { couldMakeRoom, makeRoom } from './displacement.ts'
import type { Draft } from './draft.ts'
import { leaveDrained } from './drain.ts'
import { failBack, forgetFailback } from './failback.ts'
import { keepOrder } from './group-order.ts'
import { isLeftAlone, staysFree } from './maintenance.ts'
import { logNodeList, makeOffer } from './offers.ts'
import { candidates, failoverThreshold, recentFailovers, whyNot } from './placement.ts'
import { isQuarantined, quarantineText } from './quarantine.ts'
import { failedBeyondRestart, seenStopped } from './rcm.ts'
import { beginRelease, freeGroup } from './releases.ts'
import { gatherMates, keepRules } from './repair.ts'

type Of<T extends Event['type']> = Extract<Event, { type: T }>
type Free = Extract<Ownership, { phase: 'free' }>

/** When every candidate has refused, the list is tried again after this long. */
const RETRY_REFUSED_MS = 5_000

/**
 * Failover Manager: looks at a group. Standing in for a dead source, it takes the list from the Node
 * Manager and offers the group to the first eligible node (S-07, S-83, S-84).
 */
export function settleGroup(draft: Draft, groupId: string): void {
  // An earlier one may have taken it along.
  const known = draft.group(groupId)
  const alone = known !== undefined && isLeftAlone(draft, known)
  if (known && !alone) keepOrder(draft, known)
  const group = draft.group(groupId)
  switch (group?.ownership.phase) {
    case undefined:
      break
    case 'free':
      forgetFailback(draft, group)
      if (!alone || !staysFree(draft, group, group.ownership))
        placeFree(draft, group, group.ownership)
      break
    case 'owned':
      // To drain its node is an operator's word, and no matter of health.
      if (alone) {
        forgetFailback(draft, group)
        leaveDrained(draft, group)
        break
      }
      if (keepRules(draft, group) || leaveDrained(draft, group)) break
      if (!failBack(draft, group)) failOverIfFailed(draft, group)
      break
    case 'releasing':
      forgetFailback(draft, group)
      settleCarry(draft, group)
      break
  }
}

/** "Terminated": counts only from the present owner at the present epoch (C5, M6). */
export function releaseGroup(draft: Draft, event: Of<'groupReleased'>): void {
  const group = draft.group(event.groupId)
  const { owner, epoch } = group?.ownership ?? {}
  if (!group || owner !== event.nodeId || epoch !== event.epoch) return
  seenStopped(draft, group.id)
  freeGroup(
    draft,
    group,
    'released',
    {
      manager: 'FM',
      code: 'released',
      rule: 'C5',
      evidence: { node: draft.node(event.nodeId)?.name ?? event.nodeId, why: event.why },
    },
    event.copy,
  )
}

/** A free group: commit an accepted offer, wait for an open one, or ask the next candidate. */
function placeFree(draft: Draft, group: Group, free: Free): void {
  const offer = draft.offer(group.id)
  const target = offer && draft.node(offer.nodeId)
  const stands =
    offer !== undefined &&
    offer.epoch === free.epoch &&
    target?.state === 'up' &&
    target.session === offer.session &&
    // Since the offer it may have been paused, or ruled out by an owner list: hard rules hold always.
    whyNot(draft, group, target) === null
  if (stands && offer.accepted) return commitOwner(draft, group, free, target)
  if (stands && offer.deadlineMs > draft.nowMs) return
  const refused = offer && offer.epoch === free.epoch ? offer.refused : []
  const parked = draft.waiting(group.id)
  const rests =
    parked?.retryAtMs != null && parked.epoch === free.epoch && parked.retryAtMs > draft.nowMs
  // After all have refused there is a pause; whoever could not be asked before may be asked in it.
  if (rests) {
    const left = refusedBefore(draft, parked.reasons)
    if (candidates(draft, group, { first: free.to, refused: left }).eligible.length > 0)
      askNext(draft, group, free, left)
    return
  }
  askNext(draft, group, free, parked?.retryAtMs != null ? [] : withTimeout(draft, offer, refused))
}

const REFUSED = 'refused: '

function refusedBefore(
  draft: Draft,
  reasons: readonly { node: string; reason: string }[],
): PendingOffer['refused'] {
  return reasons.flatMap(({ node, reason }) => {
    const known = draft.nodes().find((n) => n.name === node)
    if (!known || !reason.startsWith(REFUSED)) return []
    return [{ nodeId: known.id, reason: reason.slice(REFUSED.length) }]
  })
}

/** An offer that was not answered in time counts as a refusal. */
function withTimeout(
  draft: Draft,
  offer: PendingOffer | undefined,
  refused: PendingOffer['refused'],
): PendingOffer['refused'] {
  if (!offer || offer.accepted || offer.deadlineMs > draft.nowMs) return refused
  if (refused.some((r) => r.nodeId === offer.nodeId)) return refused
  const target = draft.node(offer.nodeId)
  if (target?.state !== 'up' || target.session !== offer.session) return refused
  return [...refused, { nodeId: offer.nodeId, reason: 'no answer to the offer' }]
}

function askNext(draft: Draft, group: Group, free: Free, refused: PendingOffer['refused']): void {
  const found = candidates(draft, group, { first: free.to, refused })
  const target = found.eligible[0]
  if (target) {
    if (draft.waiting(group.id)) draft.observe({ table: 'waiting', id: group.id, value: null })
    logNodeList(draft, group)
    makeOffer(draft, group, target, 'placement', refused)
    return
  }
  if (draft.offer(group.id)) draft.observe({ table: 'offer', id: group.id, value: null })
  gatherMates(draft, group, { refused })
  makeRoom(draft, group, free, { refused })
  const known = draft.waiting(group.id)
  const same =
    known?.epoch === free.epoch &&
    known.retryAtMs === null &&
    refused.length === 0 &&
    sameReasons(known.reasons, found.rejected)
  if (same) return
  draft.observe({
    table: 'waiting',
    id: group.id,
    value: {
      epoch: free.epoch,
      sinceMs: known?.epoch === free.epoch ? known.sinceMs : draft.nowMs,
      retryAtMs: refused.length > 0 ? draft.nowMs + RETRY_REFUSED_MS : null,
      reasons: [...found.rejected],
    },
  })
  draft.log({
    component: 'FM',
    groupId: group.id,
    correlationId: free.correlationId,
    message: rejectedText(found.rejected),
  })
}

/** What was said for its way back is over once it is there. */
function settled(group: Group, { id }: Node): Group {
  const { drained, ...rest } = group
  return drained && drained.from !== id ? group : rest
}

/** O2, C2: owner and epoch + 1, while the group is still free at the epoch of the offer. */
function commitOwner(draft: Draft, group: Group, free: Free, target: Node): void {
  const found = candidates(draft, group, { first: target.id })
  draft.put(
    {
      table: 'group',
      id: group.id,
      value: {
        ...settled(group, target),
        ownership: {
          phase: 'owned',
          owner: target.id,
          epoch: free.epoch + 1,
          ...resumeOf(free.copy, target.id),
          correlationId: free.correlationId,
        },
      },
    },
    {
      manager: 'FM',
      code: 'placed',
      rule: 'O2',
      evidence: {
        node: target.name,
        after: free.reason,
        epoch: free.epoch + 1,
        ...(resumeOf(free.copy, target.id).resume && {
          goesOn: `from a ${free.copy?.method} copy`,
        }),
        ...(isQuarantined(target, draft.nowMs) && { although: quarantineText(target) }),
      },
      rejected: [...found.rejected],
    },
    free.correlationId,
  )
  draft.observe({ table: 'offer', id: group.id, value: null })
  if (draft.waiting(group.id)) draft.observe({ table: 'waiting', id: group.id, value: null })
}

/** S-75: the node has used up its restarts; the group fails over, unless that was used up too. */
function failOverIfFailed(draft: Draft, group: Group): void {
  const failed = failedBeyondRestart(draft, group)
  // What is held back is not to run anywhere.
  if (!failed || group.waitsFor) return
  draft.staysRestless(group.id)
  const { owner } = group.ownership
  const recent = recentFailovers(draft, group)
  const threshold = failoverThreshold(group, draft.nodes().length)
  if (recent.length >= threshold)
    return stay(draft, group, failed, `${recent.length} of ${threshold} failovers are used up`)
  const found = candidates(draft, group, { without: owner })
  if (found.eligible.length === 0 && !couldMakeRoom(draft, group, { without: owner }))
    return stay(draft, group, failed, rejectedText(found.rejected))
  const source = draft.node(owner as string)
  const counted: Group = {
    ...group,
    failovers: [...recent, { atMs: draft.nowMs, nodeId: owner as string }],
  }
  beginRelease(
    draft,
    counted,
    { reason: 'failover', to: null },
    {
      manager: 'FM',
      code: 'resourceFailed',
      rule: 'S-75',
      evidence: {
        resource: failed.name,
        node: source?.name ?? '',
        failover: recent.length + 1,
        of: threshold,
      },
    },
  )
}

/** It stays Failed where it is, and says so once: in the step that hears of the failure. */
function stay(draft: Draft, group: Group, failed: Resource, why: string): void {
  if (!draft.observations.some((o) => o.table === 'resource' && o.id === failed.id)) return
  const message = `group ${group.name} stays failed on its node: ${why}`
  if (draft.logLines.some((line) => line.message === message)) return
  const { correlationId } = group.ownership
  draft.log({ component: 'FM', groupId: group.id, resourceId: failed.id, correlationId, message })
}

const rejectedText = (rejected: readonly { node: string; reason: string }[]) =>
  `no eligible node: ${rejected.map((r) => `${r.node} ${r.reason}`).join('; ') || 'no nodes'}`

const sameReasons = (
  a: readonly { node: string; reason: string }[],
  b: readonly { node: string; reason: string }[],
) => a.length === b.length && a.every((x, i) => x.node === b[i]?.node && x.reason === b[i]?.reason)
