/**
 * What every resource module keeps to, as checks that are run with the real thing (S-36 to S-50). The
 * modules that come with the probe pass the same ones (`npm run test:modules`).
 */
import { randomUUID } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Answer,
  type Call,
  NotImplemented,
  type ProcessRef,
  type ResourceModule,
} from '../../schema/resource-type.ts'
import { soundAnswer, soundAnswers } from '../rhs/module-answers.ts'
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

/** A module that blocks the event loop keeps all its neighbours waiting (S-28). */
const BLOCKED_MAX_MS = 250
/** IsAlive is called every 5 s: one call for so many members has to be over by the next. */
const MEMBERS = 100
const MEMBERS_MAX_MS = 5_000
const LOOK_AGAIN_MS = 20

/** One module under trial: its resource, and what the checks share. */
export class Trial {
  readonly subject: Subject
  readonly guid = randomUUID()
  readonly #delay = monitorEventLoopDelay({ resolution: 10 })

  constructor(subject: Subject) {
    this.subject = subject
    this.#delay.enable()
  }

  get module(): ResourceModule {
    return this.subject.module
  }

  /** Longest time that nothing else could run, in milliseconds. */
  blockedMs(): number {
    return this.#delay.max / 1e6
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

const nothingRuns = (t: Trial, after: string) => {
  const left = t.running()
  if (left.length > 0) throw new Error(`after ${after} it still runs: pid ${left.join(', ')}`)
}

export const CONTRACT: readonly Check[] = [
  {
    id: 'properties',
    title: 'a property that nobody knows is refused',
    run: async ({ module, subject }) => {
      const more = { ...subject.properties, noSuchPropertyAtAll: 1 }
      if (module.properties.safeParse(more).success)
        throw new Error('an unknown property is taken without a word')
      return undefined
    },
  },
  {
    id: 'validate',
    title: 'validate takes what works (S-37)',
    run: async (t) => {
      t.need('validate')
      await t.within('validate', t.module.validate?.(t.call()) as Promise<void>)
      return undefined
    },
  },
  {
    id: 'open',
    title: 'open starts nothing (S-37)',
    run: async (t) => {
      await t.subject.others?.down()
      await t.attach('open', 0)
      nothingRuns(t, 'open')
      return undefined
    },
  },
  {
    id: 'offline-seen',
    title: 'isAlive and looksAlive say offline or failed while nothing runs (S-43, S-44)',
    run: async (t) => {
      for (const fn of ['isAlive', 'looksAlive'] as const) {
        const [answer] = await t.ask(fn)
        if (answer?.status !== 'offline' && answer?.status !== 'failed')
          throw new Error(`${fn} says ${answer?.status} (${answer?.detail ?? ''})`)
      }
      return undefined
    },
  },
  {
    id: 'install',
    title: 'install again is success (S-49)',
    run: async (t) => {
      t.need('install')
      for (let again = 0; again < 2; again += 1)
        await t.within('install', t.module.install?.(t.call()) as Promise<void>)
      return undefined
    },
  },
  {
    id: 'online',
    title: 'online ends when it is online, by both checks (S-39)',
    run: async (t) => {
      const begun = performance.now()
      await t.online()
      const took = Math.round(performance.now() - begun)
      await t.is('online')
      await t.is('online', 'looksAlive')
      return `${took} ms`
    },
  },
  {
    id: 'online-again',
    title: 'online again is success and starts nothing second (S-39)',
    run: async (t) => {
      t.need('online')
      const before = t.process()
      await t.online()
      const after = t.process()
      if (before?.pid !== after?.pid)
        throw new Error(`pid ${before?.pid} has become pid ${after?.pid}`)
      await t.is('online')
      return undefined
    },
  },
  {
    id: 'one-call-for-all',
    title: `isAlive answers for each of ${MEMBERS} in one call, once (S-27)`,
    run: async (t) => {
      const others = Array.from({ length: MEMBERS - 1 }, () => t.call(0, randomUUID()))
      const begun = performance.now()
      const [own] = await t.ask('isAlive', [t.call(), ...others])
      const took = Math.round(performance.now() - begun)
      if (own?.status !== 'online') throw new Error(`among others it says ${own?.status}`)
      if (took > MEMBERS_MAX_MS) throw new Error(`${MEMBERS} members took ${took} ms`)
      return `${took} ms`
    },
  },
  {
    id: 'close',
    title: 'close stops nothing; opened again it is found online (S-38)',
    run: async (t) => {
      await t.attach('close', 1)
      await t.attach('open', 1)
      await t.is('online')
      return undefined
    },
  },
  {
    id: 'failure-seen',
    title: 'its end is seen by isAlive (S-43)',
    run: async (t) => {
      const { bench, others } = t.subject
      await (others ? others.down() : bench.breakIt(t.guid))
      const took = await t.until('isAlive says something else than online', async () => {
        const [answer] = await t.ask()
        return answer?.status !== 'online'
      })
      return `${took} ms`
    },
  },
  {
    id: 'online-after-failure',
    title: 'online after a failure: a restart is Online (S-47)',
    run: async (t) => {
      await t.online()
      await t.is('online')
      return undefined
    },
  },
  {
    id: 'watch',
    title: 'watch says that it has ended (S-36)',
    run: async (t) => {
      t.need('watch')
      if (t.subject.unwatched) throw new NotApplicable(t.subject.unwatched)
      let heardMs: number | null = null
      const stop = t.module.watch?.(t.call(), (a) => {
        if (soundAnswer(t.guid, a).status !== 'online') heardMs ??= performance.now()
      })
      try {
        const { bench, others } = t.subject
        const begun = performance.now()
        await (others ? others.down() : bench.breakIt(t.guid))
        await t.until('watch says it', async () => heardMs !== null)
        return `${((heardMs ?? 0) - begun).toFixed(1)} ms`
      } finally {
        stop?.()
      }
    },
  },
  {
    id: 'offline',
    title: 'offline leaves nothing running; again it is success (S-40)',
    run: async (t) => {
      t.need('offline')
      await t.online()
      for (let again = 0; again < 2; again += 1) {
        await t.offline()
        nothingRuns(t, 'offline')
        const [answer] = await t.ask()
        if (answer?.status === 'online') throw new Error('isAlive says online after offline')
      }
      return undefined
    },
  },
  {
    id: 'terminate',
    title: 'terminate leaves nothing running; again it is success (S-41)',
    run: async (t) => {
      t.need('terminate')
      await t.online()
      for (let again = 0; again < 2; again += 1) {
        await t.offline('terminate')
        nothingRuns(t, 'terminate')
      }
      return undefined
    },
  },
  {
    id: 'cancelled',
    title: 'an online that was given up starts nothing (S-72)',
    run: async (t) => {
      t.need('online')
      await t.subject.others?.down()
      const gone = t.call(1, t.guid, AbortSignal.abort(new Error('given up')))
      await t.within('online', t.module.online?.(gone) ?? Promise.resolve()).catch(() => {})
      nothingRuns(t, 'a cancelled online')
      if (t.subject.others) return undefined
      const [answer] = await t.ask()
      if (answer?.status === 'online') throw new Error('isAlive says online')
      return undefined
    },
  },
  {
    id: 'lets-others-run',
    title: `it keeps nobody waiting for more than ${BLOCKED_MAX_MS} ms (S-28, S-32)`,
    run: async (t) => {
      const blocked = Math.round(t.blockedMs())
      if (blocked > BLOCKED_MAX_MS)
        throw new Error(`for ${blocked} ms nothing else could run in its monitor`)
      return `${blocked} ms at most`
    },
  },
]

export interface Verdict {
  readonly id: string
  readonly title: string
  readonly verdict: 'kept' | 'broken' | 'notApplicable'
  /** What was measured, or what is wrong. */
  readonly detail: string
}

/** Runs all checks in their order; told of each before and after. */
export async function runContract(
  subject: Subject,
  tell: { begins?: (check: Check) => void; ended?: (verdict: Verdict) => void } = {},
): Promise<Verdict[]> {
  const trial = new Trial(subject)
  const verdicts: Verdict[] = []
  for (const check of CONTRACT) {
    tell.begins?.(check)
    const verdict = await judge(check, trial)
    verdicts.push(verdict)
    tell.ended?.(verdict)
  }
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
