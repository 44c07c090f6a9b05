/**
 * Virtual time. Everything that runs in the simulation is an actor with clocks of its own: one that
 * counts from boot and drifts, and a wall clock that steps. Production code asks the globals it
 * always asks (`Date.now`, `setTimeout`, `performance.now`); whose clock answers is told by the
 * asynchronous context it runs in. One seed gives one history.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { Random } from './random.ts'

type Context = ReturnType<typeof AsyncLocalStorage.snapshot>

const current = new AsyncLocalStorage<Actor>()
/** Whose turn it is; null between turns, when what was awaited goes on. */
let running: Actor | null = null
let playing = false

/** Whoever has a clock and may die: a process of a host, an instance of the Durable Object. */
export class Actor {
  readonly name: string
  readonly kernel: Kernel
  /** Seconds of its clock per true second: 1 ± ρ. */
  readonly rate: number
  /** What its wall clock is ahead of the true time by; steps. */
  wallOffsetMs: number
  /** Its boot clock at the true time `bootTrueMs`. */
  readonly #bootTrueMs: number
  alive = true
  /** What its platform makes of an error that nobody caught; true: that was all. */
  onError: (error: unknown) => boolean = () => false
  /** Nothing of it runs before this instant (true time): stopped, or very slow. */
  frozenUntilMs = 0

  constructor(
    kernel: Kernel,
    name: string,
    clock: { rate: number; wallOffsetMs: number; bootTrueMs: number },
    awaits = true,
  ) {
    this.kernel = kernel
    this.name = name
    this.rate = clock.rate
    this.wallOffsetMs = clock.wallOffsetMs
    this.#bootTrueMs = clock.bootTrueMs
    this.#context = awaits ? current.run(this, () => AsyncLocalStorage.snapshot()) : null
  }

