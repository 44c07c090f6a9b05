/**
 * RHS of a simulated host: the production core (probe/core/rhs.ts) with a module of the simulation,
 * which starts slowly, fails, hangs or lies as the faults say.
 */
import type { GuardEvent } from '../../probe/core/guard.ts'
import type { RhsEffect, RhsEvent } from '../../probe/core/rhs.ts'
import type { FromRhs, GuardToRhs, ToRhs, WorkloadRecord } from '../../schema/ipc.ts'
import type { ProcessRef } from '../../schema/workload.ts'
import type { Code } from './code.ts'
import type { Actor } from './kernel.ts'
import type { Manager, ManagerAsk } from './manager.ts'

/** How the modules of one host behave; the faults change it. */
export interface ModuleFaults {
  onlineMs(): number
  offlineMs(): number
  /** The start fails after all. */
  failsOnline(resourceId: string): boolean
  /** A call that is not answered at all. */
  hangs(): boolean
  /** It takes its RHS along. */
  crashes(): boolean
  /** What a check says instead of the truth, or null. */
  lie(): 'online' | 'offline' | 'failed' | 'unknown' | null
}

export interface RhsSurroundings {
  readonly code: Code
  readonly faults: ModuleFaults
  readonly manager: Manager
  toAgent(frame: FromRhs): void
  start(ask: StartAsk): void
  permit(ask: StartAsk, gateName: string): void
  stop(resourceId: string, requestId: number): void
  aboutCopy(event: Extract<GuardEvent, { type: 'copyAsked' | 'carried' }>): void
  /** A process that is there may be a copy, which waits. */
  executes(process: ProcessRef): boolean
  readonly hostName: string
  crashed(): void
}

interface StartAsk {
  readonly requestId: number
  readonly resourceId: string
  readonly groupId: string
  readonly epoch: number
}

type Ended = (outcome: Extract<RhsEvent, { type: 'callEnded' }>['outcome']) => void
/** After the end of a process, until the guard has seen it and nothing of it is left. */
const GONE_MS = 60
const TYPES = ['process', 'virtual-machine']

export class SimRhs {
  readonly actor: Actor
  readonly #around: RhsSurroundings
  readonly #state
  #timer: ReturnType<typeof setTimeout> | null = null
  readonly #processes = new Map<string, ProcessRef>()
  #onRecord: Set<string>
  readonly #answers = new Map<number, (answer: Extract<GuardToRhs, { t: 'answer' }>) => void>()
  readonly #aborted = new Set<number>()
  #nextRequest: number

  constructor(
    actor: Actor,
    around: RhsSurroundings,
    records: readonly WorkloadRecord[],
    lives: (process: ProcessRef) => boolean,
  ) {
    this.actor = actor
    this.#around = around
    this.#state = around.code.emptyRhs()
    this.#nextRequest = actor.kernel.random.integer(1_000_000_000)
    // A module that adopts looks whether it runs.
    for (const { resourceId, process } of records)
      if (process && lives(process)) this.#processes.set(resourceId, process)
    this.#onRecord = new Set(records.map((r) => r.resourceId))
    this.#ready()
  }

