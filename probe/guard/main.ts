/**
 * The guard (G1): parent of the tree, owner of leases, grants and process groups. No modules, no
 * network. Everything it decides is `guardStep`; here its effects are carried out, in their order.
 */
import { chmodSync, existsSync, mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { allows, type HostPolicy } from '../../schema/host-policy.ts'
import { agentToGuard, type GuardToAgent, type GuardToRhs, rhsToGuard } from '../../schema/ipc.ts'
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
} from '../core/guard.ts'
import { listenGate } from '../gate/gate-listener.ts'
import { installGate } from '../gate/gate-script.ts'
import { isAlive } from '../gate/proc.ts'
import { killHandles } from './cgroup.ts'
import { openDoor, takeLock } from './lock.ts'
import { complain, forbids, readPolicy } from './policy.ts'
import { NO_FILE, Saver } from './saver.ts'
import { Starts } from './starts.ts'
import { StateFile } from './state-file.ts'
import { killOldTree, TreeChild } from './tree.ts'
import { Workloads } from './workloads.ts'

export interface GuardOptions {
  /** Folder that lasts: identity, replica. */
  readonly stateFolder: string
  /** Folder that does not survive a boot: guard.json, sockets, FIFOs. */
  readonly runFolder: string
  readonly policyFile: string
  readonly nodeId: string
  readonly nodeName: string
  readonly agentFile: string
  readonly rhsFile: string
}

/** After SIGTERM: how long the agent may take to have everything released in order. */
const SHUTDOWN_MS = 30_000

/** An agent that has heard of a lapse and says nothing for this long hangs. */
const AGENT_WORD_MS = 10_000

/** What the gate becomes where the host policy names nothing else. */
const EMULATOR = '/usr/bin/qemu-system-x86_64'

export async function runGuard(options: GuardOptions): Promise<void> {
  // Not what keeps this process going; it is held for as long as it lives.
  ;(await takeLock(options.runFolder)).unref()
  // One identity, one guard: a second one with a run folder of its own would report that it runs
  // nothing, and what the first one runs would be free at once (S4).
  if (realpathSync(options.stateFolder) !== realpathSync(options.runFolder))
    (await takeLock(options.stateFolder)).unref()
  const guard = new Guard(options)
  try {
    await guard.start()
  } catch (error) {
    // Not half a guard that holds the lock: the next one is for the service manager to start.
    complain('start', String(error))
    guard.end(1)
  }
}

class Guard {
  readonly #options: GuardOptions
  readonly #file: StateFile
  readonly #saver: Saver
  readonly #handles
  readonly #workloads: Workloads
  readonly #agent: TreeChild
  readonly #rhs: TreeChild
  readonly #starts: Starts
  readonly #policy: HostPolicy
  #state: GuardState
  #timer: NodeJS.Timeout | null = null
  #gateAnswer: { yes: boolean; reason?: string; resourceId?: string } | null = null
  #agentInfo: unknown = null
  #ending = false
  #ended = false

