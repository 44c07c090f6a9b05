/** What the module keeps of one unit between calls. */
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import type { Systemd, UnitEnd, UnitNews } from './manager.ts'
import {
  afterJobNew,
  afterJobRemoved,
  afterState,
  isDown,
  NEW_RUN,
  type Run,
  type Verdict,
} from './verdict.ts'

/** How long systemd may take to say that somebody has asked for a clean end. */
const REASON_MS = 100
/** Signals may be lost with a connection, so a job is looked at too. */
const LOOK_AGAIN_MS = 1_000
/** Ends of jobs that nobody has asked about yet. */
const ENDS_KEPT = 20

const known = z.object({
  ActiveState: z.string().optional(),
  SubState: z.string().optional(),
  Result: z.string().optional(),
  ExecMainCode: z.int().optional(),
  ExecMainStatus: z.int().optional(),
})

export class HeldUnit {
  readonly unit: string
  run: Run = NEW_RUN
  readonly #systemd: Systemd
  readonly #forget: () => void
  /** The cluster itself is at it, or has stopped it: what happens is no news. */
  #ours = false
  #end: UnitEnd | null = null
  #subState = ''
  #jobEnds = new Map<string, string>()
  #wake = () => {}
  #tell: ((verdict: Verdict) => void) | null = null
  #timer: NodeJS.Timeout | undefined

  constructor(unit: string, systemd: Systemd) {
    this.unit = unit
    this.#systemd = systemd
    this.#forget = systemd.watch(unit, (news) => this.#take(news))
  }

  /** The cluster starts it: what becomes of it afterwards is news again. */
  async start<T>(work: () => Promise<T>): Promise<T> {
    this.#ours = true
    this.run = NEW_RUN
    try {
      return await work()
    } finally {
      this.#ours = false
      // Its end may have come while the start was still being looked at.
      this.#look(true)
    }
  }

  /** The cluster stops it: it is no news that it ends, now or later. */
  stopping(): void {
    this.#ours = true
    clearTimeout(this.#timer)
    this.run = NEW_RUN
  }

  watch(tell: (verdict: Verdict) => void): () => void {
    this.#tell = tell
    return () => {
      if (this.#tell === tell) this.#tell = null
    }
  }

  forget(): void {
    clearTimeout(this.#timer)
    this.#tell = null
    this.#forget()
  }

  /**
   * @returns how the job has ended, as systemd names it
   * @throws {Error} the signal was aborted first
   */
  async jobEnd(
    job: string,
    signal: AbortSignal,
    progress: (note: string) => void,
  ): Promise<string> {
    let told = ''
    for (;;) {
      const result = this.#jobEnds.get(job)
      if (result !== undefined) {
        this.#jobEnds.delete(job)
        return result
      }
      if (this.#subState !== told) {
        told = this.#subState
        progress(`${this.unit}: ${told}`)
      }
      const heard = new Promise<'heard'>((resolve) => {
        this.#wake = () => resolve('heard')
      })
      const over = new AbortController()
      const late = sleep(LOOK_AGAIN_MS, 'late', { signal: AbortSignal.any([signal, over.signal]) })
      const first = await Promise.race([heard, late.catch(() => 'ended')])
      over.abort()
      signal.throwIfAborted()
      if (first === 'late' && !this.#jobEnds.has(job)) {
        const { jobId, activeState } = await this.#systemd.state(this.unit, { signal })
        if (jobId !== Number(job.split('/').at(-1))) return isDown(activeState) ? 'failed' : 'done'
      }
    }
  }

  #take(news: UnitNews): void {
    switch (news.type) {
      case 'jobNew':
        if (!this.#ours) this.run = afterJobNew(this.run, news.job)
        return
      case 'jobRemoved':
        this.#jobEnds.set(news.job, news.result)
        for (const old of [...this.#jobEnds.keys()].slice(0, -ENDS_KEPT)) this.#jobEnds.delete(old)
        this.#become(afterJobRemoved(this.run, news.job, news.result))
        this.#look(true)
        break
      case 'changed':
        this.#learn(news.properties)
        break
    }
    this.#wake()
  }

  #learn(properties: Readonly<Record<string, unknown>>): void {
    const { data = {} } = known.safeParse(properties)
    const { ActiveState, SubState, Result, ExecMainCode, ExecMainStatus } = data
    // Of the service first, then of the unit: so the reason is known when the end is told.
    if (Result !== undefined)
      this.#end = { result: Result, code: ExecMainCode ?? 0, status: ExecMainStatus ?? 0 }
    if (SubState !== undefined) this.#subState = SubState
    if (ActiveState === undefined) return
    this.run = { ...this.run, activeState: ActiveState }
    this.#look(true)
  }

  #look(patience: boolean): void {
    const { activeState, verdict } = this.run
    if (this.#ours || activeState === '' || (verdict !== null && isDown(activeState))) return
    clearTimeout(this.#timer)
    const end = this.#end ?? { result: 'success', code: 0, status: 0 }
    this.#become(afterState(this.run, activeState, end, patience))
    if (isDown(activeState) && this.run.verdict === null && this.run.foreign.length === 0)
      this.#timer = setTimeout(() => this.#look(false), REASON_MS)
  }

  #become(run: Run): void {
    const news = this.run.verdict === null && run.verdict !== null && !this.#ours
    this.run = run
    if (!news || run.verdict === null) return
    clearTimeout(this.#timer)
    this.#tell?.(run.verdict)
  }
}
