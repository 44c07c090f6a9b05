/** What the node does with the messages of the object, and the object with those of the node (S1 to S4, C1 to C6). */
import { at } from '../record.ts'
import { free, isWelcome, type LeaseContext, leaseValid, noLease } from './context.ts'
import { commits } from './object.ts'
import {
  epochOf,
  held as heldOf,
  type LeaseState,
  MESSAGE,
  type Node,
  PHASE,
  QUEUE,
  RUNS,
  SESSION,
  withEpoch,
} from './state.ts'

type Step = (label: string, change: (next: LeaseState, me: Node) => void) => void

/** One message, taken out of its queue in the step that handles it. */
interface Message {
  readonly k: number
  readonly kind: number
  readonly subject: number
  readonly session: number
  readonly epochs: number
}

function messagesOf(node: Node, direction: 'toNode' | 'toObject'): Message[] {
  const queue = node[direction]
  const messages: Message[] = []
  for (let k = 0; k < QUEUE; k += 1) {
    const kind = queue.kind(k)
    if (!kind || !queue.isFirstOfSession(k)) continue
    const [subject, session, epochs] = [queue.subject(k), queue.session(k), queue.epochs(k)]
    messages.push({ k, kind, subject, session, epochs })
  }
  return messages
}

/** C1: from the current session only, in order. A paused agent does nothing. */
export function nodeTakes(c: LeaseContext, n: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  if (node.paused) return
  const messages = messagesOf(node, 'toNode')
  for (const message of messages) {
    const current = message.session === node.session
    const take: Step = (label, change) =>
      step(label, (next, me) => {
        me.toNode.remove(message.k)
        change(next, me)
      })
    if (message.kind === MESSAGE.challenge && current) reports(c, n, message, take)
    else if (message.kind === MESSAGE.welcome && current)
      take(`n${n} is welcomed`, (_, me) => {
        me.sessionState = SESSION.welcomed
      })
    else if (message.kind === MESSAGE.online) online(c, n, message, take)
    else if (message.kind === MESSAGE.offline && (current || c.removed.noSessionCheck))
      offline(c, n, message, take)
  }
  for (const message of messages)
    if (message.kind === MESSAGE.offer && message.session === node.session && !node.toObject.full)
      step(`n${n} accepts the offer of g${message.subject}`, (_, me) => {
        me.toNode.remove(message.k)
        me.toObject.push(MESSAGE.accept, message.subject, message.session, message.epochs)
      })
}

/** S3: by the guard, after the challenge, while nothing is being stopped; grants are listed too. */
function reports(c: LeaseContext, n: number, message: Message, take: Step): void {
  const node = at(c.stepper.now.nodes, n)
  const stopping = node.held.some((held) => held.running >= RUNS.lapsing)
  if (stopping || node.toObject.full) return
  const { reportAgentMemory, reportRunningOnly } = c.removed
  const list = node.held.reduce((sum, held, g) => {
    if (reportAgentMemory) return sum | withEpoch(g, held.grant)
    if (held.running) return sum | withEpoch(g, held.runningEpoch)
    return reportRunningOnly ? sum : sum | withEpoch(g, held.grant)
  }, 0)
  const what = list ? `epoch ${list & 15}` : 'none'
  take(`n${n} reports on session: groups held ${what}`, (_, me) => {
    const boot = c.config.fence ? me.fence.boot : 0
    me.toObject.push(MESSAGE.report, boot, message.session, list)
    if (!list && !reportRunningOnly && !reportAgentMemory) noLease(c, me)
  })
}

/** C2, C3. */
function online(c: LeaseContext, n: number, message: Message, take: Step): void {
  const node = at(c.stepper.now.nodes, n)
  const { subject: g, session } = message
  const epoch = epochOf(message.epochs, g)
  const held = heldOf(node, g)
  if (session !== node.session && !c.removed.noSessionCheck)
    return take(`n${n} rejects online of an old session`, () => {})
  if (epoch <= held.highest && !c.removed.noEpochCheck)
    return take(`n${n} rejects online(g${g}) with a used epoch`, () => {})
  const allowed = leaseValid(c, node) || c.removed.noLeaseCheck
  if (!allowed || held.running >= RUNS.lapsing || node.toObject.full) return
  take(`n${n} executes online(g${g}, epoch ${epoch})`, (_, me) => {
    const mine = heldOf(me, g)
    mine.grant = epoch
    mine.highest = Math.max(epoch, mine.highest)
    if (c.derives) mine.replica = c.removed.replicaGrants ? epoch : 0
    if (c.removed.checkThenExec) {
      mine.pending = 1
      return
    }
    mine.running = RUNS.yes
    mine.runningEpoch = epoch
    me.toObject.push(MESSAGE.ackOnline, g, session, withEpoch(g, epoch))
  })
}

