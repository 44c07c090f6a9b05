/**
 * RHS, the Resource Hosting Subsystem: loads resource modules and calls them. What to call and what
 * to make of the answer is `rhsStep`; here the calls are made, and answers and exits come in.
 */
import { type GuardToRhs, guardToRhs, type HeldResource, type ToRhs } from '../../schema/ipc.ts'
import {
  type Answer,
  type Call,
  NotImplemented,
  type ResourceModule,
} from '../../schema/resource-type.ts'
import type { StatusItem } from '../../schema/session.ts'
import { roughBootMs } from '../clock.ts'
import {
  type CallOutcome,
  emptyRhs,
  type RhsEffect,
  type RhsEvent,
  type Run,
  rhsDeadline,
  rhsStep,
  type Seen,
} from '../core/rhs.ts'
import { CallRing, ringPath } from '../os/call-ring.ts'
import { Asks } from './asks.ts'
import { CallBook } from './call-book.ts'
import { keepCompiled } from './compiled.ts'
import { Entries } from './entries.ts'
import { GuardLink, GuardRefused } from './guard-link.ts'
import { Loading } from './loading.ts'
import { LogLimit } from './log-limit.ts'
import { makeCall } from './make-call.ts'
import { soundAnswers } from './module-answers.ts'
import { Notifier } from './notifier.ts'
import { Outlet } from './outlet.ts'
import { Shelf } from './shelf.ts'
import { Watches } from './watches.ts'
import { messageOf, namesOf, reasonOf } from './words.ts'

/** How often module files are looked at. */
const LOOK_MS = 5_000
/** How often the guard hears that this process lives. */
const ALIVE_MS = 1_000
/** However short a deadlock timeout is: a busy machine may keep everybody waiting for so long. */
const HANGS_MS = 2_000

/** @param monitor its name, which says the kind of modules it hosts (S-23): one bundle, several processes */
export function runRhs(monitor: string): void {
  const rhs = new Rhs(monitor)
  process.on('message', (message) => rhs.fromGuard(message))
  keepCompiled()
  // Without its guard an RHS holds nothing that counts.
  process.on('disconnect', () => process.exit(0))
  process.on('SIGINT', () => {})
}

class Rhs {
  readonly #monitor: string
  readonly #shelf: Shelf
  readonly #loading: Loading
  readonly #ring = new CallRing()
  readonly #book = new CallBook(this.#ring)
  readonly #notifier = new Notifier((guid, message) => this.#log(guid, message))
  readonly #link = new GuardLink((frame) => process.send?.(frame))
  readonly #aborts = new Map<number, AbortController>()
  readonly #watches = new Watches()
  readonly #entries = new Entries()
  readonly #state = emptyRhs()
  #timer: NodeJS.Timeout | null = null
  #nodeName = ''
  #onRecord = new Set<string>()
  readonly #limit = new LogLimit()
  readonly #outlet = new Outlet((frame) => process.send?.({ t: 'toAgent', frame }))
  readonly #asks: Asks

  constructor(monitor: string) {
    this.#monitor = monitor
    this.#shelf = new Shelf(monitor)
    this.#loading = new Loading({
      ...{ monitor, book: this.#book },
      sayAlive: () => this.#sayAlive(),
      notImported: (file, why) => process.send?.({ t: 'notImported', file, why }),
      take: (message) => this.fromGuard(message),
    })
    setInterval(() => this.#look(), LOOK_MS)
    this.#asks = new Asks({
      ...{ shelf: this.#shelf, book: this.#book },
      heldOf: (guid) => this.#state.runs.get(guid)?.held,
      callOf: (held, module, signal) => this.#callOf({ held }, module, signal),
      tell: (frame) => this.#outlet.tell(frame),
      sayAlive: (resources) => this.#sayAlive(resources),
      log: (held, message) => this.#log(held.guid, message),
    })
    setInterval(() => this.#sayAlive(), ALIVE_MS)
  }

