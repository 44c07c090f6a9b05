/** The host: its socket, its guard, what runs on it, and what befalls it (S1, L4, L5, G1, G2, C6). */
import { at } from '../record.ts'
import { crash, isFrozen, type LeaseContext, leaseValid, mustStop, sameSocket } from './context.ts'
import {
  held as heldOf,
  holdsAny,
  type LeaseState,
  MESSAGE,
  type Node,
  RUNS,
  SESSION,
  withEpoch,
} from './state.ts'

type Step = (label: string, change: (next: LeaseState, me: Node) => void) => void

/** S1: one socket at most, the old one closed before a new one is opened. */
export function connectionSteps(c: LeaseContext, n: number, step: Step): void {
  const { nodes, groups } = c.stepper.now
  const node = at(nodes, n)
  if (!node.sessionState && !node.paused && !node.toNode.full)
    step(
      `n${n} opens a new socket (old one closed first); DO numbers it and challenges`,
      (_, me) => {
        me.lastSession += 1
        me.session = me.lastSession
        me.sessionState = me.objectSession = SESSION.challenged
        if (c.removed.snapshotGrants)
          groups.forEach((group, g) => {
            heldOf(me, g).replica = group.owner === n ? group.epoch : 0
          })
        me.toNode.push(MESSAGE.challenge, 0, me.lastSession, 0)
      },
    )
  if (!node.sessionState) return
  const gone = !sameSocket(node)
  if (gone || c.faults.drop)
    step(`${gone ? '' : '!'}n${n} loses its socket`, (_, me) => {
      me.sessionState = me.session = 0
    })
}

export function hostFaults(c: LeaseContext, n: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  if (c.faults.crash && (node.sessionState || holdsAny(node))) {
    step(`!n${n} host crashes and reboots`, (next) => crash(c, next, n))
    if (c.config.fence && !node.fence.fenceResult)
      step(
        `!n${n} host crashes; an operator sees it off and confirms that boot (late), then it reboots`,
        (next, me) => {
          const { boot } = me.fence
          crash(c, next, n)
          me.fence.fenceResult = boot
        },
      )
  }
  if (c.faults.pause && !node.paused)
    step(`!n${n} agent is paused`, (_, me) => {
      me.paused = 1
    })
  if (node.paused)
    step(`n${n} agent resumes`, (_, me) => {
      me.paused = 0
    })
  if (c.removed.reportAgentMemory)
    step(`!n${n} agent restarts, forgets its groups, processes live on`, (_, me) => {
      for (const held of me.held) held.grant = 0
      me.sessionState = me.session = 0
    })
}

/** L4, L5: the guard does it, whatever the agent does. */
export function lapseStep(c: LeaseContext, n: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  if (isFrozen(c, node) || !mustStop(c, node) || !holdsAny(node)) return
  const keeps = c.removed.noLapseClear
  const due = node.held.some((held) => held.running === RUNS.yes || (held.grant && !keeps))
  if (!due) return
  step(`lease of n${n} lapses: guard starts to terminate everything, grants void`, (_, me) => {
    for (const held of me.held) {
      if (!keeps) held.grant = 0
      if (held.running) held.running = RUNS.lapsing
    }
    if (!c.removed.lapseKeepsSession) me.sessionState = me.session = 0
  })
}

export function workloadSteps(c: LeaseContext, n: number, g: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  const held = heldOf(node, g)
  const frozen = isFrozen(c, node)
  if (!frozen && held.running >= RUNS.lapsing) stops(n, g, node, step)
  if (c.removed.checkThenExec && held.pending && !node.paused)
    step(`n${n}: g${g} process is started, lease was checked earlier`, (_, me) => {
      const mine = heldOf(me, g)
      mine.pending = 0
      mine.running = RUNS.yes
      mine.runningEpoch = mine.highest
    })
  if (c.faults.fail && held.running === RUNS.yes && held.grant)
    step(`!n${n}: g${g} fails`, (_, me) => {
      heldOf(me, g).running = RUNS.no
    })
  if (!held.running && held.grant && !held.pending && !frozen) restarts(c, n, g, step)
  if (c.derives) derives(c, n, g, step)
}

function stops(n: number, g: number, node: Node, step: Step): void {
  const held = heldOf(node, g)
  const acks = held.running === RUNS.stopping && node.sessionState === SESSION.welcomed
  if (!acks)
    return step(`n${n}: g${g} is stopped`, (_, me) => {
      heldOf(me, g).running = RUNS.no
    })
  if (node.toObject.full) return
  step(`n${n}: g${g} is stopped, reports offline`, (_, me) => {
    heldOf(me, g).running = RUNS.no
    me.toObject.push(MESSAGE.ackOffline, g, me.session, withEpoch(g, held.runningEpoch))
  })
}

/** C6: a local restart under a grant that stands, or giving up: first the grant, then the report. */
function restarts(c: LeaseContext, n: number, g: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  const { grant } = heldOf(node, g)
  if (leaseValid(c, node))
    step(`n${n}: local restart of g${g}`, (_, me) => {
      const mine = heldOf(me, g)
      mine.running = RUNS.yes
      mine.runningEpoch = grant
    })
  if (node.sessionState === SESSION.welcomed && !node.paused && !node.toObject.full)
    step(`n${n} gives g${g} up and reports it`, (_, me) => {
      heldOf(me, g).grant = 0
      me.toObject.push(MESSAGE.ackOffline, g, me.session, withEpoch(g, grant))
    })
}

/** What must not be (U1, U2): something that is only state creates a grant. */
function derives(c: LeaseContext, n: number, g: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  const held = heldOf(node, g)
  if (held.replica <= held.highest || held.running) return
  if (node.sessionState !== SESSION.welcomed || node.paused || !leaseValid(c, node)) return
  const from = c.removed.replicaGrants
    ? 'replica on disk'
    : c.removed.snapshotGrants
      ? 'snapshot'
      : 'catch-up of updates it missed'
  const label = `n${n} derives from its ${from} that g${g} (epoch ${held.replica}) is its own, and starts it`
  step(label, (_, me) => {
    const mine = heldOf(me, g)
    mine.grant = mine.runningEpoch = mine.highest = mine.replica
    mine.running = RUNS.yes
    mine.replica = 0
  })
}