function offline(c: LeaseContext, n: number, message: Message, take: Step): void {
  const node = at(c.stepper.now.nodes, n)
  const { subject: g, session } = message
  const epoch = epochOf(message.epochs, g)
  if (!heldOf(node, g).running && node.toObject.full) return
  take(`n${n} receives offline(g${g}, epoch ${epoch})`, (_, me) => {
    const mine = heldOf(me, g)
    mine.grant = mine.pending = 0
    mine.highest = Math.max(epoch, mine.highest)
    if (c.derives) mine.replica = 0
    if (mine.running) mine.running = RUNS.stopping
    else me.toObject.push(MESSAGE.ackOffline, g, session, withEpoch(g, epoch))
  })
}

export function objectTakes(c: LeaseContext, n: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  for (const message of messagesOf(node, 'toObject')) {
    const take: Step = (label, change) =>
      step(label, (next, me) => {
        me.toObject.remove(message.k)
        change(next, me)
      })
    const current = message.session === node.lastSession
    // S2: a report counts for the latest session only, once.
    const awaited = current && node.objectSession === SESSION.challenged
    const late = c.removed.noReportSession && node.objectSession > 0
    if (message.kind === MESSAGE.report && (awaited || late)) takesReport(c, n, message, take)
    else if (message.kind !== MESSAGE.report && current && isWelcome(node))
      takesWord(c, n, message, take)
    else if (c.keepsOldToObject) take('!message lost', () => {})
  }
}

/** S4: what is missing is free at once; what is listed and not its own is refused. */
function takesReport(c: LeaseContext, n: number, message: Message, take: Step): void {
  const { nodes, groups } = c.stepper.now
  const node = at(nodes, n)
  const foreign = groups.some((group, g) => {
    const epoch = epochOf(message.epochs, g)
    return epoch > 0 && !(node.up && group.owner === n && group.epoch === epoch)
  })
  if (foreign && !c.removed.noProof)
    return take(`DO refuses n${n}: it still holds groups it does not own`, (_, me) => {
      me.objectSession = SESSION.none
    })
  if (node.toNode.full) return
  take(`DO welcomes n${n}`, (next, me) => {
    groups.forEach((group, g) => {
      const epoch = epochOf(message.epochs, g)
      const mine = at(next.groups, g)
      const own = node.up && group.owner === n && group.epoch === epoch
      if (!epoch && group.owner === n) free(c, mine)
      if (epoch && own && group.phase === PHASE.offlineSent) mine.phase = PHASE.leaving
      if (epoch && own && group.phase === PHASE.placed) mine.phase = PHASE.online
    })
    me.toNode.push(MESSAGE.welcome, 0, me.lastSession, 0)
    if (c.config.fence) {
      // F3: the hive's boot is written with the report.
      if (!c.removed.keepsOldBoot || !me.fence.hiveBoot) me.fence.hiveBoot = message.subject
      me.fence.fenceOpen = 0
    }
    me.up = me.answerKnown = 1
    me.objectSession = SESSION.welcomed
    me.answerAge = me.confirmAge = 0
  })
}

function takesWord(c: LeaseContext, n: number, message: Message, take: Step): void {
  const { nodes, groups } = c.stepper.now
  const node = at(nodes, n)
  const { subject: g } = message
  const group = at(groups, g)
  const epoch = epochOf(message.epochs, g)
  const own = group.owner === n && group.epoch === epoch
  if (message.kind === MESSAGE.ackOnline)
    take(`DO records g${g} Online on n${n}`, (next) => {
      if (own && group.phase === PHASE.placed) at(next.groups, g).phase = PHASE.online
    })
  if (message.kind === MESSAGE.ackOffline)
    take(`DO records g${g} offline on n${n}`, (next) => {
      if (own) free(c, at(next.groups, g))
    })
  if (message.kind !== MESSAGE.accept) return
  // O2: only if the group is still free at the epoch of the offer.
  const stillFree = group.owner === c.nodeCount && group.epoch === epoch
  if (!stillFree && !c.removed.acceptNoCas) return take('DO drops a late accept', () => {})
  if (node.toNode.full) return
  const label = `DO commits the accepted offer: g${g} -> n${n}, epoch ${group.epoch + 1}, then sends online`
  take(label, (next, me) => {
    me.toNode.push(MESSAGE.online, g, me.lastSession, withEpoch(g, group.epoch + 1))
    commits(next, n, g)
  })
}
