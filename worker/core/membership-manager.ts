import type { Event, LossEvidence } from '../../schema/event.ts'
import type { Group, Node } from '../../schema/hive.ts'
import { CLOSE } from '../../schema/session.ts'
import { PROFILES, type Timing, waitMs } from '../../schema/timing.ts'
import type { Because } from '../../schema/update.ts'
import type { Draft } from './draft.ts'
import { withLoss } from './quarantine.ts'
import { forgetResources, seenStopped, takeIntent } from './rcm.ts'
import { beginRelease, freeGroup } from './releases.ts'
import { preferredOf } from './sticks.ts'

type Of<T extends Event['type']> = Extract<Event, { type: T }>

/** The times of the cluster's profile. */
export function timingOf(draft: Draft): Timing {
  return PROFILES[draft.cluster?.profile ?? 'standard']
}

/**
 * Membership Manager: a node answers its challenge (S2, S3).
 *
 * Refused (S4) when it lists a group that the hive does not give to it at that epoch, or lists
 * anything while Down: it must come back with nothing. What an accepted report leaves out is free
 * at once, without a wait.
 */
export function nodeReported(draft: Draft, event: Of<'nodeReported'>): void {
  const node = draft.node(event.nodeId)
  const { nodeId, session } = event
  if (!node) {
    const detail = 'this node is not a member of the cluster (evicted?)'
    draft.effects.push({ type: 'refuse', nodeId, session, code: 'notMember', detail })
    return
  }
  if (session <= node.session) return
  if (node.overBoots?.includes(event.bootId)) {
    const detail = `boot ${event.bootId} of ${node.name} was declared over (F3): stop everything and boot this host anew`
    draft.effects.push({ type: 'refuse', nodeId, session, code: 'bootOver', detail })
    draft.log({ component: 'NM', message: `node ${node.name} refused: ${detail}` })
    return
  }
  // Whatever else becomes of the report: what was stopped on purpose is not started elsewhere.
  for (const intent of event.intents) takeIntent(draft, nodeId, intent)
  if (isOtherGuard(node, event)) {
    // One that is connected is no case for a fence: the other one is a copy of it.
    const fencing = draft.fencing(nodeId)
    const fenced = node.under === 'fence' && fencing !== undefined
    if (fenced)
      draft.observe({ table: 'fencing', id: nodeId, value: { ...fencing, atTheDoor: true } })
    const until = fenced ? "that boot's end is confirmed" : "that one's lease has surely ended"
    const detail = `${node.name} is up, and what it runs is known to another guard (boot ${node.bootId}): until ${until} nothing else can speak for it`
    const code = fenced ? 'waitsForFence' : 'otherGuard'
    draft.effects.push({ type: 'refuse', nodeId, session, code, detail })
    draft.log({ component: 'NM', message: `node ${node.name} refused: ${detail}` })
    return
  }
  const foreign = event.held.find((h) => !gives(draft.group(h.groupId), nodeId, h.epoch))
  if (foreign || (node.state === 'down' && event.held.length > 0)) {
    const detail = foreign
      ? `group ${foreign.groupId} at epoch ${foreign.epoch} is not yours: stop everything (S4)`
      : 'you were declared down: stop everything (S4)'
    draft.effects.push({ type: 'refuse', nodeId, session, code: 'heldNotOwned', detail })
    draft.log({ component: 'NM', message: `node ${node.name} refused: ${detail}` })
    return
  }
  // F3: the boot of a node is written in the transaction that accepts its report.
  const value: Node = {
    ...node,
    state: 'up',
    bootId: event.bootId,
    guard: event.guard,
    session,
    types: event.types,
    ...(event.measured && { measured: event.measured }),
    // From before it is told so: the welcome that tells it leaves only once this is committed (C4).
    ...(draft.cluster?.takeover === 'fence' && { under: 'fence' as const }),
  }
  const because: Because =
    node.state === 'up'
      ? { manager: 'NM', code: 'sessionRenewed', rule: 'S2', evidence: { session } }
      : { manager: 'NM', code: 'nodeUp', rule: 'S2', evidence: { session, boot: event.bootId } }
  draft.put({ table: 'node', id: nodeId, value }, because)
  if (draft.fencing(nodeId)) cameBack(draft, node)
  const held = new Set(event.held.map((h) => h.groupId))
  for (const group of ownedBy(draft, nodeId)) {
    if (held.has(group.id)) continue
    seenStopped(draft, group.id)
    freeGroup(draft, group, 'missingFromReport', {
      manager: 'FM',
      code: 'missingFromReport',
      rule: 'S4',
      evidence: { node: node.name },
    })
  }
  draft.effects.push({ type: 'welcome', nodeId, session })
}

