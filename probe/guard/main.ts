/**
 * The guard (G1): parent of the tree, owner of leases, grants and process groups. No modules, no
 * network. Everything it decides is `guardStep`; here its effects are carried out, in their order.
 */
import { randomUUID } from 'node:crypto'
import type { DoorRequest } from '../../schema/door.ts'
import { ERRORS, type Refusal } from '../../schema/errors.ts'
import type { HostPolicy } from '../../schema/host-policy.ts'
import { agentToGuard, type GuardToAgent, type WorkloadRecord } from '../../schema/ipc.ts'
import type { ProcessRef } from '../../schema/workload.ts'
import { bootId, bootMs } from '../clock.ts'
import {
  adoptGuard,
  type GuardEffect,
  type GuardEvent,
  type GuardOutcome,
  type GuardState,
  guardDeadline,
  guardStep,
  heldGroups,
  leaseStands,
} from '../core/guard.ts'
import { listenGate } from '../gate/gate-listener.ts'
import { modulesFolder } from '../os/module-pins.ts'
import { watchStandstill } from '../os/standstill.ts'
import { guardEvent } from './agent-frames.ts'
import { GATE_GROUP, killHandles } from './cgroup.ts'
import { openDoor } from './door.ts'
import { gateFolder } from './gate-folder.ts'
import { type MonitorEvents, Monitors, monitorsOf } from './monitors.ts'
import { endSoon, forgetIdentity, OperatorAsks } from './operator-asks.ts'
import type { GuardOptions } from './options.ts'
import { complain, pinsOrNone } from './policy.ts'
import { RhsRequests } from './rhs-requests.ts'
import { NO_FILE, Saver } from './saver.ts'
import { Starts } from './starts.ts'
import { StateFile } from './state-file.ts'
import { killOldTree, TreeChild } from './tree.ts'
import { TREE_GROUP } from './tree-name.ts'
import { Watchdog } from './watchdog.ts'
import { type WorkloadEvents, Workloads } from './workloads.ts'

/** After SIGTERM: how long the agent may take to have everything released in order. */
const SHUTDOWN_MS = 30_000

/** An agent that has heard of a lapse and says nothing for this long hangs. */
const AGENT_WORD_MS = 10_000

export class Guard {
  readonly #options: GuardOptions
  readonly #file: StateFile
  readonly #saver: Saver
  readonly #handles
  readonly #workloads: Workloads
  readonly #agent: TreeChild
  readonly #monitors: Monitors
  readonly #starts: Starts
  readonly #policy: HostPolicy
  readonly #asks = new OperatorAsks((frame) => this.#toAgent(frame))
  #state: GuardState
  #timer: NodeJS.Timeout | null = null
  #gateAnswer: { yes: boolean; reason?: string; resourceId?: string } | null = null
  #agentInfo: unknown = null
  #watchdog: Watchdog | null = null
  #ending = false
  #ended = false

