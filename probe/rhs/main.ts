/**
 * RHS, the Resource Hosting Subsystem: loads resource modules and calls them. What to call and what
 * to make of the answer is `rhsStep`; here the calls are made, and answers and exits come in.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { HostedType } from '../../schema/hive.ts'
import { type HostPolicy, hostPolicy } from '../../schema/host-policy.ts'
import { type FromRhs, guardToRhs, type ToRhs } from '../../schema/ipc.ts'
import type { Answer, ResourceModule } from '../../schema/resource-module.ts'
import { bootMs } from '../clock.ts'
import {
  type CallOutcome,
  emptyRhs,
  type RhsEffect,
  type RhsEvent,
  rhsDeadline,
  rhsStep,
} from '../core/rhs.ts'
import { loadModules } from '../resources/index.ts'
import { GuardLink, GuardRefused } from './guard-link.ts'
import { makeCall } from './make-call.ts'

export function runRhs(): void {
  const rhs = new Rhs()
  process.on('message', (message) => rhs.fromGuard(message))
  // Without its guard an RHS holds nothing that counts.
  process.on('disconnect', () => process.exit(0))
  process.on('SIGINT', () => {})
}

class Rhs {
  readonly #link = new GuardLink((frame) => process.send?.(frame))
  readonly #aborts = new Map<number, AbortController>()
  readonly #watches = new Map<string, () => void>()
  #modules: ReadonlyMap<string, ResourceModule> = new Map()
  #state = emptyRhs()
  #timer: NodeJS.Timeout | null = null
  #nodeName = ''
  #onRecord = new Set<string>()

  fromGuard(message: unknown): void {
    const parsed = guardToRhs.safeParse(message)
    if (!parsed.success) {
      process.stderr.write(`holdfast rhs: from guard: ${parsed.error.message.slice(0, 500)}\n`)
      return
    }
    const frame = parsed.data
    switch (frame.t) {
      case 'records':
        this.#nodeName = frame.nodeName
        this.#link.adopt(frame.records)
        this.#onRecord = new Set(frame.records.map((r) => r.resourceId))
        this.#modules = loadModules(policyOf(frame.policy), frame.folder)
        this.#tell({ t: 'ready', types: hosted(this.#modules), holding: [] })
        break
      case 'fromAgent':
        this.#fromAgent(frame.frame)
        break
      case 'answer':
        this.#link.answered(frame)
        break
      case 'gatePassed':
        this.#link.gatePassed(frame.resourceId, frame.process)
        break
      case 'exited':
        this.#link.exited(frame.resourceId, frame.process, frame.exit)
        break
    }
  }

  #fromAgent(frame: ToRhs): void {
    switch (frame.t) {
      case 'hold':
        this.#step({ type: 'held', resources: frame.resources, onRecord: this.#onRecord })
        for (const held of frame.resources) this.#onRecord.delete(held.guid)
        break
      case 'drop':
        this.#step({ type: 'dropped', guids: frame.guids })
        break
      case 'tell':
        // Statuses first: what depends on something must not be stopped for want of knowing it.
        this.#step({ type: 'toldAgain' })
        this.#tell({ t: 'ready', types: hosted(this.#modules), holding: this.#holding() })
        break
    }
  }

  #holding(): { guid: string; epoch: number }[] {
    return [...this.#state.runs.values()].map(({ held }) => ({
      guid: held.guid,
      epoch: held.epoch,
    }))
  }

  #step(event: RhsEvent): void {
    const outcome = rhsStep(this.#state, event, bootMs())
    this.#state = outcome.state
    for (const effect of outcome.effects) this.#effect(effect)
    if (this.#timer) clearTimeout(this.#timer)
    const at = rhsDeadline(this.#state)
    this.#timer =
      at === null
        ? null
        : setTimeout(() => this.#step({ type: 'tick' }), Math.max(0, at - bootMs()) + 1)
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
        this.#tell({ t: 'status', items: effect.items })
        break
      case 'log':
        this.#log(effect.guid, effect.message)
        break
      case 'closed':
        this.#watches.get(effect.guid)?.()
        this.#watches.delete(effect.guid)
        this.#link.forget(effect.guid)
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
    this.#step({ type: 'callEnded', guid, id, outcome })
  }

  async #invoke(
    fn: Extract<RhsEffect, { type: 'call' }>['fn'],
    guid: string,
    id: number,
    signal: AbortSignal,
  ): Promise<CallOutcome> {
    const run = this.#state.runs.get(guid)
    const module = run && this.#modules.get(run.held.type)
    if (!run || !module) return { ok: false, error: `no module for type ${run?.held.type}` }
    const entry = module[fn]
    const { persistentState, hiveSeq, epoch } = run.held
    // S-30: status wanted and GUID are read from the replica before each call.
    this.#log(
      guid,
      `${fn} ${run.held.name} PersistentState=${persistentState} epoch=${epoch} hive=${hiveSeq}`,
    )
    if (!entry) return fn === 'open' || fn === 'close' ? { ok: true } : { ok: 'notImplemented' }
    try {
      const call = makeCall(run.held, module, this.#link, {
        nodeName: this.#nodeName,
        signal,
        progress: (note) => this.#step({ type: 'progressed', guid, id, note }),
        log: (message) => this.#log(guid, message),
      })
      await entry.call(module, call)
      return { ok: true }
    } catch (error) {
      if (error instanceof GuardRefused && error.forNow)
        return { ok: false, refused: error.message }
      return { ok: false, error: error instanceof Error ? error.message : String(error) }
    }
  }

  /** S-27: one call for all members of the group; an answer for each that was asked about. */
  async #poll(effect: Extract<RhsEffect, { type: 'poll' }>): Promise<void> {
    const { fn, key, id, guids } = effect
    const runs = guids.flatMap((guid) => this.#state.runs.get(guid) ?? [])
    const module = runs[0] && this.#modules.get(runs[0].held.type)
    if (!module) return
    const abort = new AbortController()
    let answers: readonly Answer[]
    try {
      const calls = runs.map((run) =>
        makeCall(run.held, module, this.#link, {
          nodeName: this.#nodeName,
          signal: abort.signal,
          progress: () => {},
          log: (message) => this.#log(run.held.guid, message),
        }),
      )
      answers = await module[fn](calls)
    } catch (error) {
      const detail = `${fn} threw: ${error instanceof Error ? error.message : error}`
      answers = guids.map((guid) => ({ guid, status: 'unknown', detail }))
    }
    const asked = new Set(guids)
    this.#step({ type: 'pollEnded', key, id, answers: answers.filter((a) => asked.has(a.guid)) })
  }

  #watch(guid: string): void {
    const run = this.#state.runs.get(guid)
    const module = run && this.#modules.get(run.held.type)
    if (!run || !module?.watch || this.#watches.has(guid)) return
    try {
      const call = makeCall(run.held, module, this.#link, {
        nodeName: this.#nodeName,
        signal: new AbortController().signal,
        progress: () => {},
        log: (message) => this.#log(guid, message),
      })
      const stop = module.watch(call, (a) =>
        this.#step({ type: 'pushed', guid: a.guid, status: a.status, detail: a.detail ?? '' }),
      )
      this.#watches.set(guid, stop)
    } catch (error) {
      this.#log(guid, `watch: ${error}; polling stays`)
    }
  }

  #log(guid: string, message: string): void {
    const run = this.#state.runs.get(guid)
    this.#tell({
      t: 'log',
      entries: [
        {
          atMs: Date.now(),
          component: 'RHS',
          resourceId: guid,
          ...(run && { groupId: run.held.groupId }),
          ...(run?.correlationId !== undefined && { correlationId: run.correlationId }),
          message: message.slice(0, 1_000),
        },
      ],
    })
  }

  #tell(frame: FromRhs): void {
    process.send?.({ t: 'toAgent', frame })
  }
}

/** Types with their modules loaded, each with the hash of the code that holds it. */
function hosted(modules: ReadonlyMap<string, ResourceModule>): HostedType[] {
  const sha256 = createHash('sha256')
    .update(readFileSync(process.argv[1] as string))
    .digest('hex')
  return [...modules.values()].map((m) => ({ type: m.type, version: m.version, sha256 }))
}

function policyOf(value: unknown): HostPolicy {
  const parsed = hostPolicy.safeParse(value)
  return parsed.success ? parsed.data : {}
}
