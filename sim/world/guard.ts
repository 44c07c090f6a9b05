/**
 * The guard of a simulated host: the production core and saver (probe/core/guard.ts,
 * probe/guard/saver.ts) with the processes of the simulation in place of real ones. What
 * probe/guard/main.ts does with effects is done here in the same order.
 */
import type {
  GuardEffect,
  GuardEvent,
  GuardFile,
  GuardOutcome,
  StartAsk,
} from '../../probe/core/guard.ts'
import type { AgentToGuard, GuardToAgent, GuardToRhs, WorkloadRecord } from '../../schema/ipc.ts'
import type { ProcessRef } from '../../schema/workload.ts'
import type { Code } from './code.ts'
import { asRead } from './guard-file.ts'
import type { Actor } from './kernel.ts'
import type { Process, Processes } from './processes.ts'

export interface GuardSurroundings {
  readonly code: Code
  readonly processes: Processes
  readonly boot: string
  /** The state file, as it is on disk, or null. */
  file: GuardFile | null
  readonly fileFull: boolean
  /** What its policy says of the machine's watchdog device, or null. */
  readonly watchdog: { readonly device: string; readonly timeoutMs: number } | null
  killMs(): number
  /** Until what an ended workload has left behind is gone too. */
  leftMs(): number
  toAgent(frame: GuardToAgent): void
  toRhs(frame: GuardToRhs): void
  killRhs(): void
  /** After a lapse the agent has to show that it lives, or another one is begun. */
  expectWord(): void
  /** The guard's process has ended: in order, for good, or in the middle of something. */
  ended(how: 'shutdown' | 'gaveUp' | 'crash'): void
}

const KILL_CHECK_MS = 2
const SHUTDOWN_MS = 30_000

/** The process is killed between two of its effects. */
class Killed extends Error {}

export class SimGuard {
  readonly actor: Actor
  readonly #around: GuardSurroundings
  readonly #saver
  /** What is being ended, by start, and the resource that it was started for. */
  readonly #kills = new Map<string, string>()
  readonly #starts
  readonly #watchdog
  #state
  #timer: ReturnType<typeof setTimeout> | null = null
  #gateYes = false
  #ending = false
  #ended = false
  #shutsDown = false
  /** Told when what is ended has no process that is known: its manager may still start it (G4). */
  endsUnstarted: ((resourceId: string) => void) | null = null
  /** It dies before it has carried out that many more effects (G9). */
  effectsLeft = Number.POSITIVE_INFINITY
  /** It dies behind the next word that a group is stopped: called just before. */
  diesBehindStop: (() => void) | null = null

  constructor(actor: Actor, around: GuardSurroundings) {
    this.actor = actor
    actor.onError = (error) => error instanceof Killed
    this.#around = around
    const { code } = around
    const file = { write: (state: GuardFile) => this.#write(state), read: () => null }
    this.#saver = new code.Saver(
      file as never,
      () => this.#state,
      (effect) => this.#effect(effect),
    )
    this.#starts = new code.Starts(
      {
        isEnding: (resourceId) => this.#isEnding(resourceId),
        endedElsewhere: (record, process) => this.#processEnded(record.resourceId, process),
      },
      (requestId) => around.toRhs({ t: 'answer', requestId, ok: false, reason: 'stopping' }),
      (process) => around.processes.lives(process),
    )
    const { kernel } = actor
    const adopted = code.adoptGuard(
      asRead(around.file),
      around.boot,
      kernel.random.uuid(),
      actor.bootMs,
    )
    this.#state = adopted.state
    // G11, G10: strays die before anything is said; then what is on record is taken up.
    const known = new Set(this.#state.records.map((r) => r.process?.pid))
    for (const { pid } of around.processes.list())
      if (!known.has(pid)) around.processes.kill(pid, around.killMs())
    this.#carryOut(adopted)
    for (const record of this.#state.records) {
      if (record.process && around.processes.lives(record.process)) continue
      this.#terminate(record)
    }
    this.#watchdog =
      around.watchdog &&
      new code.Watchdog({
        ...around.watchdog,
        state: () => this.#state,
        step: (event) => this.#step(event),
      })
  }

  get strays(): boolean {
    const { records, copies } = this.#state
    const known = new Set([...records, ...copies].map((r) => r.process?.pid))
    return this.#around.processes.list().some(({ pid }) => !known.has(pid))
  }

  hello(): GuardToAgent {
    const { boot, guard, records } = this.#state
    const held = this.#around.code.heldGroups(this.#state)
    return {
      t: 'hello',
      boot,
      guard,
      monitors: ['rhs'],
      held,
      running: records.map((r) => r.resourceId),
      fence: null,
    }
  }

  /** Until its own clock makes it do something; null: nothing is due. */
  get dueInMs(): number | null {
    const at = this.#around.code.guardDeadline(this.#state)
    return at === null ? null : at - this.actor.bootMs
  }