  constructor(options: GuardOptions, policy: HostPolicy) {
    this.#options = options
    this.#policy = policy
    this.#file = new StateFile(options.runFolder)
    this.#saver = new Saver(
      this.#file,
      () => this.#state,
      (effect) => this.#effect(effect),
    )
    this.#handles = killHandles(options.nodeId)
    killOldTree(this.#handles)
    const residualMs = () => this.#state.timing.residualMs
    const events: WorkloadEvents = {
      mainEnded: (resourceId, process, exit, left, empty) =>
        this.#monitors.sendAll({
          ...{ t: 'exited', resourceId, process, exit },
          ...(left && { left, ...(empty && { empty }) }),
        }),
      nothingRuns: (resourceId, process) => this.#nothingRuns(resourceId, process),
    }
    this.#workloads = new Workloads(this.#handles, options.stateFolder, events, residualMs)
    this.#starts = new Starts(this.#workloads, (requestId) =>
      this.#monitors.answer({ requestId, ok: false, reason: 'stopping' }),
    )
    const env = this.#handles.mark(TREE_GROUP)
    const args = [options.stateFolder, options.peers]
    this.#agent = new TreeChild(options.agentFile, args, env, {
      message: (frame) => this.#fromAgent(frame),
      up: () => {
        this.#agent.send(this.#hello())
        for (const up of this.#monitors.up()) this.#toAgent({ t: 'rhsUp', ...up })
      },
      down: () => {
        this.#agentInfo = null
        this.#step({ type: 'sessionClosed', session: this.#state.session?.number ?? 0 })
      },
    })
    const told: MonitorEvents = {
      message: (monitor, frame) => requests.from(monitor, frame),
      up: (monitor, generation) => this.#rhsUp(monitor, generation),
      down: (monitor, generation, detail, lost) => {
        this.#starts.forget(monitor)
        this.#toAgent({ t: 'rhsDown', monitor, generation, detail, ...lost })
      },
    }
    const { monitors: limits } = policy
    this.#monitors = new Monitors(options, this.#monitorNames(), this.#handles, told, limits)
    const requests = new RhsRequests({
      policy: this.#policy,
      monitors: this.#monitors,
      starts: this.#starts,
      workloads: this.#workloads,
      recordOf: (resourceId) => this.#recordOf(resourceId),
      step: (event) => this.#step(event),
      toAgent: (frame) => this.#toAgent(frame),
    })
    const boot = bootId()
    const adopted = adoptGuard(this.#file.read(), boot, randomUUID(), bootMs())
    this.#state = adopted.state
    queueMicrotask(() => this.#adopt(adopted))
  }

  async start(): Promise<void> {
    const mark = this.#handles.mark(GATE_GROUP)
    listenGate(gateFolder(this.#options.runFolder, this.#policy, mark), {
      ask: (ask) => {
        this.#gateAnswer = null
        this.#step({ type: 'gateAsked', ...ask })
        return this.#answeredGate(ask.process)
      },
      ended: (process) => this.#endedAtGate(process),
    })
    const [{ watchdog }, step] = [this.#policy, (event: GuardEvent) => this.#step(event)]
    if (watchdog) this.#watchdog = new Watchdog({ ...watchdog, state: () => this.#state, step })
    await openDoor(this.#options.runFolder, (request) => this.#answerDoor(request))
    this.#monitors.start()
    watchStandstill((ms) => this.#toAgent({ t: 'stoodStill', ms }))
    // S3: a report that leaves something out says that it does not run.
    this.#workloads.whenNoStrays(() => this.#agent.start())
    process.on('SIGTERM', () => this.#shutDown())
    process.on('SIGINT', () => this.#shutDown())
    // The service manager stays informed by the guard being there; a hang-up means nothing.
    process.on('SIGHUP', () => {})
  }

  /** G10: what is on record and runs goes on; what does not run any more has ended. */
  #adopt(outcome: GuardOutcome): void {
    // Kill groups that are not on record: nobody may run them (G10). One of them may be that of a
    // start which the old guard had on record, but not yet with its process.
    this.#workloads.killStrays(this.#state.records, GATE_GROUP)
    this.#carryOut(outcome)
    for (const record of this.#state.records) {
      if (this.#workloads.lives(record)) this.#workloads.watch(record)
      else this.#workloads.terminate(record)
    }
  }

  #step(event: GuardEvent): void {
    this.#carryOut(guardStep(this.#state, event, bootMs()))
  }

  #carryOut(outcome: GuardOutcome): void {
    this.#state = outcome.state
    for (const effect of outcome.effects) this.#effect(effect)
    if (this.#timer) clearTimeout(this.#timer)
    const at = guardDeadline(this.#state)
    this.#timer =
      at === null
        ? null
        : setTimeout(() => this.#step({ type: 'tick' }), Math.max(0, at - bootMs()) + 1)
    if (this.#ending) this.#endIfNothingLeft()
  }

  #effect(effect: GuardEffect): void {
    if (this.#saver.holdsBack(effect)) return
    switch (effect.type) {
      case 'persist':
        this.#saver.now()
        break
      case 'persistLater':
        this.#saver.later()
        break
      case 'toAgent':
        this.#toAgent(effect.frame)
        // One that hangs would keep this host out of the cluster for good.
        if (effect.frame.t === 'lapsed') this.#agent.expectWord(AGENT_WORD_MS)
        break
      case 'answerRhs': {
        const { type: _, ...answer } = effect
        this.#monitors.answer(answer)
        break
      }
      case 'answerGate':
        this.#gateAnswer = this.#mayNotStart ? { yes: false, reason: this.#mayNotStart } : effect
        break
      case 'killRhs':
        this.#starts.forget(effect.monitor)
        this.#monitors.kill(effect.monitor)
        break
      case 'spawn':
        this.#spawn(effect)
        break
      case 'adopt':
        this.#watch(effect.record)
        break
      case 'terminate':
        this.#workloads.terminate(effect.record)
        break
    }
  }

  /** What came between the yes and this: a full disk, or time. */
  get #mayNotStart(): string | null {
    if (this.#saver.lags) return NO_FILE
    return leaseStands(this.#state, bootMs()) ? null : 'noLease'
  }

  /** In the same step as the lease check: nothing lies between the yes and the fork (G2). */
  #spawn(effect: Extract<GuardEffect, { type: 'spawn' }>): void {
    const { ask, spec } = effect
    const { requestId, resourceId } = ask
    const reason = this.#mayNotStart
    if (reason) {
      this.#monitors.answer({ requestId, ok: false, reason })
      this.#step({ type: 'nothingRuns', resourceId, process: null })
      return
    }
    try {
      const { process: started, group } = this.#workloads.spawn(resourceId, spec)
      this.#monitors.answer({ requestId, ok: true, process: started })
      this.#monitors.sendAll({ t: 'started', resourceId, process: started })
      this.#step({ type: 'childStarted', resourceId, process: started, group })
    } catch (error) {
      this.#monitors.answer({ requestId, ok: false, reason: `cannot start: ${error}` })
      this.#step({ type: 'nothingRuns', resourceId, process: null })
    }
  }

  #answeredGate(asking: { pid: number; startTicks: number }) {
    const answer = this.#gateAnswer ?? { yes: false, reason: 'no answer' }
    const record = this.#state.records.find((r) => r.resourceId === answer.resourceId)
    if (answer.yes && record?.process?.pid === asking.pid) this.#watch(record)
    return { yes: answer.yes, ...(answer.reason !== undefined && { reason: answer.reason }) }
  }

  /** A workload that is not our child. */
  #watch(record: WorkloadRecord): void {
    const { resourceId, process } = record
    if (process) this.#monitors.sendAll({ t: 'started', resourceId, process })
    this.#workloads.watch(record)
  }

  /** Of a copy it is the end, by whatever end of its migration (M7). */
  #endedAtGate(process: ProcessRef): void {
    const isIt = (r: { process: ProcessRef | null }) =>
      r.process?.pid === process.pid && r.process.startTicks === process.startTicks
    const record = this.#state.records.find(isIt)
    if (record) return this.#workloads.endedElsewhere(record, process)
    const copy = this.#state.copies.find(isIt)
    if (copy) this.#nothingRuns(copy.resourceId, process)
  }

  #nothingRuns(resourceId: string, process: ProcessRef | null): void {
    this.#step({ type: 'nothingRuns', resourceId, process })
    if (!this.#workloads.isEnding(resourceId)) this.#starts.ended(resourceId)
  }

  #fromAgent(message: unknown): void {
    const parsed = agentToGuard.safeParse(message)
    if (!parsed.success) return complain('agent', parsed.error.message)
    const frame = parsed.data
    const event = guardEvent(frame)
    if (event) return this.#step(event)
    switch (frame.t) {
      case 'toRhs':
        return this.#monitors.send(frame.monitor, { t: 'fromAgent', frame: frame.frame })
      case 'monitors':
        return this.#monitors.separate(frame.separate)
      case 'shutdownDone':
        return this.end(0)
      case 'left':
        return forgetIdentity(this.#options.stateFolder, () => this.end(0))
      case 'info':
        this.#agentInfo = frame.info
        return
      case 'answered':
        return this.#asks.answered(frame.requestId, frame.answer as object)
      case 'fatal':
        return this.#giveUp(frame.refusal)
    }
  }

  /** G8: a new RHS gets the records and adopts what it finds. */
  #rhsUp(monitor: string, generation: number): void {
    const [pins, refused] = [this.#pins(), this.#monitors.refusedIn(monitor)]
    this.#pinsTold = JSON.stringify(pins)
    this.#monitors.send(monitor, {
      t: 'records',
      records: [...this.#state.records],
      policy: this.#policy as never,
      folder: this.#options.runFolder,
      nodeName: this.#options.nodeName,
      modules: { folder: modulesFolder(this.#options.stateFolder), pins: [...pins], refused },
    })
    this.#toAgent({ t: 'rhsUp', monitor, generation })
  }

  #hello(): GuardToAgent {
    const { boot, guard, records } = this.#state
    const [monitors, held] = [this.#monitorNames(), heldGroups(this.#state)]
    const [running, fence] = [records.map((r) => r.resourceId), this.#policy.fence ?? null]
    return { t: 'hello', boot, guard, monitors, held, running, fence }
  }

  #pinsTold = ''
  readonly #pins = () => pinsOrNone(this.#options.stateFolder)
  readonly #monitorNames = () => monitorsOf(this.#policy, this.#pins())

  #recordOf(resourceId: string) {
    return this.#state.records.find((r) => r.resourceId === resourceId)
  }

  #toAgent(frame: GuardToAgent): void {
    this.#agent.send(frame)
  }

  #answerDoor(request: DoorRequest): object | Promise<object> {
    if (request.do === 'leave') {
      this.#toAgent({ t: 'leave' })
      return { ok: true, stateFolder: this.#options.stateFolder }
    }
    if (request.do === 'end') return endSoon((exit) => this.end(exit))
    if (request.do === 'stop') return this.#asks.stop(request.resource, request.kill)
    if (request.do === 'type') return this.#asks.type(request.ask)
    if (request.do === 'modulesChanged') {
      const pins = JSON.stringify(this.#pins()) !== this.#pinsTold
      const renewed = request.files || pins || this.#monitors.refusesSome
      if (renewed) this.#monitors.renew(this.#monitorNames())
      return { ok: true, renewed }
    }
    return this.#status()
  }

  async #status(): Promise<object> {
    const monitors = await this.#monitors.status()
    const { boot, timing, policy, leases, grants, records, session, stops } = this.#state
    return {
      node: { id: this.#options.nodeId, name: this.#options.nodeName },
      nowMs: bootMs(),
      killHandles: this.#handles.kind,
      guard: { pid: process.pid, boot, timing, policy, leases, grants, records, session, stops },
      watchdog: this.#watchdog?.status ?? null,
      agent: { pid: this.#agent.pid ?? null, info: this.#agentInfo },
      rhs: { pid: this.#monitors.pids['rhs'] ?? null },
      monitors,
    }
  }

  /** Orderly shutdown of the host: the agent has everything released; else it is killed here. */
  #shutDown(): void {
    if (this.#ending) return
    this.#ending = true
    this.#toAgent({ t: 'shutdown' })
    setTimeout(() => this.end(1), SHUTDOWN_MS)
    this.#endIfNothingLeft()
  }

  /** Without a session nobody could be told: what was held is stopped, and that was all. */
  #endIfNothingLeft(): void {
    const { grants, records, session } = this.#state
    if (grants.length === 0 && records.length === 0 && !session?.welcomed) this.end(0)
  }

  /** Nothing that time can mend: it ends once nothing runs here any more, and says why. */
  #giveUp(refusal: Refusal): void {
    if (this.#ending) return
    complain('gives up', `${refusal.message} [${refusal.code}] ${refusal.remedy ?? ''}`)
    this.end(ERRORS[refusal.code].exit)
  }

  end(code: number): void {
    if (this.#ended) return
    this.#ended = true
    this.#ending = true
    this.#step({ type: 'everythingMustStop' })
    const wait = () => {
      const { records, copies } = this.#state
      if (records.length + copies.length > 0) return void setTimeout(wait, 10)
      this.#agent.end()
      this.#monitors.end()
      this.#watchdog?.end()
      process.exit(code)
    }
    wait()
  }
}