/** F6: a fence that has not begun is called off; one that runs is a crash if it succeeds. */
function cameBack(draft: Draft, node: Node): void {
  const asked = draft.fencing(node.id)?.asked
  draft.observe({ table: 'fencing', id: node.id, value: null })
  if (!asked) return
  const helper = draft.node(asked.helper)?.name ?? asked.helper
  draft.log({
    component: 'NM',
    message: `node ${node.name} is back while ${helper} fences it (request ${asked.request}): if that succeeds it is a crash (F6)`,
  })
}

/**
 * Whether the report comes from a guard that cannot know what runs: the host has booted anew, its
 * run folder was lost, or a copied disk made a second machine of it. "What an accepted report leaves
 * out is free at once" (S4) holds for the memory that recorded the starts and for no other; for this
 * one the node has to be declared Down first, as after any loss (D3).
 */
function isOtherGuard(node: Node, event: Of<'nodeReported'>): boolean {
  if (node.state === 'down' || node.guard === undefined) return false
  return node.guard !== event.guard || node.bootId !== event.bootId
}

/**
 * A node is declared Down: epoch + 1 and all its groups free in one transaction (D4), and only when
 * strictly more than W has passed (D3). Silence alone is never "down".
 */
export function nodeLost(draft: Draft, event: Of<'nodeLost'>): void {
  const node = draft.node(event.nodeId)
  if (!node || node.state === 'down') return
  // It may go on after its lease: only a confirmed fence says that it has ended (F2), never a wait.
  if (node.under === 'fence') return
  const waitedFor = requiredWaitMs(timingOf(draft), event.evidence)
  if (event.evidence.waitedMs <= waitedFor) return
  declareDown(draft, withLoss(node, draft.nowMs), {
    manager: 'NM',
    code: event.evidence.path === 'pong' ? 'leaseEnded' : 'authorityLeaseEnded',
    rule: 'D3',
    evidence: lossText(event.evidence, waitedFor),
  })
}

/** W(TTL) or W(TTL_A), whichever the evidence speaks of (D3). */
export function requiredWaitMs(t: Timing, evidence: LossEvidence): number {
  return waitMs(evidence.path === 'pong' ? t.ttlMs : t.ttlAuthorityMs, t.marginMs)
}

/** The host shuts down in an orderly way: its groups are taken from it one by one. */
export function nodeLeaving(draft: Draft, event: Of<'nodeLeaving'>): void {
  const node = draft.node(event.nodeId)
  if (node?.state !== 'up') return
  draft.put(
    { table: 'node', id: node.id, value: { ...node, state: 'leaving' } },
    { manager: 'NM', code: 'hostShutsDown' },
  )
  for (const { id } of ownedBy(draft, node.id)) {
    // What it is kept together with may have taken it along.
    const group = draft.group(id)
    if (group?.ownership.phase === 'owned')
      beginRelease(
        draft,
        group,
        { reason: 'hostShutdown', to: null },
        {
          manager: 'FM',
          code: 'hostShutsDown',
          evidence: { node: node.name },
        },
      )
  }
}

/**
 * The goodbye is a report of nothing, made by the guard after it stopped everything: no lease has
 * to be waited for (S4). Not believed while the hive still gives it a group.
 */