  constructor(options: GuardOptions) {
    this.#options = options
    this.#policy = readPolicy(options.policyFile)
    this.#file = new StateFile(options.runFolder)
    this.#saver = new Saver(
      this.#file,
      () => this.#state,
      (effect) => this.#effect(effect),
    )
    this.#handles = killHandles(options.nodeId)
    killOldTree(this.#handles)
    this.#workloads = new Workloads(this.#handles, options.stateFolder, {
      mainEnded: (resourceId, process, exit) =>
        this.#toRhs({ t: 'exited', resourceId, process, exit }),
      nothingRuns: (resourceId, process) => this.#nothingRuns(resourceId, process),
    })
    this.#starts = new Starts(this.#workloads, (requestId) =>
      this.#toRhs({ t: 'answer', requestId, ok: false, reason: 'stopping' }),
    )
    const env = this.#handles.mark(`tree-${process.pid}`)
    const args = [options.stateFolder, options.runFolder]
    this.#agent = new TreeChild(options.agentFile, args, env, {
      message: (frame) => this.#fromAgent(frame),
      up: () => {
        this.#agent.send(this.#hello())
        if (this.#rhs.pid !== undefined) this.#toAgent({ t: 'rhsUp', generation: 0 })
      },
      down: () => this.#step({ type: 'sessionClosed', session: this.#state.session?.number ?? 0 }),
    })
    // S-31: a module has no business with identity or replica, so RHS is not told where they are.
    this.#rhs = new TreeChild(options.rhsFile, [], env, {
      message: (frame) => this.#fromRhs(frame),
      up: (generation) => this.#rhsUp(generation),
      down: (generation, detail) => this.#toAgent({ t: 'rhsDown', generation, detail }),
    })
    const boot = bootId()
    const adopted = adoptGuard(this.#file.read(), boot, bootMs())
    this.#state = adopted.state
    queueMicrotask(() => this.#adopt(adopted))
  }

  async start(): Promise<void> {
    listenGate(this.#gateFolder(), {
      ask: (ask) => {
        this.#gateAnswer = null
        this.#step({ type: 'gateAsked', gateName: ask.gateName, process: ask.process })
        return this.#answeredGate(ask.process)
      },
      ended: (process) => {
        const record = this.#state.records.find(
          (r) => r.process?.pid === process.pid && r.process.startTicks === process.startTicks,
        )
        if (record) this.#workloads.endedElsewhere(record, process)
      },
    })
    await openDoor(this.#options.runFolder, (request) => this.#answerDoor(request))
    this.#rhs.start()
    this.#agent.start()
    process.on('SIGTERM', () => this.#shutDown())
    process.on('SIGINT', () => this.#shutDown())
    // The service manager stays informed by the guard being there; a hang-up means nothing.
    process.on('SIGHUP', () => {})
  }

  /** Where the gate of virtual machines stands; emulators may run as another user than we. */
  #gateFolder(): string {
    chmodSync(this.#options.runFolder, 0o711)
    const folder = join(this.#options.runFolder, 'gate')
    mkdirSync(folder, { recursive: true, mode: 0o711 })
    const emulator = this.#policy['virtual-machine']?.emulators?.[0] ?? EMULATOR
    if (this.#policy['virtual-machine'] && existsSync(emulator)) installGate(folder, { emulator })
    return folder
  }

  /** G10: what is on record and runs goes on; what does not run any more has ended. */
  #adopt(outcome: GuardOutcome): void {
    // Kill groups that are not on record: nobody may run them (G10). One of them may be that of a
    // start which the old guard had on record, but not yet with its process.
    const known = new Set(this.#state.records.map((r) => r.group))
    this.#workloads.killStrays((group) => known.has(group))
    this.#carryOut(outcome)
    for (const record of this.#state.records) {
      if (record.process && isAlive(record.process)) this.#workloads.watch(record)
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
        this.#toRhs({ t: 'answer', ...answer })
        break
      }
      case 'answerGate':
        this.#gateAnswer = this.#saver.lags ? { yes: false, reason: NO_FILE } : effect
        break
      case 'killRhs':
        this.#rhs.kill()
        break
      case 'spawn':
        this.#spawn(effect)
        break
      case 'terminate':
        this.#workloads.terminate(effect.record)
        break
    }
  }

  /** In the same step as the lease check: nothing lies between the yes and the fork (G2). */
  #spawn(effect: Extract<GuardEffect, { type: 'spawn' }>): void {
    const { ask, spec } = effect
    const { requestId, resourceId } = ask
    const forbidden = this.#saver.lags ? NO_FILE : forbids(this.#policy, spec)
    if (forbidden) {
      this.#toRhs({ t: 'answer', requestId, ok: false, reason: forbidden })
      this.#step({ type: 'nothingRuns', resourceId, process: null })
      return
    }
    try {
      const { process: started, group } = this.#workloads.spawn(resourceId, spec)
      this.#toRhs({ t: 'answer', requestId, ok: true, process: started })
      this.#step({ type: 'childStarted', resourceId, process: started, group })
    } catch (error) {
      this.#toRhs({ t: 'answer', requestId, ok: false, reason: `cannot start: ${error}` })
      this.#step({ type: 'nothingRuns', resourceId, process: null })
    }
  }

  #answeredGate(asking: { pid: number; startTicks: number }) {
    const answer = this.#gateAnswer ?? { yes: false, reason: 'no answer' }
    const record = this.#state.records.find((r) => r.resourceId === answer.resourceId)
    if (answer.yes && record) {
      this.#toRhs({ t: 'gatePassed', resourceId: record.resourceId, process: asking })
      this.#workloads.watch(record)
    }
    return { yes: answer.yes, ...(answer.reason !== undefined && { reason: answer.reason }) }
  }

  #nothingRuns(resourceId: string, process: ProcessRef | null): void {
    this.#step({ type: 'nothingRuns', resourceId, process })
    if (!this.#workloads.isEnding(resourceId)) this.#starts.ended(resourceId)
  }

  #fromAgent(message: unknown): void {
    const parsed = agentToGuard.safeParse(message)
    if (!parsed.success) return complain('agent', parsed.error.message)
    const frame = parsed.data
    switch (frame.t) {
      case 'challenge':
        return this.#step({ type: 'challenged', session: frame.session })
      case 'welcomed':
        return this.#step({ type: 'welcomed', session: frame.session, timing: frame.timing })
      case 'sessionClosed':
        return this.#step({ type: 'sessionClosed', session: frame.session })
      case 'renewed': {
        const { session, lease, sentAtMs } = frame
        return this.#step({ type: 'renewed', session, lease, sentAtMs })
      }
      case 'grant': {
        const { session, groupId, epoch } = frame
        return this.#step({ type: 'granted', session, groupId, epoch })
      }
      case 'stopGroup':
        return this.#step({ type: 'groupStopAsked', groupId: frame.groupId, epoch: frame.epoch })
      case 'stopAll':
        return this.#step({ type: 'everythingMustStop' })
      case 'toRhs':
        return this.#toRhs({ t: 'fromAgent', frame: frame.frame })
      case 'shutdownDone':
        return this.end(0)
      case 'left':
        return this.end(0)
      case 'info':
        this.#agentInfo = frame.info
    }
  }

  #fromRhs(message: unknown): void {
    const parsed = rhsToGuard.safeParse(message)
    if (!parsed.success) return complain('rhs', parsed.error.message)
    const frame = parsed.data
    switch (frame.t) {
      case 'startChild': {
        const { spec, t: _, ...ask } = frame
        return this.#starts.whenEnded(ask, this.#recordOf(ask.resourceId), () =>
          this.#step({ type: 'childAsked', ask, spec }),
        )
      }
      case 'permitGate': {
        const { gateName, t: _, ...ask } = frame
        if (!allows(this.#policy['virtual-machine']?.domains ?? [], gateName)) {
          const reason = `hostPolicy: this host's policy does not allow domain ${gateName}`
          return this.#toRhs({ t: 'answer', requestId: ask.requestId, ok: false, reason })
        }
        return this.#starts.whenEnded(ask, this.#recordOf(ask.resourceId), () =>
          this.#step({ type: 'gatePermitAsked', ask, gateName }),
        )
      }
      case 'signal': {
        const record = this.#recordOf(frame.resourceId)
        const ok = record ? this.#workloads.signal(record, frame.signal as NodeJS.Signals) : false
        return this.#toRhs({ t: 'answer', requestId: frame.requestId, ok })
      }
      case 'stop': {
        const { resourceId, requestId } = frame
        this.#starts.cancel(resourceId)
        return this.#step({ type: 'resourceStopAsked', resourceId, requestId })
      }
      case 'toAgent':
        return this.#toAgent({ t: 'fromRhs', frame: frame.frame })
    }
  }

  /** G8: a new RHS gets the records and adopts what it finds. */
  #rhsUp(generation: number): void {
    this.#toRhs({
      t: 'records',
      records: [...this.#state.records],
      policy: this.#policy as never,
      folder: this.#options.runFolder,
      nodeName: this.#options.nodeName,
    })
    this.#toAgent({ t: 'rhsUp', generation })
  }

  #hello(): GuardToAgent {
    const running = this.#state.records.map((r) => r.resourceId)
    return { t: 'hello', boot: this.#state.boot, held: heldGroups(this.#state), running }
  }

  #recordOf(resourceId: string) {
    return this.#state.records.find((r) => r.resourceId === resourceId)
  }

  #toAgent(frame: GuardToAgent): void {
    this.#agent.send(frame)
  }

  #toRhs(frame: GuardToRhs): void {
    this.#rhs.send(frame)
  }

  #answerDoor(request: string): object {
    if (request === 'leave') {
      this.#toAgent({ t: 'leave' })
      return { ok: true }
    }
    const { leases, grants, records, session, stops } = this.#state
    return {
      node: { id: this.#options.nodeId, name: this.#options.nodeName },
      nowMs: bootMs(),
      killHandles: this.#handles.kind,
      guard: { pid: process.pid, leases, grants, records, session, stops },
      agent: { pid: this.#agent.pid ?? null, info: this.#agentInfo },
      rhs: { pid: this.#rhs.pid ?? null },
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

  end(code: number): void {
    if (this.#ended) return
    this.#ended = true
    this.#ending = true
    this.#step({ type: 'everythingMustStop' })
    const wait = () => {
      if (this.#state.records.length > 0) return void setTimeout(wait, 10)
      this.#agent.end()
      this.#rhs.end()
      process.exit(code)
    }
    wait()
  }
}