  /** S-32: a module that keeps the whole process busy is a deadlock too, and nobody here notices it. */
  #sayAlive(more: readonly HeldResource[] = []): void {
    let least = Number.POSITIVE_INFINITY
    for (const { held } of this.#state.runs.values()) least = Math.min(least, held.poll.deadlockMs)
    for (const held of more) least = Math.min(least, held.poll.deadlockMs)
    const withinMs = Number.isFinite(least) ? Math.max(HANGS_MS, least) : null
    process.send?.({ t: 'alive', withinMs: this.#loading.withinMs ?? withinMs })
  }

  async #load(frame: Extract<GuardToRhs, { t: 'records' }>): Promise<void> {
    await this.#shelf.load(frame, (pin) => this.#loading.begins(pin))
    this.#state.hints = this.#shelf.hints
    this.#outlet.tell({ t: 'ready', ...this.#shelf.told, holding: [] })
  }

  /** S-57: a file may become corrupt long after it was loaded. */
  #look(): void {
    const seen = this.#shelf.look(roughBootMs())
    // A new one loads it; what this one holds is adopted (G8).
    if (seen === 'begin') process.exit(0)
    if (seen === 'told')
      this.#outlet.tell({ t: 'ready', ...this.#shelf.told, holding: this.#holding() })
  }

  fromGuard(message: unknown): void {
    if (this.#loading.holdsBack(message)) return
    const parsed = guardToRhs.safeParse(message)
    if (!parsed.success) {
      process.stderr.write(`holdfast rhs: from guard: ${parsed.error.message.slice(0, 500)}\n`)
      return
    }
    const frame = parsed.data
    switch (frame.t) {
      case 'records':
        this.#nodeName = frame.nodeName
        this.#ring.start(ringPath(frame.folder, this.#monitor))
        this.#link.adopt(frame.records)
        this.#onRecord = new Set(frame.records.map((r) => r.resourceId))
        void this.#loading.during(() => this.#load(frame))
        break
      case 'fromAgent':
        this.#fromAgent(frame.frame)
        break
      case 'answer':
        this.#link.answered(frame)
        break
      case 'started':
        this.#link.started(frame.resourceId, frame.process)
        // It may come here from another monitor; then it is looked at first, as what was on record.
        if (!this.#state.runs.has(frame.resourceId)) this.#onRecord.add(frame.resourceId)
        break
      case 'exited':
        this.#link.exited(frame.resourceId, frame.process, {
          ...frame.exit,
          ...{ left: frame.left, empty: frame.empty },
        })
        break
      case 'tables': {
        const tables = this.#book.tables(this.#shelf.modules, this.#state, roughBootMs())
        process.send?.({ t: 'tables', requestId: frame.requestId, tables })
        break
      }
    }
  }

  #fromAgent(frame: ToRhs): void {
    switch (frame.t) {
      case 'hold':
        if (this.#shelf.lacks(frame.resources)) return this.#loadFirst(frame)
        // Before the first call of any of them, which may never return.
        this.#sayAlive(frame.resources)
        this.#step({
          ...{ type: 'held', resources: frame.resources },
          onRecord: new Set([...this.#onRecord, ...this.#shelf.lookedAtFirst(frame)]),
        })
        for (const held of frame.resources) this.#onRecord.delete(held.guid)
        break
      case 'couldHost':
      case 'control':
      case 'prepare':
      case 'receive':
        this.#asks.take(frame)
        break
      case 'drop':
        this.#step({ type: 'dropped', guids: frame.guids })
        break
      case 'tell':
        // Statuses first: what depends on something must not be stopped for want of knowing it.
        this.#step({ type: 'toldAgain' })
        this.#outlet.tell({ t: 'ready', ...this.#shelf.told, holding: this.#holding() })
        break
    }
  }