export function nodeSaidGoodbye(draft: Draft, event: Of<'nodeSaidGoodbye'>): void {
  const node = draft.node(event.nodeId)
  if (!node || ownedBy(draft, node.id).length > 0) return
  declareDown(draft, node, { manager: 'NM', code: 'saidGoodbye', rule: 'S4' })
  const { nodeId, session } = event
  // Its host may be up again already, and not have been heard: that is another session.
  const code = CLOSE.goodbye
  draft.effects.push({ type: 'closeSession', nodeId, session, code, detail: 'goodbye' })
}

/** `holdfast-probe leave`: a goodbye that also ends the membership. */
export function nodeLeft(draft: Draft, event: Of<'nodeLeft'>): void {
  const node = draft.node(event.nodeId)
  if (!node || ownedBy(draft, node.id).length > 0) return
  removeNode(draft, node, { manager: 'MM', code: 'nodeLeft' })
  const { nodeId } = event
  draft.effects.push({ type: 'closeSession', nodeId, code: CLOSE.evicted, detail: 'left' })
}

function without({ stick, ...group }: Group, nodeId: string): Group {
  const preferredOwners = group.preferredOwners.filter((id) => id !== nodeId)
  return { ...group, preferredOwners, ...(stick && stick.node !== nodeId && { stick }) }
}

/** Takes a node out of hive, preferred and possible owners; the view grows by one (S-03). */
export function removeNode(draft: Draft, node: Node, because: Because): void {
  for (const group of draft.groups())
    if (preferredOf(group).includes(node.id))
      draft.put({ table: 'group', id: group.id, value: without(group, node.id) }, because)
  for (const r of draft.resources())
    if (r.possibleOwners?.includes(node.id))
      draft.put(
        {
          table: 'resource',
          id: r.id,
          value: { ...r, possibleOwners: r.possibleOwners.filter((o) => o !== node.id) },
        },
        because,
      )
  draft.put({ table: 'node', id: node.id, value: null }, because)
  if (draft.fencing(node.id)) draft.observe({ table: 'fencing', id: node.id, value: null })
  if (draft.drain(node.id)) draft.observe({ table: 'drain', id: node.id, value: null })
  nextView(draft, because)
}

export function nextView(draft: Draft, because: Because): void {
  const { cluster } = draft
  if (!cluster) throw new Error('no cluster')
  draft.put(
    { table: 'cluster', id: cluster.id, value: { ...cluster, view: cluster.view + 1 } },
    because,
  )
}

export function ownedBy(draft: Draft, nodeId: string): Group[] {
  return draft.groupsOwnedBy(nodeId)
}

/** D4: Down, the next epoch and the freeing of its groups are one decision. */
export function declareDown(draft: Draft, node: Node, because: Because): void {
  draft.put(
    { table: 'node', id: node.id, value: { ...node, state: 'down', epoch: node.epoch + 1 } },
    because,
  )
  if (draft.fencing(node.id)) draft.observe({ table: 'fencing', id: node.id, value: null })
  for (const group of ownedBy(draft, node.id)) {
    forgetResources(draft, group.id)
    freeGroup(draft, group, 'nodeLost', {
      manager: 'FM',
      code: 'nodeLost',
      rule: 'D4',
      evidence: { node: node.name },
    })
  }
}

function gives(group: Group | undefined, nodeId: string, epoch: number): boolean {
  return group?.ownership.owner === nodeId && group.ownership.epoch === epoch
}

function lossText(e: LossEvidence, waitedFor: number): Record<string, string | number> {
  const common = {
    waitedMs: Math.round(e.waitedMs),
    neededMs: waitedFor,
    ...(e.heardBy !== undefined && { heardBy: e.heardBy }),
  }
  return e.path === 'pong'
    ? { ...common, lastAnswerMs: e.lastAnswerMs, closedMs: e.closedMs, cause: e.cause }
    : { ...common, confirmedMs: e.confirmedMs }
}
