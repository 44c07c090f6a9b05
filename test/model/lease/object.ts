/** The object: losing a node (D1 to D5), restarts, fencing (F1 to F6), placing and moving. */
import { at } from '../record.ts'
import { crash, freeAllOf, isCalm, isWelcome, type LeaseContext, sameSocket } from './context.ts'
import { type LeaseState, MESSAGE, type Node, PHASE, PING, SESSION, withEpoch } from './state.ts'

type Step = (label: string, change: (next: LeaseState, me: Node) => void) => void

/** Faults that hit the object as a whole. */
export function objectFaults(c: LeaseContext): void {
  if (c.faults.restart)
    c.stepper.step('!DO restarts (memory, sockets and timestamps lost)', ({ nodes, groups }) => {
      for (const node of nodes) {
        node.ghost = 0
        forget(c, node)
      }
      for (const group of groups) group.uncommitted = 0
    })
  if (c.faults.superseded)
    c.stepper.step(
      '!DO is replaced elsewhere; the old instance lives on and its runtime still answers pings',
      ({ nodes }) => {
        for (const node of nodes) {
          if (node.objectSession) node.ghost = node.lastSession
          forget(c, node)
        }
      },
    )
  if (c.faults.hibernate)
    c.stepper.step('!DO hibernates (memory lost, sockets and timestamps kept)', ({ nodes }) => {
      for (const node of nodes) {
        node.confirmAge = 0
        if (!node.objectSession) node.answerKnown = node.answerAge = 0
      }
    })
}

/** D5: nothing is known of a node without a socket; every Up node counts as confirmed now. */
function forget(c: LeaseContext, node: Node): void {
  node.objectSession = node.noted = 0
  node.answerAge = node.confirmAge = 0
  node.answerKnown = c.removed.graceFromPongTtl || !c.usesAuthority ? 1 : 0
  if (!c.removed.noRestartGrace) return
  node.answerKnown = 1
  node.answerAge = c.pongWait
  node.confirmAge = c.authorityWait
}

export function losingSteps(c: LeaseContext, n: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  if (node.objectSession) closes(c, n, step)
  if (c.faults.ghost)
    step(`!a late, dead connection attempt of n${n} reaches the DO`, (_, me) => {
      me.lastSession += 1
      me.objectSession = 1
      if (c.removed.ghostResets) me.answerKnown = me.answerAge = 0
    })
  if (!node.up || (node.objectSession && !c.removed.noClose)) return
  const pong = node.answerKnown && node.answerAge >= c.pongWait && !c.config.authorityWaitOnly
  if (pong || (c.usesAuthority && node.confirmAge >= c.authorityWait))
    step(`DO declares n${n} Down and frees its groups`, (next, me) => {
      me.up = 0
      freeAllOf(c, next, n)
    })
}

/** D1, D2: close, and read the time in the same step. */
function closes(c: LeaseContext, n: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  if (!c.removed.noReread) {
    const silent = node.answerKnown && node.answerAge >= c.pongLease
    const expected = silent || node.session !== node.lastSession
    const label = `DO closes the socket of n${n} and re-reads its timestamp (age ${node.answerAge})`
    step(`${expected ? '' : '!'}${label}`, (_, me) => {
      me.objectSession = 0
      if (c.removed.pongAfterClose) me.ghost = me.lastSession
    })
    return
  }
  if (!node.noted && node.answerKnown)
    step(`DO reads the timestamp of n${n}`, (_, me) => {
      me.noted = me.answerAge + 1
    })
  if (node.noted)
    step(`DO closes n${n}, keeps the value read before`, (_, me) => {
      me.answerAge = me.noted - 1
      me.noted = me.objectSession = 0
    })
}

export function fenceSteps(c: LeaseContext, n: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  const { hiveBoot, fenceAsked, fenceResult } = node.fence
  if (node.up && hiveBoot && !fenceAsked && !node.objectSession && !isCalm(c, n))
    step(`DO asks a fence agent to end boot ${hiveBoot} of n${n}`, (next, me) => {
      me.fence.fenceAsked = hiveBoot
      me.fence.fenceOpen = 1
      if (c.removed.fenceOnRequest) down(c, next, n)
    })
  if (fenceAsked) {
    const label = `!fence agent turns n${n} off (it boots again): result about boot ${fenceAsked} is under way`
    step(label, (next, me) => {
      crash(c, next, n)
      me.fence.fenceResult = fenceAsked
      me.fence.fenceAsked = 0
    })
    step('!fence request is lost or fails', (_, me) => {
      me.fence.fenceAsked = 0
    })
  }
  if (fenceResult) takesResult(c, n, step)
}

/** F2: only if that is the boot the hive has for the node now. */
function takesResult(c: LeaseContext, n: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  const { hiveBoot, fenceResult, fenceOpen } = node.fence
  const unnamed = c.removed.fenceNoBoot && fenceOpen > 0
  const anyBoot = c.removed.fenceAnyBoot && !node.objectSession
  const accepted = node.up && (fenceResult === hiveBoot || unnamed || anyBoot)
  if (!accepted) {
    step('DO ignores a fence result of another boot', (_, me) => {
      me.fence.fenceResult = 0
    })
    return
  }
  const label = `DO gets the result "boot ${fenceResult} of n${n} is over": frees its groups at once`
  step(label, (next, me) => {
    me.fence.fenceResult = 0
    down(c, next, n)
  })
  step(`${label} (a duplicate is still under way)`, (next) => down(c, next, n))
}

