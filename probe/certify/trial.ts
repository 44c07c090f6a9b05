/** One module under trial: what the checks of the contract share, and how they are judged. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Answer,
  type Call,
  NotImplemented,
  type ProcessRef,
  type ResourceModule,
} from '../../schema/resource-type.ts'
import { soundAnswers } from '../rhs/module-answers.ts'
import { BlockedTime } from './blocked-time.ts'
import type { Bench } from './sandbox.ts'

export interface Subject {
  readonly module: ResourceModule
  /** Properties that work on this host. */
  readonly properties: Record<string, unknown>
  readonly bench: Bench
  /** Makes what the resource looks at appear and go, where the module starts nothing itself. */
  readonly others?: { readonly up: () => Promise<void>; readonly down: () => Promise<void> }
  /** Why its end, as it is made here, is seen by checks alone. */
  readonly unwatched?: string
  /** How long Online, Offline and Terminate may each take, and a failure until it is seen. */
  readonly timeoutMs: number
}

export interface Check {
  readonly id: string
  /** What is promised, and where that comes from. */
  readonly title: string
  readonly run: (trial: Trial) => Promise<string | undefined>
}

/** A check does not apply to this module: said, not passed. */
export class NotApplicable extends Error {}

const LOOK_AGAIN_MS = 20

/** One module under trial: its resource, and what the checks share. */
export class Trial {
  readonly subject: Subject
  readonly guid = randomUUID()
  readonly #blocked = new BlockedTime()

  constructor(subject: Subject) {
    this.subject = subject
  }

  get module(): ResourceModule {
    return this.subject.module
  }

  /** @throws {NotApplicable} it starts nothing, and nobody here makes what it looks at come and go */
  needSomething(): void {
    if (this.module.way === undefined && !this.subject.others)
      throw new NotApplicable('it starts nothing, and what it looks at is not for us to change')
  }

  /** Longest time that nothing else could run, in milliseconds. */
  blockedMs(): number {
    return this.#blocked.longestMs
  }

  end(): void {
    this.#blocked.end()
  }

  call(persistentState: 0 | 1 = 1, guid = this.guid, signal?: AbortSignal): Call {
    return this.subject.bench.call({ guid, persistentState, ...(signal && { signal }) })
  }

  /** @throws {NotApplicable} the module lacks it, which is its right (S-33) */
  need(...names: (keyof ResourceModule)[]): void {
    for (const name of names)
      if (this.module[name] === undefined) throw new NotApplicable(`it has no ${name}`)
  }

  /** Ends what takes too long. @throws {Error} not over in its time, or what the call has thrown */
  async within<T>(what: string, work: Promise<T>): Promise<T> {
    const { timeoutMs } = this.subject
    const late = sleep(timeoutMs, undefined, { ref: false }).then(() => {
      throw new Error(`${what} was not over after ${timeoutMs} ms`)
    })
    return Promise.race([work, late])
  }

  /** What the module lacks is discarded, also when only it could know (S-33). */
  async attach(fn: 'open' | 'close', persistentState: 0 | 1): Promise<void> {
    const work = this.module[fn]?.(this.call(persistentState)) ?? Promise.resolve()
    await this.within(fn, work).catch((error: unknown) => {
      if (!(error instanceof NotImplemented)) throw error
    })
  }

  async online(): Promise<void> {
    await this.subject.others?.up()
    await this.within('online', this.module.online?.(this.call()) ?? Promise.resolve())
  }

  async offline(fn: 'offline' | 'terminate' = 'offline'): Promise<void> {
    await this.subject.others?.down()
    await this.within(fn, this.module[fn]?.(this.call(0)) ?? Promise.resolve())
  }

  async ask(
    fn: 'isAlive' | 'looksAlive' = 'isAlive',
    calls: readonly Call[] = [this.call()],
  ): Promise<Answer[]> {
    const said = await this.within(fn, this.module[fn](calls))
    const guids = calls.map((call) => call.guid)
    const answers = soundAnswers(guids, said)
    if (Array.isArray(said) && said.length !== guids.length)
      throw new Error(`${fn} was asked about ${guids.length}, and gave ${said.length} answers`)
    return answers
  }

  /** @throws {Error} another status, with what the module says of it */
  async is(status: Answer['status'], fn: 'isAlive' | 'looksAlive' = 'isAlive'): Promise<void> {
    const [answer] = await this.ask(fn)
    if (answer?.status === status) return
    const why = answer?.detail === undefined ? '' : ` (${answer.detail})`
    throw new Error(`${fn} says ${answer?.status}${why}, not ${status}`)
  }

  running(): readonly number[] {
    return this.subject.bench.runs(this.guid)
  }

  process(): ProcessRef | null {
    return this.call().workload.process
  }

  async until(what: string, met: () => Promise<boolean>): Promise<number> {
    const begun = performance.now()
    while (!(await met())) {
      if (performance.now() - begun > this.subject.timeoutMs)
        throw new Error(`${what}: not within ${this.subject.timeoutMs} ms`)
      await sleep(LOOK_AGAIN_MS)
    }
    return Math.round(performance.now() - begun)
  }
}

export interface Verdict {
  readonly id: string
  readonly title: string
  readonly verdict: 'kept' | 'broken' | 'notApplicable'
  /** What was measured, or what is wrong. */
  readonly detail: string
}

/** Runs all checks in their order; told of each before and after. */
export async function runChecks(
  checks: readonly Check[],
  subject: Subject,
  tell: { begins?: (check: Check) => void; ended?: (verdict: Verdict) => void } = {},
): Promise<Verdict[]> {
  const trial = new Trial(subject)
  const verdicts: Verdict[] = []
  for (const check of checks) {
    tell.begins?.(check)
    const verdict = await judge(check, trial)
    verdicts.push(verdict)
    tell.ended?.(verdict)
  }
  trial.end()
  return verdicts
}

async function judge({ id, title, run }: Check, trial: Trial): Promise<Verdict> {
  try {
    return { id, title, verdict: 'kept', detail: (await run(trial)) ?? '' }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    if (error instanceof NotApplicable || error instanceof NotImplemented)
      return { id, title, verdict: 'notApplicable', detail }
    return { id, title, verdict: 'broken', detail }
  }
}
