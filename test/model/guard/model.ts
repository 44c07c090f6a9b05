/**
 * One node from inside (rules G3 to G12): guard, RHS, a manager outside of our reach, marks, state file,
 * watchdog, one group. The coordinator is abstracted by what the lease model proves: the group becomes free
 * only (a) strictly after the longest real life of the lease, (b) by an accepted report that does not
 * list it, (c) by the ack "terminated"; once free, the other node may run it at once. Renewals and frames
 * are atomic. Killing takes no time here: its duration is a part of T_stop (G6).
 */
import type { Emit, Model } from '../model.ts'
import { deathSteps } from './deaths.ts'
import { startSteps } from './starts.ts'
import {
  type GuardConfig,
  type GuardContext,
  held,
  makeContext,
  makeState,
  OWNER,
  RHS,
  SESSION,
  SIZE,
  STOP,
  save,
} from './state.ts'
import { stopSteps } from './stops.ts'

export class GuardModel implements Model {
  readonly size = SIZE
  readonly #context: GuardContext
  readonly #onlyDual: boolean
  readonly #seen = makeState()

  constructor(config: GuardConfig) {
    this.#context = makeContext(config)
    this.#onlyDual = config.onlyDual ?? false
  }

  initial(): Uint8Array {
    const state = makeState()
    state.renewalAge = state.leaseAge = state.fileAge = this.#context.times.noLease
    state.guard = state.rhs = state.mark = state.gapBudget = 1
    return state.bytes
  }

  steps(state: Uint8Array, emit: Emit): void {
    const context = this.#context
    context.stepper.begin(state, emit)
    timeStep(context)
    otherNode(context)
    session(context)
    leases(context)
    startSteps(context)
    faults(context)
    stopSteps(context)
    deathSteps(context)
  }

  broken(state: Uint8Array): string | null {
    this.#seen.bytes.set(state)
    const { workload, owner } = this.#seen
    if (workload && owner === OWNER.other) return 'I1 dual ownership'
    if (this.#onlyDual || !workload || owner === OWNER.here) return null
    return 'I2 it runs here but the hive does not say so'
  }

  settled(state: Uint8Array): boolean {
    this.#seen.bytes.set(state)
    const s = this.#seen
    const runs = s.owner === OWNER.here && s.workload > 0 && s.grant > 0
    return runs && s.session === SESSION.welcomed && !s.stop
  }
}

/** Time stops only for what the guard, a manager that keeps its bound, or the hardware do in time. */
function timeStep({ way, stepper, removed, times }: GuardContext): void {
  const { now } = stepper
  if (now.guard && now.leaseAge >= times.lapse && !now.stop && held(now)) return
  const busy = now.stop === STOP.begun || now.stop === STOP.rhsDead
  if (now.guard && (busy || (now.stop === STOP.marked && now.workload))) return
  if (now.accepted && now.accepted > times.residual) return
  const overdue = now.requests && now.requestAge >= times.residual && !removed.unbounded
  if (way === 'time' && overdue) return
  if (!now.guard && times.gapBounded && now.gapAge >= times.gap && !removed.noRestart) return
  if (times.watchdog && now.watchdogAge >= times.watchdog) return
  const older = (age: number, most: number) => (age < most ? age + 1 : age)
  stepper.step('tick', (s) => {
    s.renewalAge = older(s.renewalAge, times.noLease)
    s.leaseAge = older(s.leaseAge, times.noLease)
    s.fileAge = older(s.fileAge, times.noLease)
    if (!s.guard) s.gapAge = older(s.gapAge, times.gap)
    if (s.accepted) s.accepted += 1
    if (way === 'time' && s.requests) s.requestAge = older(s.requestAge, times.residual)
    if (way === 'time' && s.requests > 1)
      s.secondRequestAge = older(s.secondRequestAge, times.residual)
    if (s.stop === STOP.marked) s.sinceMarked = older(s.sinceMarked, times.recheck)
    if (times.watchdog) s.watchdogAge = older(s.watchdogAge, times.watchdog)
  })
}

function otherNode({ stepper, faults, times }: GuardContext): void {
  const { now } = stepper
  if (now.session && faults.drop)
    stepper.step('!session lost (also: agent restarted)', (s) => {
      s.session = SESSION.none
    })
  if (!now.session && now.owner === OWNER.here && now.renewalAge > times.lease)
    stepper.step('DO declares the node Down and frees the group', (s) => {
      s.owner = OWNER.nobody
    })
  if (now.owner === OWNER.nobody)
    stepper.step('the other node starts the group', (s) => {
      s.owner = OWNER.other
    })
  if (now.owner === OWNER.other)
    stepper.step('the other node has stopped the group', (s) => {
      s.owner = OWNER.nobody
    })
}

/** S1 to S4: the guard reports, after the challenge, and only while no stop is under way. */
function session({ stepper, removed, times }: GuardContext): void {
  const { now } = stepper
  if (!now.guard || now.stop) return
  if (!now.session)
    stepper.step('node connects, is challenged', (s) => {
      s.session = SESSION.challenged
    })
  if (now.session !== SESSION.challenged) return
  const lists = removed.reportRunning ? now.workload > 0 : held(now)
  if (lists && now.owner !== OWNER.here)
    stepper.step('report lists the group, DO refuses', (s) => {
      s.session = SESSION.none
    })
  else if (lists)
    stepper.step('report lists the group, DO welcomes', (s) => {
      s.session = SESSION.welcomed
    })
  else
    stepper.step('report lists nothing: group is free at once, DO welcomes', (s) => {
      s.session = SESSION.welcomed
      if (s.owner === OWNER.here) s.owner = OWNER.nobody
      s.grant = 0
      if (!removed.reportRunning) s.leaseAge = times.noLease
      save(s)
    })
}

function leases({ stepper, removed, times }: GuardContext): void {
  const { now } = stepper
  if (!now.guard) return
  if (now.session === SESSION.welcomed)
    stepper.step('lease renewed', (s) => {
      s.renewalAge = s.leaseAge = 0
      s.gapBudget = 1
    })
  const age = removed.deadlineAhead ? 0 : now.leaseAge
  if (held(now) && now.fileAge > age)
    stepper.step('guard writes the new lease deadline to its file', (s) => {
      s.fileAge = age
    })
  const free = now.owner === OWNER.nobody && now.session === SESSION.welcomed
  if (free && now.leaseAge < times.lapse && !now.stop && !now.grant)
    stepper.step('ownership update: DO commits, guard creates the grant', (s) => {
      s.owner = OWNER.here
      s.grant = 1
      save(s)
    })
}

function faults({ stepper, faults }: GuardContext): void {
  const { now } = stepper
  if (now.workload && faults.fail && !now.stop)
    stepper.step('!workload fails', (s) => {
      s.workload = 0
    })
  if (now.rhs && faults.rhs)
    stepper.step('!RHS dies (a request it sent stays under way)', (s) => {
      s.rhs = RHS.dead
    })
  if (!now.rhs && now.guard && !now.stop)
    stepper.step('guard starts a new RHS, it adopts what runs', (s) => {
      s.rhs = RHS.idle
    })
}