function down(c: LeaseContext, next: LeaseState, n: number): void {
  const node = at(next.nodes, n)
  node.up = node.fence.fenceOpen = 0
  if (!c.removed.fenceNoClose) node.objectSession = 0
  freeAllOf(c, next, n)
}

/** Ping and pong by the runtime, and the confirm that the object answers itself (L1 to L3). */
export function renewalSteps(c: LeaseContext, n: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  const mayPing =
    node.sessionState === SESSION.welcomed || (c.removed.pingBeforeWelcome && node.sessionState)
  if (mayPing && !node.paused && c.config.atomicPong) atomicPong(n, node, step)
  if (mayPing && !node.paused && !c.config.atomicPong && !node.ping)
    step(`n${n} sends ping`, (_, me) => {
      me.ping = PING.underWay
      me.pingAge = 0
      me.pingSession = me.session
    })
  if (node.ping === PING.underWay) pongs(n, node, step)
  if (
    node.ping === PING.answered &&
    !node.paused &&
    node.sessionState &&
    node.pingSession === node.session
  )
    step(`n${n} receives pong (ping age ${node.pingAge})`, (_, me) => {
      me.pongAge = c.removed.fromReceipt ? 0 : Math.min(me.pongAge, me.pingAge)
      me.ping = PING.none
    })
  const welcome = node.sessionState === SESSION.welcomed && isWelcome(node) && sameSocket(node)
  if (c.usesAuthority && welcome && !node.paused)
    step(`n${n} gets its authority lease confirmed behind a storage write`, (_, me) => {
      me.authorityAge = me.confirmAge = 0
    })
}

function atomicPong(n: number, node: Node, step: Step): void {
  const mine = sameSocket(node)
  if (!mine && node.ghost !== node.session) return
  const how = mine ? '' : ' (answered by a superseded or closing socket)'
  step(`n${n} ping and pong${how}`, (_, me) => {
    me.pongAge = 0
    if (!mine) return
    me.answerAge = 0
    me.answerKnown = 1
  })
}

function pongs(n: number, node: Node, step: Step): void {
  if (node.objectSession && node.lastSession === node.pingSession)
    step(`runtime answers pong to n${n}`, (_, me) => {
      me.ping = PING.answered
      me.answerAge = 0
      me.answerKnown = 1
    })
  else if (node.ghost === node.pingSession)
    step(`superseded or closing socket still answers pong to n${n}`, (_, me) => {
      me.ping = PING.answered
    })
}

/** Placing and moving one group: every decision is committed before it is sent (C4), but for mutants. */
export function placingSteps(c: LeaseContext, n: number, g: number, step: Step): void {
  const { nodes, groups } = c.stepper.now
  const [node, group] = [at(nodes, n), at(groups, g)]
  const nobody = group.owner === c.nodeCount
  const reachable = isWelcome(node) && !node.toNode.full
  const send = (me: Node, kind: number, epoch: number) =>
    me.toNode.push(kind, g, me.lastSession, withEpoch(g, epoch))
  if (c.config.offers && nobody && node.up && reachable)
    step(`DO offers g${g} (after epoch ${group.epoch}) to n${n}`, (_, me) =>
      send(me, MESSAGE.offer, group.epoch),
    )
  const owns = group.owner === n
  if (c.config.snapshots && owns && group.phase < PHASE.leaving && reachable)
    step(
      `DO sends a snapshot on the current session: g${g} is n${n}'s at epoch ${group.epoch}`,
      (_, me) => send(me, MESSAGE.online, group.epoch),
    )
  const tooEarly = c.removed.moveNoWait && !owns && group.phase >= PHASE.leaving
  const mayPlace = !c.config.offers && (nobody || tooEarly) && !group.uncommitted
  if (mayPlace && node.up && reachable)
    step(`DO commits g${g} -> n${n}, epoch ${group.epoch + 1}, then sends online`, (next, me) => {
      send(me, MESSAGE.online, group.epoch + 1)
      if (c.removed.sendBeforeCommit) at(next.groups, g).uncommitted = n + 1
      else commits(next, n, g)
      if (c.removed.catchupGrants) at(me.held, g).replica = group.epoch + 1
    })
  if (c.removed.sendBeforeCommit && group.uncommitted === n + 1)
    step('DO commit reaches storage', (next) => {
      at(next.groups, g).uncommitted = 0
      commits(next, n, g)
    })
  if (c.faults.move && owns && group.phase === PHASE.online)
    step(`!operator moves g${g} away from n${n}`, (next) => {
      at(next.groups, g).phase = PHASE.leaving
    })
  if (owns && group.phase === PHASE.leaving && reachable)
    step(`DO sends offline(g${g}) to n${n}`, (next, me) => {
      send(me, MESSAGE.offline, group.epoch)
      at(next.groups, g).phase = PHASE.offlineSent
    })
}

/** C2: every placement has a new epoch. */
export function commits(next: LeaseState, n: number, g: number): void {
  const group = at(next.groups, g)
  group.owner = n
  group.epoch += 1
  group.phase = PHASE.placed
}