  /** Milliseconds since the boot of its machine, by its own clock. */
  get bootMs(): number {
    return (this.kernel.nowMs - this.#bootTrueMs) * this.rate
  }

  get wallMs(): number {
    return EPOCH_MS + this.kernel.nowMs * this.rate + this.wallOffsetMs
  }

  /**
   * The asynchronous context of what it awaits, made once: another one for each turn would cost as
   * much as most turns. Null for an actor that awaits nothing, and needs none.
   */
  readonly #context: Context | null

  /** Runs now, as this actor. What it leaves behind (timers, promises) is of this actor too. */
  run<T>(work: () => T): T {
    const before = running
    running = this
    try {
      return this.#context ? this.#context(work) : work()
    } finally {
      running = before
    }
  }

  /** Timers of it that have not rung: while there are any, the platform lets nobody sleep. */
  timers = 0

  /** A timer that its own code has set. */
  timer(ms: number, work: () => void): Timer {
    this.timers += 1
    return this.after(ms, () => {
      this.timers -= 1
      work()
    })
  }

  /** After so many milliseconds of its own clock, if it still lives then. */
  after(ms: number, work: () => void): Timer {
    return this.kernel.at(this.kernel.nowMs + Math.max(0, ms) / this.rate, this, work)
  }

  /** Something has reached it: in this turn, unless it stands still. */
  deliver(work: () => void): void {
    if (!this.alive) return
    if (this.frozenUntilMs > this.kernel.nowMs) return void this.soon(work)
    try {
      this.run(work)
    } catch (error) {
      this.kernel.caught(this, error)
    }
  }

  /** At once, but in a turn of its own. */
  soon(work: () => void): Timer {
    return this.kernel.at(this.kernel.nowMs, this, work)
  }

  die(): void {
    this.alive = false
  }
}

export interface Timer {
  cancelled: boolean
}

interface Entry extends Timer {
  atMs: number
  readonly order: number
  readonly actor: Actor | null
  readonly work: () => void
}

/** 2026-01-01T00:00:00Z: wall clocks begin near it. */
export const EPOCH_MS = 1_767_225_600_000

/** The actor whose code is running, or null outside of the simulation. */
export const actorNow = (): Actor | null => running ?? current.getStore() ?? null

/** Within a turn there is always somebody: a promise of an actor that awaits nothing has lost its clock. */
export const somebodyNow = (): Actor | null => {
  const actor = actorNow()
  if (!actor && playing)
    throw new Error('nobody: an actor that awaits nothing has awaited something')
  return actor
}

export class Kernel {
  readonly random: Random
  /** True time, milliseconds since the beginning. */
  nowMs = 0
  /** Turns taken so far: a history that spins is seen by it. */
  turns = 0
  /** Somebody has seen enough: nothing goes on. */
  stopped = false
  #windowMs = 0
  #windowTurns = 0
  /** What went wrong in the code under test, by actor. */
  readonly faults: { atMs: number; actor: string; error: unknown }[] = []
  /** What processes write to their standard error. */
  complained: (actor: Actor, text: string) => void = () => {}
  #order = 0
  readonly #queue: Entry[] = []

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  at(atMs: number, actor: Actor | null, work: () => void): Timer {
    const entry: Entry = {
      atMs: Math.max(atMs, this.nowMs),
      order: this.#order,
      actor,
      work,
      cancelled: false,
    }
    this.#order += 1
    push(this.#queue, entry)
    return entry
  }

  /** Runs until the true time `endMs`. Between two turns all promises have settled. */
  runUntil(endMs: number): Promise<void> {
    // From a callback of the event loop: microtasks are not run from within a microtask.
    return new Promise((resolve, reject) => {
      immediate(() => {
        playing = true
        try {
          this.#run(endMs)
          resolve()
        } catch (error) {
          reject(error)
        } finally {
          playing = false
        }
      })
    })
  }

  #run(endMs: number): void {
    for (;;) {
      const next = this.#queue[0]
      if (!next || next.atMs > endMs) break
      if (this.stopped) return
      pop(this.#queue)
      if (next.cancelled || next.actor?.alive === false) continue
      if (next.actor && next.actor.frozenUntilMs > next.atMs) {
        // What comes to a frozen actor waits in front of it, in its order.
        next.atMs = next.actor.frozenUntilMs
        push(this.#queue, next)
        continue
      }
      this.nowMs = next.atMs
      this.turns += 1
      this.#count()
      this.#turn(next)
      settle()
    }
    this.nowMs = Math.max(this.nowMs, endMs)
  }

  /** Nothing spins: a second has so many turns and no more. */
  #count(): void {
    this.#windowTurns += 1
    if (this.nowMs - this.#windowMs >= 1_000) {
      this.#windowMs = this.nowMs
      this.#windowTurns = 0
    }
    if (this.#windowTurns > SPINNING) throw new Spins(this.nowMs)
  }

  #turn({ actor, work }: Entry): void {
    try {
      if (actor) actor.run(work)
      else work()
    } catch (error) {
      this.caught(actor, error)
    }
  }

  /** An error that the code under test did not catch. */
  caught(actor: Actor | null, error: unknown): void {
    if (actor?.onError(error)) return
    this.faults.push({ atMs: this.nowMs, actor: actor?.name ?? 'world', error })
  }
}

/** Turns within a second; a storm of 64 nodes has fewer. */
const SPINNING = 100_000

export class Spins extends Error {
  constructor(atMs: number) {
    super(`SPINS: ${SPINNING} turns within a second at ${Math.round(atMs)} ms`)
  }
}

const immediate = globalThis.setImmediate

/**
 * All promises that can go on have gone on. What Node.js itself does between two callbacks, called
 * by hand: a turn of the event loop instead costs more than the turns of most actors.
 */
const settle = (process as unknown as { _tickCallback: () => void })._tickCallback

function before(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!before(entry, heap[parent] as Entry)) break
    heap[at] = heap[parent] as Entry
    at = parent
  }
  heap[at] = entry
}

function pop(heap: Entry[]): void {
  const last = heap.pop()
  if (!last || heap.length === 0) return
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry))
      child += 1
    if (!before(heap[child] as Entry, last)) break
    heap[at] = heap[child] as Entry
    at = child
  }
  heap[at] = last
}