  records(): WorkloadRecord[] {
    return [...this.#state.records]
  }

  agentEnded(): void {
    this.#step({ type: 'sessionClosed', session: this.#state.session?.number ?? 0 })
  }

  fromAgent(frame: AgentToGuard): void {
    switch (frame.t) {
      case 'challenge':
        return this.#step({ type: 'challenged', session: frame.session })
      case 'welcomed':
        return this.#step({
          type: 'welcomed',
          session: frame.session,
          timing: frame.timing,
          policy: frame.policy,
        })
      case 'policy':
        return this.#step({ type: 'policyTold', session: frame.session, policy: frame.policy })
      case 'sessionClosed':
        return this.#step({ type: 'sessionClosed', session: frame.session })
      case 'renewed': {
        const { session, lease, sentAtMs } = frame
        return this.#step({ type: 'renewed', session, lease, sentAtMs })
      }
      case 'grant': {
        const { t: _, ...granted } = frame
        return this.#step({ type: 'granted', ...granted } as GuardEvent)
      }
      case 'stopGroup':
        return this.#step({ type: 'groupStopAsked', groupId: frame.groupId, epoch: frame.epoch })
      case 'copiesWanted':
        return this.#step({ type: 'copiesWanted', mids: frame.mids })
      case 'stopAll':
        return this.#step({ type: 'everythingMustStop' })
      case 'toRhs':
        return this.#around.toRhs({ t: 'fromAgent', frame: frame.frame })
      case 'shutdownDone':
      case 'left':
      case 'fatal':
        return this.#end()
      // No resource of a simulation has a monitor of its own.
      case 'monitors':
      case 'info':
      case 'answered':
        return
    }
  }

  // ── The end of it, as in main.ts ─────────────────────────────────────────────────────────────

  shutDown(): void {
    if (this.#ending) return
    this.#ending = true
    this.#shutsDown = true
    this.#around.toAgent({ t: 'shutdown' })
    setTimeout(() => this.#end(), SHUTDOWN_MS)
    this.#endIfNothingLeft()
  }

  #endIfNothingLeft(): void {
    const { grants, records, session } = this.#state
    if (grants.length === 0 && records.length === 0 && !session?.welcomed) this.#end()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#ending = true
    this.#step({ type: 'everythingMustStop' })
    const wait = () => {
      const { records, copies } = this.#state
      if (records.length + copies.length > 0) return void setTimeout(wait, 10)
      this.#watchdog?.end()
      this.#around.ended(this.#shutsDown ? 'shutdown' : 'gaveUp')
    }
    wait()
  }

  /** RHS asks for a yes (G2, G3). */
  start(ask: { requestId: number; resourceId: string; groupId: string; epoch: number }): void {
    const spec = { command: '/bin/workload', args: [], env: {} }
    this.#whenEnded({ ...ask, monitor: 'rhs' }, (asked) =>
      this.#step({ type: 'childAsked', ask: asked, spec }),
    )
  }

  /** G4 (b): the manager may be asked; its process has to ask for itself. */
  permit(
    ask: { requestId: number; resourceId: string; groupId: string; epoch: number },
    gateName: string,
  ): void {
    this.#whenEnded({ ...ask, monitor: 'rhs' }, (asked) =>
      this.#step({ type: 'gatePermitAsked', ask: asked, gateName }),
    )
  }

  #whenEnded(ask: StartAsk, start: (ask: StartAsk) => void): void {
    const record = this.#state.records.find((r) => r.resourceId === ask.resourceId)
    this.#starts.whenEnded(ask, record, () => start(ask))
  }

  /** Nobody would know of what starts now. */
  rhsEnded(): void {
    this.#starts.forget('all')
  }

  /**
   * The gate asks: yes only when the yes is on file.
   *
   * @returns the epoch that it runs under, whichever request it was that the manager has executed
   */
  gateAsks(gateName: string, process: Process, incoming: boolean): number | null {
    this.#gateYes = false
    const { pid, startTicks, resourceId } = process
    try {
      this.#step({ type: 'gateAsked', gateName, process: { pid, startTicks }, incoming })
    } catch (error) {
      if (!(error instanceof Killed)) throw error
    }
    // The last word of one that was killed just now counts.
    if (!this.#gateYes) return null
    if (incoming && this.#state.copies.length > 0) return process.epoch
    if (this.actor.alive)
      this.#around.toRhs({ t: 'started', resourceId, process: { pid, startTicks } })
    return this.#state.records.find((r) => r.gateName === gateName)?.epoch ?? process.epoch
  }

  stop(resourceId: string, requestId: number): void {
    this.#starts.cancel(resourceId)
    this.#step({ type: 'resourceStopAsked', resourceId, requestId })
  }

  /** A workload has ended; the guard sees it a little later. */
  endsSoon({ pid, startTicks, resourceId }: Process): void {
    this.actor.after(1, () => this.#processEnded(resourceId, { pid, startTicks }))
  }

  /** What it left behind goes too, and may take its time. */
  #processEnded(resourceId: string, process: ProcessRef): void {
    const exit = { code: null, signal: 'SIGKILL' }
    this.#around.toRhs({ t: 'exited', resourceId, process, exit })
    this.#untilGone(resourceId, process, this.#around.leftMs())
  }

  #write(state: GuardFile): void {
    if (this.#around.fileFull) throw new Error('ENOSPC')
    // What is on file is read as text by the next guard; the state itself never changes.
    this.#around.file = state
  }

  #step(event: GuardEvent): void {
    this.#carryOut(this.#around.code.guardStep(this.#state, event, this.actor.bootMs))
  }

  #carryOut(outcome: GuardOutcome): void {
    this.#state = outcome.state
    for (const effect of outcome.effects) {
      if (this.effectsLeft <= 0) return this.#crash()
      this.effectsLeft -= 1
      this.#effect(effect)
      const saidStopped = effect.type === 'toAgent' && effect.frame.t === 'stopped'
      if (saidStopped && this.diesBehindStop) {
        this.diesBehindStop()
        this.diesBehindStop = null
        return this.#crash()
      }
    }
    if (this.#timer) clearTimeout(this.#timer)
    const at = this.#around.code.guardDeadline(this.#state)
    const inMs = at === null ? null : Math.max(0, at - this.actor.bootMs) + 1
    this.#timer = inMs === null ? null : setTimeout(() => this.#step({ type: 'tick' }), inMs)
    if (this.#ending) this.#endIfNothingLeft()
  }

  /** Nothing of it goes on, what called it included. */
  #crash(): void {
    this.effectsLeft = Number.POSITIVE_INFINITY
    this.#around.ended('crash')
    throw new Killed()
  }

  #effect(effect: GuardEffect): void {
    if (this.#saver.holdsBack(effect)) return
    switch (effect.type) {
      case 'persist':
        return this.#saver.now()
      case 'persistLater':
        return this.#saver.later()
      case 'toAgent':
        this.#around.toAgent(effect.frame)
        if (effect.frame.t === 'lapsed') this.#around.expectWord()
        return
      case 'answerRhs': {
        const { type: _, ...answer } = effect
        return this.#around.toRhs({ t: 'answer', ...answer })
      }
      case 'answerGate':
        this.#gateYes = effect.yes && this.#mayNotStart === null
        return
      case 'killRhs':
        this.#starts.forget('all')
        return this.#around.killRhs()
      case 'spawn':
        return this.#spawn(effect)
      case 'adopt': {
        const { resourceId, process } = effect.record
        return process ? this.#around.toRhs({ t: 'started', resourceId, process }) : undefined
      }
      case 'terminate':
        return this.#terminate(effect.record)
    }
  }

  /** M1, M3: what modules ask of the guard about copies. */
  aboutCopy(event: Extract<GuardEvent, { type: 'copyAsked' | 'carried' }>): void {
    this.#step(event)
  }

  /** As in main.ts: what came between the yes and this. */
  get #mayNotStart(): string | null {
    if (this.#saver.lags) return 'no file'
    return this.#around.code.leaseStands(this.#state, this.actor.bootMs) ? null : 'noLease'
  }

  #spawn({ ask }: Extract<GuardEffect, { type: 'spawn' }>): void {
    const { requestId, resourceId } = ask
    const reason = this.#mayNotStart
    if (reason) {
      this.#around.toRhs({ t: 'answer', requestId, ok: false, reason })
      return this.#step({ type: 'nothingRuns', resourceId, process: null })
    }
    const { pid, startTicks } = this.#around.processes.fork(ask)
    const process = { pid, startTicks }
    this.#around.toRhs({ t: 'answer', requestId, ok: true, process })
    this.#around.toRhs({ t: 'started', resourceId, process })
    this.#step({ type: 'childStarted', resourceId, process, group: `w-${pid}` })
  }

  /** SIGKILL until nothing of it is seen any more, then says so (G5). */
  #terminate({ resourceId, process }: WorkloadRecord): void {
    // Where no process is known, whatever may be that of an earlier guard has to be gone.
    const leftMs = process ? 0 : this.#around.leftMs()
    if (!process) this.endsUnstarted?.(resourceId)
    if (process) this.#around.processes.kill(process.pid, this.#around.killMs())
    this.#untilGone(resourceId, process ?? null, leftMs)
  }

  #isEnding(resourceId: string): boolean {
    return [...this.#kills.values()].includes(resourceId)
  }

  #untilGone(resourceId: string, process: ProcessRef | null, leftMs: number): void {
    const key = `${resourceId} ${process?.pid ?? ''}`
    if (this.#kills.has(key)) return
    this.#kills.set(key, resourceId)
    const goneAtMs = this.actor.bootMs + leftMs
    const look = () => {
      const lives = process !== null && this.#around.processes.lives(process)
      if (lives || this.actor.bootMs < goneAtMs) return void setTimeout(look, KILL_CHECK_MS)
      this.#kills.delete(key)
      this.#step({ type: 'nothingRuns', resourceId, process })
      if (!this.#isEnding(resourceId)) this.#starts.ended(resourceId)
    }
    setTimeout(look, 0)
  }
}