  #loadFirst(frame: Extract<ToRhs, { t: 'hold' }>): void {
    void this.#loading.during(async () => {
      await this.#shelf.loadFor(frame.resources, (pin) => this.#loading.begins(pin))
      this.#state.hints = this.#shelf.hints
      this.#fromAgent(frame)
    })
  }

  #holding(): { guid: string; epoch: number }[] {
    return [...this.#state.runs.values()].map(({ held }) => ({
      guid: held.guid,
      epoch: held.epoch,
    }))
  }

  #step(event: RhsEvent): void {
    for (const effect of rhsStep(this.#state, event, roughBootMs())) this.#effect(effect)
    if (this.#timer) clearTimeout(this.#timer)
    const at = rhsDeadline(this.#state)
    this.#timer =
      at === null
        ? null
        : setTimeout(() => this.#step({ type: 'tick' }), Math.max(0, at - roughBootMs()) + 1)
  }

  #effect(effect: RhsEffect): void {
    switch (effect.type) {
      case 'call':
        void this.#call(effect)
        break
      case 'abort':
        this.#aborts.get(effect.id)?.abort(new Error('cancelled: its deadline has passed'))
        break
      case 'poll':
        void this.#poll(effect)
        break
      case 'report':
        this.#outlet.tell({ t: 'status', items: effect.items })
        for (const item of effect.items) this.#notify(item.resourceId, 'status', item)
        break
      case 'log':
        this.#log(effect.guid, effect.message)
        break
      case 'notCarried': {
        const { type: t, ...said } = effect
        this.#outlet.tell({ t, ...said })
        break
      }
      case 'hangs':
        process.send?.({ t: 'hangs', resources: effect.guids, detail: effect.detail })
        break
      case 'closed':
        this.#watches.end(effect.guid)
        this.#link.forget(effect.guid)
        this.#entries.forget(effect.guid)
        this.#limit.forget(effect.guid)
        break
    }
  }

  /** One entry point of one resource. Every way it can end is an outcome (S-32, S-33). */
  async #call(effect: Extract<RhsEffect, { type: 'call' }>): Promise<void> {
    const { fn, guid, id } = effect
    const abort = new AbortController()
    this.#aborts.set(id, abort)
    const outcome = await this.#invoke(fn, guid, id, abort.signal)
    this.#aborts.delete(id)
    if (fn === 'open') this.#watch(guid)
    // Before the status that follows from it is told.
    const before = this.#state.runs.get(guid)
    if (before && outcome.ok !== 'notImplemented')
      this.#notify(guid, fn, { status: before.status, detail: reasonOf(outcome) })
    this.#step({ type: 'callEnded', guid, id, outcome })
  }

  async #invoke(
    fn: Extract<RhsEffect, { type: 'call' }>['fn'],
    guid: string,
    id: number,
    signal: AbortSignal,
  ): Promise<CallOutcome> {
    const run = this.#state.runs.get(guid)
    const module = run && this.#shelf.get(run.held.type)
    if (!run || !module) return { ok: false, error: this.#shelf.whyNot(run?.held.type ?? '') }
    const entry = this.#entries.of(module, fn)
    const { persistentState, hiveSeq, epoch } = run.held
    // S-30: status wanted and GUID are read from the replica before each call.
    this.#log(
      guid,
      `${fn} ${run.held.name} PersistentState=${persistentState} epoch=${epoch} hive=${hiveSeq}`,
    )
    if (!entry) return fn === 'open' || fn === 'close' ? { ok: true } : { ok: 'notImplemented' }
    const ended = this.#book.begin(module.type, fn, run.held.name, [guid], roughBootMs())
    try {
      const progress = (note: string) => this.#step({ type: 'progressed', guid, id, note })
      await entry(this.#callOf(run, module, signal, progress))
      ended(roughBootMs())
      return { ok: true }
    } catch (error) {
      ended(roughBootMs(), messageOf(error))
      if (error instanceof NotImplemented)
        return fn === 'open' || fn === 'close' ? { ok: true } : { ok: 'notImplemented' }
      if (error instanceof GuardRefused && error.forNow)
        return { ok: false, refused: error.message }
      return { ok: false, error: messageOf(error) }
    }
  }

  /** S-27: one call for all members of the group; an answer for each that was asked about. */
  async #poll(effect: Extract<RhsEffect, { type: 'poll' }>): Promise<void> {
    const { fn, key, id, guids } = effect
    const runs = guids.flatMap((guid) => this.#state.runs.get(guid) ?? [])
    const module = runs[0] && this.#shelf.get(runs[0].held.type)
    if (!module) return
    // After that RHS no longer waits for the answer (S-32), and the module need not look on.
    const signal = AbortSignal.timeout(Math.min(...runs.map((run) => run.held.poll.deadlockMs)))
    const late = () => process.send?.({ t: 'late' })
    signal.addEventListener('abort', late, { once: true })
    const startedMs = roughBootMs()
    const ended = this.#book.begin(module.type, fn, namesOf(runs), guids, startedMs)
    let answers: readonly Answer[]
    const { calls, misfits } = this.#callsOf(runs, module, signal)
    try {
      const said = calls.length > 0 ? await module[fn](calls) : []
      const wellAsked = calls.map((call) => call.guid)
      answers = [...soundAnswers(wellAsked, said), ...misfits]
      ended(roughBootMs())
    } catch (error) {
      const detail = `${fn} threw: ${messageOf(error)}`
      ended(roughBootMs(), detail)
      answers = guids.map((guid) => ({ guid, status: 'unknown', detail }))
    }
    signal.removeEventListener('abort', late)
    const [groupId] = runs.map((run) => run.held.groupId)
    if (groupId !== undefined) this.#book.checked(groupId, fn, startedMs, roughBootMs() - startedMs)
    this.#step({ type: 'pollEnded', key, id, answers: answers.map((a) => this.#seen(a)) })
  }

  /** Properties that do not fit the module are the fault of one member, not of all. */
  #callsOf(runs: readonly Run[], module: ResourceModule, signal: AbortSignal) {
    const calls: Call[] = []
    const misfits: Answer[] = []
    for (const run of runs)
      try {
        calls.push(this.#callOf(run, module, signal))
      } catch (error) {
        misfits.push({ guid: run.held.guid, status: 'unknown', detail: messageOf(error) })
      }
    return { calls, misfits }
  }

  #watch(guid: string): void {
    const run = this.#state.runs.get(guid)
    const module = run && this.#shelf.get(run.held.type)
    if (!run || !module) return
    const call = () => this.#callOf(run, module, new AbortController().signal)
    try {
      this.#watches.begin(guid, module, call, (answer) =>
        this.#step({ type: 'pushed', ...this.#seen(answer) }),
      )
    } catch (error) {
      this.#log(guid, `watch: ${error}; polling stays`)
    }
  }

  #seen({ guid, status, detail }: Answer): Seen {
    return { guid, status, detail, onRecord: this.#link.processOf(guid) !== null }
  }

  #callOf(
    { held }: Pick<Run, 'held'>,
    module: ResourceModule,
    signal: AbortSignal,
    progress: Call['progress'] = () => {},
  ): Call {
    const log = (message: string) => {
      const lines = this.#limit.lines(held.guid, String(message), roughBootMs())
      for (const line of lines) this.#log(held.guid, line)
    }
    return makeCall(held, module, this.#link, {
      nodeName: this.#nodeName,
      signal,
      progress,
      log,
    })
  }

  /** S-86: the workload's own manager hears of every function and every status. */
  #notify(
    guid: string,
    step: string,
    { status, detail }: Pick<StatusItem, 'status' | 'detail'>,
  ): void {
    const run = this.#state.runs.get(guid)
    const module = run && this.#shelf.get(run.held.type)
    if (!run || !module?.notify) return
    this.#notifier.tell(guid, module, (signal) => this.#callOf(run, module, signal), {
      ...{ step, status, reason: detail ?? '', atMs: Date.now() },
    })
  }

  #log(guid: string, message: string): void {
    const run = this.#state.runs.get(guid)
    this.#outlet.log({
      atMs: Date.now(),
      component: 'RHS',
      resourceId: guid,
      ...(run && { groupId: run.held.groupId }),
      ...(run?.correlationId !== undefined && { correlationId: run.correlationId }),
      message: message.slice(0, 1_000),
    })
  }
}