  fromGuard(frame: GuardToRhs): void {
    switch (frame.t) {
      case 'fromAgent':
        return this.#fromAgent(frame.frame)
      case 'answer': {
        const answer = this.#answers.get(frame.requestId)
        this.#answers.delete(frame.requestId)
        return answer?.(frame)
      }
      case 'exited': {
        const known = this.#processes.get(frame.resourceId)
        if (known && known.pid !== frame.process.pid) return
        this.#processes.delete(frame.resourceId)
        return this.#step({
          type: 'pushed',
          guid: frame.resourceId,
          status: 'failed',
          detail: 'ended',
        })
      }
      case 'started':
        this.#processes.set(frame.resourceId, frame.process)
        // Started for a monitor before this one: it is looked at first, as what was on record.
        if (!this.#state.runs.has(frame.resourceId)) this.#onRecord.add(frame.resourceId)
        return
      case 'records':
      case 'tables':
        return
    }
  }

  /** Its module has seen that somebody has stopped it, outside of us (S-68). */
  stoppedByHand(guid: string): void {
    const seen = { type: 'pushed', guid, status: 'stopped', detail: 'by hand' } as const
    this.actor.soon(() => this.#step(seen))
  }

  #ready(): void {
    const holding = [...this.#state.runs.values()].map((r) => ({
      guid: r.held.guid,
      epoch: r.held.epoch,
    }))
    const types = TYPES.map((type) => ({ type, version: '1', sha256: '0'.repeat(64) }))
    this.#around.toAgent({ t: 'ready', unloaded: [], prepares: [], types, holding })
  }

  #fromAgent(frame: ToRhs): void {
    switch (frame.t) {
      case 'hold':
        this.#step({ type: 'held', resources: frame.resources, onRecord: this.#onRecord })
        for (const { guid } of frame.resources) this.#onRecord.delete(guid)
        return
      case 'couldHost':
        // A module that says nothing has nothing against it; now and then one refuses for no reason.
        if (this.#around.faults.hangs()) return
        return void setTimeout(() => {
          const [first] = this.#around.faults.lie() === 'failed' ? frame.resources : []
          const problems = first ? [{ guid: first.guid, problem: 'not here' }] : []
          this.#around.toAgent({ t: 'couldHost', request: frame.request, problems })
        }, 1)
      case 'prepare':
      case 'control':
        return
      case 'receive':
        return this.#receive(frame)
      case 'drop':
        return this.#step({ type: 'dropped', guids: frame.guids })
      case 'tell':
        this.#step({ type: 'toldAgain' })
        return this.#ready()
    }
  }

  #step(event: RhsEvent): void {
    const { code } = this.#around
    const effects = code.rhsStep(this.#state, event, this.actor.bootMs)
    for (const effect of effects) this.#effect(effect)
    if (this.#timer) clearTimeout(this.#timer)
    const at = code.rhsDeadline(this.#state)
    const inMs = at === null ? null : Math.max(0, at - this.actor.bootMs) + 1
    this.#timer = inMs === null ? null : setTimeout(() => this.#step({ type: 'tick' }), inMs)
  }

  #effect(effect: RhsEffect): void {
    switch (effect.type) {
      case 'call':
        return this.#call(effect)
      case 'abort':
        return void this.#aborted.add(effect.id)
      case 'poll':
        return this.#poll(effect)
      case 'report':
        return this.#around.toAgent({ t: 'status', items: effect.items })
      case 'hangs':
        return void setTimeout(() => this.#around.crashed(), 0)
      case 'notCarried': {
        const { type: t, ...said } = effect
        return this.#around.toAgent({ t, ...said })
      }
      case 'log':
      case 'closed':
        return
    }
  }

  /** M1. */
  #receive({ request, resource, mid }: Extract<ToRhs, { t: 'receive' }>): void {
    const { toAgent, aboutCopy, hostName, faults } = this.#around
    if (faults.hangs()) return
    const { guid, groupId, epoch } = resource
    const requestId = this.#request(({ ok }) =>
      toAgent({ t: 'received', request, to: ok ? { host: hostName } : null }),
    )
    const ask = { requestId, resourceId: guid, groupId, epoch }
    aboutCopy({ type: 'copyAsked', ask, mid, gateName: `gate-${guid}` })
  }

  /** M3: the guard is told once the manager has said yes, and believes neither of them. */
  #migrate(guid: string, ended: Ended): void {
    const held = this.#state.runs.get(guid)?.held
    if (!held?.carry) return ended({ ok: false, error: 'nothing is carried' })
    const { actor } = this
    const { groupId, epoch, carry } = held
    const subject = { resourceId: guid, groupId, epoch }
    const { manager, aboutCopy } = this.#around
    manager.migrate({ ...subject, gateName: `gate-${guid}` }, carry.to?.['host'] ?? '', (problem) =>
      actor.deliver(() => {
        if (problem !== null) return ended({ ok: false, error: problem })
        const requestId = this.#request(({ ok, reason = 'no' }) =>
          ended(ok ? { ok: true } : { ok: false, error: reason }),
        )
        // The guard sees the end of a process a little later.
        setTimeout(
          () => aboutCopy({ type: 'carried', ask: { requestId, ...subject }, mid: carry.mid }),
          GONE_MS,
        )
      }),
    )
  }

  #call({ fn, guid, id }: Extract<RhsEffect, { type: 'call' }>): void {
    const { faults } = this.#around
    const ended: Ended = (outcome) => this.#step({ type: 'callEnded', guid, id, outcome })
    if (faults.crashes()) return void setTimeout(() => this.#around.crashed(), 0)
    switch (fn) {
      case 'open':
      case 'close':
        return void setTimeout(() => ended({ ok: true }), 1)
      case 'retry':
        return void setTimeout(() => ended({ ok: 'notImplemented' }), 0)
      case 'online':
        if (faults.hangs()) return
        return void setTimeout(() => this.#online(guid, id, ended), faults.onlineMs())
      case 'offline':
        if (faults.hangs()) return
        return void setTimeout(() => this.#stop(guid, ended), faults.offlineMs())
      case 'terminate':
        return void setTimeout(() => this.#stop(guid, ended), 0)
      case 'migrate':
        return this.#migrate(guid, ended)
      case 'save':
        return ended({ ok: 'notImplemented' })
    }
  }

  #online(guid: string, id: number, ended: Ended): void {
    const run = this.#state.runs.get(guid)
    if (!run) return
    // A call that was given up starts nothing (make-call.ts).
    if (this.#aborted.has(id)) return ended({ ok: false, error: 'given up' })
    // One that lies about it does not know itself.
    const known = this.#processes.get(guid)
    if (known && this.#around.executes(known) && !this.#around.faults.lie())
      return ended({ ok: true })
    if (this.#around.faults.failsOnline(guid)) return ended({ ok: false, error: 'exit 1' })
    const { groupId, epoch, type } = run.held
    const answered = (then: (process: ProcessRef | undefined) => void) => {
      const requestId = this.#request((answer) => {
        if (answer.ok) return then(answer.process)
        const reason = answer.reason ?? 'no'
        const forNow = ['noGrant', 'noLease', 'stopping'].includes(reason)
        return ended(forNow ? { ok: false, refused: reason } : { ok: false, error: reason })
      })
      return { requestId, resourceId: guid, groupId, epoch }
    }
    const runs = (process: ProcessRef) => {
      this.#processes.set(guid, process)
      ended({ ok: true })
    }
    if (type === 'process')
      return this.#around.start(answered((process) => process && runs(process)))
    const gateName = `gate-${guid}`
    this.#around.permit(
      answered((process) => {
        if (process) {
          // G3: with the guard's yes a copy goes on.
          this.#around.manager.resume(process, epoch)
          return runs(process)
        }
        this.#askManager({ resourceId: guid, groupId, epoch, gateName }, (started) =>
          started ? runs(started) : ended({ ok: false, error: 'the manager could not start it' }),
        )
      }),
      gateName,
    )
  }

  /** What the manager says reaches this process only while it lives. */
  #askManager(ask: ManagerAsk, answered: (process: ProcessRef | null) => void): void {
    const { actor } = this
    this.#around.manager.start(ask, (process) =>
      actor.deliver(() =>
        answered(process && { pid: process.pid, startTicks: process.startTicks }),
      ),
    )
  }

  #stop(guid: string, ended: (outcome: { ok: true }) => void): void {
    const requestId = this.#request(() => {
      this.#processes.delete(guid)
      ended({ ok: true })
    })
    this.#around.stop(guid, requestId)
  }

  #request(answered: (answer: Extract<GuardToRhs, { t: 'answer' }>) => void): number {
    this.#nextRequest += 1
    this.#answers.set(this.#nextRequest, answered)
    return this.#nextRequest
  }

  #poll({ key, id, guids }: Extract<RhsEffect, { type: 'poll' }>): void {
    const { faults, manager } = this.#around
    if (faults.hangs()) return
    if (faults.crashes()) return void setTimeout(() => this.#around.crashed(), 0)
    setTimeout(() => {
      const answers = guids.map((guid) => {
        const gated = this.#state.runs.get(guid)?.held.type === 'virtual-machine'
        // Its manager is gone: unknown, not dead.
        if (gated && !manager.answers) return { guid, status: 'unknown' as const }
        const process = this.#processes.get(guid)
        const executes = process !== undefined && this.#around.executes(process)
        const truth = executes ? ('online' as const) : ('offline' as const)
        return { guid, status: faults.lie() ?? truth, onRecord: process !== undefined }
      })
      this.#step({ type: 'pollEnded', key, id, answers })
    }, 1)
  }
}
