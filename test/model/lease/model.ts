/**
 * Leases, sessions, commands, hive updates, offers and fence agents under the takeover policy `lease` (rules
 * L, D, S, C, U, O, F and the outline of G). All timing constraints are closed: a lease may run its full longest
 * real life, with the drift of the clocks folded in, and the object's wait is one tick longer. Delivery is always
 * optional, so partitions and loss are included. Bounded are nodes, groups, two messages in flight each
 * way for each node, and one ping outstanding.
 */
import type { Emit, Model } from '../model.ts'
import { at } from '../record.ts'
import {
  isCalm,
  isFrozen,
  type LeaseConfig,
  type LeaseContext,
  makeContext,
  mustStop,
  noLease,
} from './context.ts'
import { connectionSteps, hostFaults, lapseStep, workloadSteps } from './host.ts'
import { nodeTakes, objectTakes } from './messages.ts'
import { fenceSteps, losingSteps, objectFaults, placingSteps, renewalSteps } from './object.ts'
import { type LeaseState, type Node, PHASE, PING, RUNS, stateOf } from './state.ts'

export class LeaseModel implements Model {
  readonly size: number
  readonly #c: LeaseContext
  readonly #seen: LeaseState

  constructor(config: LeaseConfig) {
    this.#c = makeContext(config)
    this.#seen = this.#empty()
    this.size = this.#seen.bytes.length
  }

  #empty(): LeaseState {
    return stateOf(this.#c.nodeCount, this.#c.groupCount)
  }

  initial(): Uint8Array {
    const state = this.#empty()
    for (const group of state.groups) group.owner = this.#c.nodeCount
    for (const node of state.nodes) {
      noLease(this.#c, node)
      if (this.#c.config.fence) node.fence.boot = 1
    }
    return state.bytes
  }

  steps(state: Uint8Array, emit: Emit): void {
    const c = this.#c
    c.stepper.begin(state, emit)
    timeStep(c)
    objectFaults(c)
    for (let n = 0; n < c.nodeCount; n += 1) {
      c.stepper.calm = isCalm(c, n)
      const step = (label: string, change: (next: LeaseState, me: Node) => void) =>
        c.stepper.step(label, (next) => change(next, at(next.nodes, n)))
      losingSteps(c, n, step)
      if (c.config.fence) fenceSteps(c, n, step)
      connectionSteps(c, n, step)
      renewalSteps(c, n, step)
      nodeTakes(c, n, step)
      objectTakes(c, n, step)
      hostFaults(c, n, step)
      lapseStep(c, n, step)
      for (let g = 0; g < c.groupCount; g += 1) {
        workloadSteps(c, n, g, step)
        placingSteps(c, n, g, step)
      }
    }
  }

  broken(state: Uint8Array): string | null {
    this.#seen.bytes.set(state)
    for (let g = 0; g < this.#c.groupCount; g += 1) {
      const text = brokenGroup(this.#c, this.#seen, g)
      if (text !== null) return text
    }
    return null
  }

  settled(state: Uint8Array): boolean {
    this.#seen.bytes.set(state)
    const { groups, nodes } = this.#seen
    return groups.every((group, g) => {
      if (group.phase !== PHASE.online || group.owner === this.#c.nodeCount) return false
      const held = at(at(nodes, group.owner).held, g)
      return held.running === RUNS.yes && held.runningEpoch === group.epoch
    })
  }
}

function brokenGroup(c: LeaseContext, { groups, nodes }: LeaseState, g: number): string | null {
  const group = at(groups, g)
  const late = c.removed.sendBeforeCommit
  let running = 0
  let stray = -1
  for (let n = 0; n < c.nodeCount; n += 1) {
    const held = at(at(nodes, n).held, g)
    if (held.highest > group.epoch && !late)
      return `I3 epoch: n${n} has seen an epoch of g${g} above the hive`
    if (!held.running) continue
    running += 1
    if (group.owner !== n || group.epoch !== held.runningEpoch) stray = n
  }
  if (running > 1) return `I1 dual ownership: g${g} runs on two nodes`
  if (stray < 0 || late || c.config.onlyDual) return null
  return `I2 g${g} runs on n${stray} but the hive does not say so`
}

/** Time stops only for a guard that acts in time. */
function timeStep(c: LeaseContext): void {
  if (c.stepper.now.nodes.some((node) => isDue(c, node))) return
  c.stepper.step('tick', ({ nodes }) => {
    for (const node of nodes) {
      if (node.answerKnown) node.answerAge = Math.min(c.pongWait, node.answerAge + 1)
      node.confirmAge = Math.min(c.authorityWait, node.confirmAge + 1)
      node.pongAge = Math.min(c.pongLease + 1, node.pongAge + 1)
      if (c.usesAuthority) node.authorityAge = Math.min(c.authorityLease + 1, node.authorityAge + 1)
      if (node.noted) node.noted = Math.min(c.pongWait + 1, node.noted + 1)
      if (node.ping) pingAges(c, node)
    }
  })
}

/** A ping that is older than a lease can renew nothing any more. */
function pingAges(c: LeaseContext, node: Node): void {
  node.pingAge += 1
  if (node.pingAge <= c.pongLease) return
  if (c.removed.fromReceipt) node.pingAge = c.pongLease
  else node.ping = PING.none
}

/** L4: what has to begin by the stop time, and to be complete at the lease end. */
function isDue(c: LeaseContext, node: Node): boolean {
  if (isFrozen(c, node)) return false
  const extra = c.removed.noStopTime ? c.stop : 0
  const ended =
    node.pongAge >= c.pongLease + extra ||
    (c.usesAuthority && node.authorityAge >= c.authorityLease + extra)
  const lapsed = mustStop(c, node)
  return node.held.some((held) => {
    const begins = held.running === RUNS.yes || (held.grant > 0 && !c.removed.noLapseClear)
    return (lapsed && begins) || (ended && held.running > 0)
  })
}
