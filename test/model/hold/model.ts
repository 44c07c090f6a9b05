/**
 * Takeover policy hold-with-majority (rules H2 to H11), one group. The base rules are abstracted: a renewal or
 * a grant is one step. That is the worst case for safety, since a late answer only shortens a lease that
 * is measured from the moment of sending. Not built in the product; the rules are kept ready.
 */
import type { Emit, Model } from '../model.ts'
import { at, has, members } from '../record.ts'
import {
  type HoldConfig,
  type HoldContext,
  type HoldNode,
  type HoldState,
  inStanding,
  isBlocked,
  isMember,
  LEASE,
  LONG_AGO,
  leaseValid,
  makeContext,
  meshWait,
  NO_GRANT,
  noLease,
  SESSION,
  silence,
  WAIT,
} from './state.ts'

type Step = (label: string, change: (next: HoldState, me: HoldNode) => void) => void

export class HoldModel implements Model {
  readonly size: number
  readonly #c: HoldContext
  readonly #seen: HoldState

  constructor(config: HoldConfig) {
    this.#c = makeContext(config)
    this.size = this.#c.size
    this.#seen = this.#c.makeState()
  }

  initial(): Uint8Array {
    return firstState(this.#c).bytes
  }

  steps(state: Uint8Array, emit: Emit): void {
    const c = this.#c
    c.stepper.begin(state, emit)
    timeStep(c)
    if (c.config.faults?.restart) objectRestarts(c)
    for (let n = 0; n < c.count; n += 1) {
      c.stepper.calm = has(c.config.calm ?? 0, n)
      const step: Step = (label, change) =>
        c.stepper.step(label, (next) => change(next, at(next.nodes, n)))
      endings(c, n, step)
      renewals(c, n, step)
      reports(c, n, step)
      grants(c, n, step)
      if (c.naive) takeoverByTimers(c, n, step)
      else takeoverByPromises(c, n, step)
      places(c, n, step)
    }
    c.stepper.calm = false
    changesView(c)
  }

  broken(state: Uint8Array): string | null {
    this.#seen.bytes.set(state)
    const { group, nodes } = this.#seen
    const running = nodes.filter((node) => node.running)
    if (running.length > 1) return 'I1 dual ownership'
    if (this.#c.config.onlyDual) return null
    const stray = nodes.findIndex(
      (node, n) => node.running && (group.owner !== n || group.epoch !== node.running),
    )
    return stray < 0 ? null : `I2 group runs on n${stray} but the hive does not say so`
  }

  settled(state: Uint8Array): boolean {
    this.#seen.bytes.set(state)
    const { group, nodes } = this.#seen
    return group.owner < this.#c.count && at(nodes, group.owner).running === group.epoch
  }
}

function firstState(c: HoldContext): HoldState {
  const state = c.makeState()
  const { group, nodes } = state
  group.epoch = 1
  group.target = c.count
  const { startView = 0, startDown = 0 } = c.config
  nodes.forEach((node, n) => {
    node.grants.fill(NO_GRANT)
    const member = isMember(c, 0, n)
    if (member || (startView && n > 0 && isMember(c, startView, n))) {
      node.up = node.objectSession = node.standing = 1
      node.session = SESSION.welcomed
    } else {
      node.leaseAge = noLease(c)
      node.objectAge = LONG_AGO
    }
    if (startView && n > 0 && isMember(c, startView, n)) node.viewHeld = node.viewKnown = startView
    if (!has(startDown, n)) return
    node.up = node.objectSession = node.standing = node.session = 0
    node.leaseAge = noLease(c)
    node.objectAge = LONG_AGO
  })
  group.view = startView
  at(nodes, 0).running = 1
  return state
}

/** Time stops only for the guard: a node that would be in no standing any more acts first. */
function timeStep(c: HoldContext): void {
  const { now } = c.stepper
  const after = c.makeState()
  after.bytes.set(now.bytes)
  grow(c, after)
  const late = now.nodes.some(
    (node, n) => (node.running || node.standing) && !inStanding(c, after, n),
  )
  if (!late) c.stepper.step('tick', (next) => grow(c, next))
}

function grow(c: HoldContext, { group, nodes }: HoldState): void {
  for (const node of nodes) {
    node.leaseAge = Math.min(noLease(c), node.leaseAge + 1)
    node.objectAge = Math.min(LONG_AGO, node.objectAge + 1)
    for (let j = 0; j < c.count; j += 1)
      node.grants[j] = Math.min(NO_GRANT, (node.grants[j] as number) + 1)
  }
  if (group.target !== c.count) group.sincePromise = Math.min(meshWait(c), group.sincePromise + 1)
}

function objectRestarts(c: HoldContext): void {
  c.stepper.step('!DO restarts', ({ group, nodes }) => {
    group.promised = group.sincePromise = 0
    for (const node of nodes) node.objectSession = node.objectAge = 0
    if (c.removed.volatileIntent) group.target = c.count
  })
}

/** How a node or its session ends. */
function endings(c: HoldContext, n: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  const healthy = node.session === SESSION.welcomed && leaseValid(node)
  if (node.running || node.standing)
    step(`${healthy ? '!' : ''}n${n} lapses: terminates everything, votes no more`, (_, me) => {
      me.running = me.standing = me.session = 0
    })
  if (c.config.faults?.crash && (node.running || node.standing || node.session))
    step(`!n${n} reboots`, (_, me) => {
      me.running = me.standing = me.session = me.fences = 0
      me.leaseAge = noLease(c)
      me.grants.fill(NO_GRANT)
    })
  if (node.session)
    step(`${node.objectSession ? '!' : ''}n${n} loses its session`, (_, me) => {
      me.session = SESSION.none
    })
  if (node.objectSession)
    step(`${node.session ? '!' : ''}DO closes the session of n${n}`, (_, me) => {
      me.objectSession = 0
    })
}

function renewals(c: HoldContext, n: number, step: Step): void {
  const node = at(c.stepper.now.nodes, n)
  if (node.session === SESSION.welcomed && node.objectSession)
    step(`n${n} renews its lease`, (_, me) => {
      me.leaseAge = me.objectAge = 0
      me.standing = 1
    })
  if (!c.config.slowPing) return
  if (node.session === SESSION.welcomed && !node.slowPing)
    step(`n${n} sends a ping that is delayed`, (_, me) => {
      me.slowPing = 1
    })
  if (node.slowPing && node.objectSession)
    step(`delayed ping of n${n} reaches the DO`, (_, me) => {
      me.slowPing = me.objectAge = 0
    })
}

function reports(c: HoldContext, n: number, step: Step): void {
  const { group, nodes } = c.stepper.now
  const node = at(nodes, n)
  const owns = group.owner === n && group.epoch === node.running && node.up > 0
  if (!node.session && isMember(c, group.view, n) && (!node.running || owns))
    step(`DO accepts the report of n${n}`, (next, me) => {
      me.session = SESSION.reported
      me.objectSession = me.up = 1
      me.objectAge = 0
      if (c.config.joinDelay) me.grants[n] = 0
      // H5: a newer report withdraws the intent. H4: promises name an older session of n now.
      if (group.target === n) next.group.target = c.count
      if (group.owner === n && !node.running) next.group.owner = c.count
      for (const other of next.nodes) other.fences &= ~(1 << n)
    })
  if (node.session === SESSION.reported && node.objectSession)
    step(`n${n} is welcomed (view, fence table)`, (_, me) => {
      me.session = SESSION.welcomed
      me.viewHeld = group.view
      // H8: the welcome names whom not to grant to.
      let fences = group.target === c.count ? 0 : 1 << group.target
      nodes.forEach((other, h) => {
        if (!other.up) fences |= 1 << h
      })
      me.fences = c.removed.welcomeNoFence ? 0 : fences & ~(1 << n)
    })
}

/** H4: a voter in standing grants to whom it has not promised to refuse. */
function grants(c: HoldContext, n: number, step: Step): void {
  const { now } = c.stepper
  const node = at(now.nodes, n)
  if (!has(c.config.askers ?? 0xffff, n) || !(node.running || node.standing)) return
  if (!inStanding(c, now, n)) return
  now.nodes.forEach((other, j) => {
    if (j === n || !node.grants[j] || !isMember(c, node.viewHeld, j)) return
    const votes = other.standing || c.removed.voteWithoutStanding
    const promised = has(other.fences, n) && !c.removed.ignoreFence
    // The sketch: "no member has a live session with the object".
    const quiet = silence(c) === 0 || other.leaseAge >= LEASE + silence(c)
    const agrees = c.naive ? !other.session && quiet : votes && !promised
    if (!agrees) return
    step(`n${j} grants a mesh lease to n${n}`, (_, me) => {
      me.grants[j] = 0
    })
  })
}

/** H5 to H7. */
function takeoverByPromises(c: HoldContext, n: number, step: Step): void {
  const { now } = c.stepper
  const { group } = now
  const node = at(now.nodes, n)
  if (group.target === c.count && node.up && !node.objectSession)
    step(`DO commits the intent to take over from n${n}`, (next) => {
      next.group.target = n
      next.group.promised = next.group.sincePromise = 0
    })
  const open = group.target !== c.count && group.target !== n
  const asked = open && node.session === SESSION.welcomed && node.objectSession
  if (asked && !has(group.promised, n))
    step(`n${n} promises: no more grants to n${group.target}`, (next, me) => {
      me.fences |= 1 << group.target
      next.group.promised |= 1 << n
      if (!isBlocked(c, now, group.target, group.promised)) next.group.sincePromise = 0
    })
  if (group.target !== n || !node.up || node.objectSession || node.objectAge < WAIT) return
  if (group.sincePromise < meshWait(c) && !c.removed.noMeshWait) return
  if (!c.removed.noMajority && !isBlocked(c, now, n, group.promised)) return
  step(`DO declares n${n} Down`, (next, me) => {
    me.up = me.objectAge = 0
    next.group.target = c.count
    if (next.group.owner === n) next.group.owner = c.count
  })
}

/** H1: the sketch, "majority of live sessions" against "majority of the mesh without one". */
function takeoverByTimers(c: HoldContext, n: number, step: Step): void {
  const { group, nodes } = c.stepper.now
  const node = at(nodes, n)
  if (!node.up || node.objectSession || node.objectAge < WAIT) return
  if (!c.removed.noDoMajority) {
    const live = nodes.filter((other, j) => {
      const settled = !c.config.joinDelay || (other.grants[j] as number) >= meshWait(c)
      return (
        other.objectSession && isMember(c, group.view, j) && other.objectAge <= LEASE && settled
      )
    })
    const own = members(at(c.views, group.view)) % 2 === 1 ? 0 : 1
    if (live.length + own < at(c.majorities, group.view)) return
  }
  step(`DO declares n${n} Down`, (next, me) => {
    me.up = me.objectAge = 0
    if (next.group.owner === n) next.group.owner = c.count
  })
}

function places(c: HoldContext, n: number, step: Step): void {
  const { group, nodes } = c.stepper.now
  const node = at(nodes, n)
  const connected = node.objectSession && node.session === SESSION.welcomed
  if (group.owner === c.count && node.up && connected && leaseValid(node) && !node.running)
    step(`group goes to n${n}`, (next, me) => {
      next.group.owner = n
      next.group.epoch += 1
      me.running = next.group.epoch
    })
  if (connected && node.viewHeld < group.view)
    step(`n${n} adopts view ${group.view}`, (_, me) => {
      me.viewHeld = group.view
    })
  if (connected && node.viewKnown < node.viewHeld)
    step(`DO records that n${n} holds view ${node.viewHeld}`, (_, me) => {
      me.viewKnown = node.viewHeld
    })
}

/** H9: views are numbered, and a node leaves one only when it is Down. */
function changesView(c: HoldContext): void {
  const { group, nodes } = c.stepper.now
  if (group.view + 1 >= c.views.length) return
  const leaving = at(c.views, group.view) & ~at(c.views, group.view + 1)
  if (nodes.some((node, n) => has(leaving, n) && (node.up || node.objectSession))) return
  c.stepper.step(`DO commits view ${group.view + 1}`, (next) => {
    next.group.view += 1
  })
}
