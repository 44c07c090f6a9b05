/** Offers of a group to a node (O1, O2): information, and nothing is reserved by them. */
import type { Event } from '../../schema/event.ts'
import type { Group, Node } from '../../schema/hive.ts'
import { LIMITS } from '../../schema/limits.ts'
import type { PendingOffer } from '../../schema/observed.ts'
import { placeForCopy } from './carrying.ts'
import type { OfferReason } from './decision.ts'
import type { Draft } from './draft.ts'
import { availableNodes } from './node-manager.ts'

type Of<T extends Event['type']> = Extract<Event, { type: T }>

/** O2: an accept names group and epoch, and counts only from the session that was asked. */
export function acceptOffer(draft: Draft, event: Of<'offerAccepted'>): void {
  const offer = draft.offer(event.groupId)
  if (!offer || offer.nodeId !== event.nodeId || offer.epoch !== event.epoch) return
  if (offer.session !== event.session || offer.accepted) return
  draft.observe({ table: 'offer', id: event.groupId, value: { ...offer, accepted: true } })
  draft.log({
    component: 'FM',
    groupId: event.groupId,
    correlationId: draft.group(event.groupId)?.ownership.correlationId ?? draft.cause,
    message: `offer accepted by ${draft.node(event.nodeId)?.name} at epoch ${event.epoch}`,
  })
  placeForCopy(draft, event)
}

export function refuseOffer(draft: Draft, event: Of<'offerRefused'>): void {
  const offer = draft.offer(event.groupId)
  const group = draft.group(event.groupId)
  if (!offer || !group || offer.nodeId !== event.nodeId || offer.epoch !== event.epoch) return
  draft.log({
    component: 'FM',
    groupId: group.id,
    correlationId: group.ownership.correlationId,
    message: `offer refused by ${draft.node(event.nodeId)?.name}: ${event.reason}`,
  })
  const refused = [...offer.refused, { nodeId: event.nodeId, reason: event.reason }]
  draft.observe({
    table: 'offer',
    id: group.id,
    value: { ...offer, accepted: false, deadlineMs: draft.nowMs, refused },
  })
}

export function makeOffer(
  draft: Draft,
  group: Group,
  target: Node,
  reason: OfferReason,
  refused: PendingOffer['refused'],
): void {
  const { ownership } = group
  const { epoch, correlationId } = ownership
  const carry = ownership.phase === 'releasing' ? ownership.carry : undefined
  draft.observe({
    table: 'offer',
    id: group.id,
    value: {
      nodeId: target.id,
      session: target.session,
      epoch,
      deadlineMs: draft.nowMs + LIMITS.offerAnswerMs,
      accepted: false,
      refused: [...refused],
    },
  })
  const mid = carry?.method === 'live' ? { mid: carry.mid } : {}
  draft.effects.push({ type: 'offer', nodeId: target.id, groupId: group.id, epoch, reason, ...mid })
  draft.log({
    component: 'FM',
    groupId: group.id,
    correlationId,
    message: `offer to ${target.name} at epoch ${epoch} (${reason})`,
  })
}

/** A line for each group of a host that is lost: in a large cluster that would be a book. */
const NAMES_LOGGED = 32

const shortened = (names: readonly string[], most: number): string =>
  names.length <= most
    ? names.join(', ')
    : `${names.slice(0, most).join(', ')} and ${names.length - most} more`

export function logNodeList(draft: Draft, group: Group): void {
  const names = draft.once('available', () =>
    shortened(
      availableNodes(draft).map((node) => node.name),
      NAMES_LOGGED,
    ),
  )
  draft.log({
    component: 'NM',
    groupId: group.id,
    correlationId: group.ownership.correlationId,
    message: `node list for FM: ${names || 'none available'}`,
  })
}
