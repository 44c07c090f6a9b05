/**
 * States that no step can tell apart are one: what has lost its meaning is cleared, and sessions, epochs and
 * boots are renamed in order, so that their number is unbounded.
 */
import { at, hasGaps, renamed } from '../record.ts'
import type { LeaseContext } from './context.ts'
import {
  epochOf,
  holdsAny,
  type LeaseState,
  MESSAGE,
  type Node,
  PING,
  QUEUE,
  type Queue,
  SESSION,
  withEpoch,
} from './state.ts'

export function normalise(c: LeaseContext, state: LeaseState): void {
  for (const node of state.nodes) {
    clearMeaningless(c, node)
    dropOldMessages(c, node)
    forgetEpochs(c, node)
    if (c.config.fence) renameBoots(node)
    renameSessions(node)
  }
  for (let g = 0; g < c.groupCount; g += 1) renameEpochs(state, g)
  if (c.config.symmetric) sortNodes(state)
}

function clearMeaningless(c: LeaseContext, node: Node): void {
  if (!node.up) node.answerKnown = node.answerAge = node.confirmAge = 0
  if (!node.answerKnown) node.answerAge = 0
  if (!c.usesAuthority) node.confirmAge = node.authorityAge = 0
  if (node.sessionState === SESSION.none) node.session = 0
  if (node.ping && node.pingSession !== node.session) node.ping = PING.none
  if (!node.ping) node.pingAge = node.pingSession = 0
  if (node.ghost && node.ghost !== node.session) node.ghost = 0
  for (const held of node.held) if (!held.running) held.runningEpoch = 0
  // An empty-handed node starts with no lease (L2).
  if (holdsAny(node) || node.sessionState === SESSION.welcomed || c.removed.noLapseClear) return
  node.pongAge = c.pongLease + 1
  if (c.usesAuthority) node.authorityAge = c.authorityLease + 1
}

function dropOldMessages(c: LeaseContext, node: Node): void {
  if (!c.keepsOldToNode) dropUnless(node.toNode, node.session)
  if (!c.keepsOldToObject) dropUnless(node.toObject, node.objectSession ? node.lastSession : -1)
}

function dropUnless(queue: Queue, session: number): void {
  for (let k = QUEUE - 1; k >= 0; k -= 1)
    if (queue.kind(k) && queue.session(k) !== session) queue.remove(k)
}

/** An epoch memory that no command under way can meet is irrelevant: an exact reduction. */
function forgetEpochs(c: LeaseContext, node: Node): void {
  if (c.keepsOldToNode || c.config.snapshots || c.derives) return
  for (let g = 0; g < c.groupCount; g += 1) {
    const held = at(node.held, g)
    if (held.highest && !hasOnline(node.toNode, g)) held.highest = 0
  }
}

function hasOnline(queue: Queue, group: number): boolean {
  for (let k = 0; k < QUEUE; k += 1)
    if (queue.kind(k) === MESSAGE.online && queue.subject(k) === group) return true
  return false
}

function renameBoots({ fence, toObject }: Node): void {
  let used = (1 << fence.boot) | (1 << fence.hiveBoot)
  used |= (1 << fence.fenceAsked) | (1 << fence.fenceResult)
  for (let k = 0; k < QUEUE; k += 1)
    if (toObject.kind(k) === MESSAGE.report) used |= 1 << toObject.subject(k)
  used &= ~1
  if (!hasGaps(used)) return
  fence.boot = renamed(used, fence.boot)
  fence.hiveBoot = renamed(used, fence.hiveBoot)
  fence.fenceAsked = renamed(used, fence.fenceAsked)
  fence.fenceResult = renamed(used, fence.fenceResult)
  for (let k = 0; k < QUEUE; k += 1) {
    if (toObject.kind(k) !== MESSAGE.report) continue
    const boot = renamed(used, toObject.subject(k))
    toObject.rename(k, boot, toObject.session(k), toObject.epochs(k))
  }
}

function renameSessions(node: Node): void {
  let used = (1 << node.lastSession) | (1 << node.ghost)
  used |= (1 << node.session) | (1 << node.pingSession)
  used |= sessionsIn(node.toNode) | sessionsIn(node.toObject)
  used &= ~1
  if (!hasGaps(used)) return
  node.lastSession = renamed(used, node.lastSession)
  node.ghost = renamed(used, node.ghost)
  node.session = renamed(used, node.session)
  node.pingSession = renamed(used, node.pingSession)
  for (const queue of [node.toNode, node.toObject])
    for (let k = 0; k < QUEUE; k += 1)
      if (queue.kind(k))
        queue.rename(k, queue.subject(k), renamed(used, queue.session(k)), queue.epochs(k))
}

function sessionsIn(queue: Queue): number {
  let used = 0
  for (let k = 0; k < QUEUE; k += 1) if (queue.kind(k)) used |= 1 << queue.session(k)
  return used
}

function renameEpochs({ groups, nodes }: LeaseState, g: number): void {
  const group = at(groups, g)
  let used = 1 << group.epoch
  for (const node of nodes) {
    const held = at(node.held, g)
    used |= (1 << held.runningEpoch) | (1 << held.grant) | (1 << held.highest)
    used |= (1 << held.replica) | epochsIn(node.toNode, g) | epochsIn(node.toObject, g)
  }
  used &= ~1
  if (!hasGaps(used)) return
  group.epoch = renamed(used, group.epoch)
  for (const node of nodes) {
    const held = at(node.held, g)
    held.runningEpoch = renamed(used, held.runningEpoch)
    held.grant = renamed(used, held.grant)
    held.highest = renamed(used, held.highest)
    held.replica = renamed(used, held.replica)
    renameIn(node.toNode, g, used)
    renameIn(node.toObject, g, used)
  }
}

function epochsIn(queue: Queue, group: number): number {
  let used = 0
  for (let k = 0; k < QUEUE; k += 1) if (queue.kind(k)) used |= 1 << epochOf(queue.epochs(k), group)
  return used
}

function renameIn(queue: Queue, group: number, used: number): void {
  for (let k = 0; k < QUEUE; k += 1) {
    if (!queue.kind(k)) continue
    const epochs = queue.epochs(k)
    const epoch = renamed(used, epochOf(epochs, group))
    const others = epochs & ~withEpoch(group, 15)
    queue.rename(k, queue.subject(k), queue.session(k), others | withEpoch(group, epoch))
  }
}

/** Nodes in the order of their bytes; owners go with them. */
function sortNodes(state: LeaseState): void {
  const { spans } = state
  for (let i = 1; i < spans.length; i += 1)
    for (let j = i; j > 0 && isGreater(at(spans, j - 1), at(spans, j)); j -= 1)
      swap(state, j - 1, j)
}

function isGreater(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i += 1) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference > 0
  }
  return false
}

function swap({ groups, spans }: LeaseState, a: number, b: number): void {
  const [first, second] = [at(spans, a), at(spans, b)]
  const kept = first.slice()
  first.set(second)
  second.set(kept)
  for (const group of groups) {
    if (group.owner === a) group.owner = b
    else if (group.owner === b) group.owner = a
    if (group.uncommitted === a + 1) group.uncommitted = b + 1
    else if (group.uncommitted === b + 1) group.uncommitted = a + 1
  }
}
