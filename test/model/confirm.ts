/**
 * Authority confirms that are answered together behind one storage write (L6), with instances that were
 * replaced and do not know it. Several holders, one group each.
 */
import type { Emit, Model, Removed } from './model.ts'
import { at, range, record } from './record.ts'
import { type State, Stepper } from './stepper.ts'

export type ConfirmRule = 'earlierWrite' | 'noWrite' | 'graceFromStart'

export interface ConfirmConfig {
  readonly removed?: Removed<ConfirmRule>
  /** Longest real life of the authority lease, in ticks. */
  readonly lease?: number
}

const HOLDERS = 2

/**
 * Writes: 0 none, 1 begun, 2 committed and its completion not yet seen. `starting`: a new instance has
 * started but holds no storage yet.
 */
const OBJECT = record(['oldWrite', 'newWrite', 'starting', 'startingAge'])

/**
 * `session` is with 0 nobody, 1 the old, 2 the current instance. `request`: 0 none, 1 under way, 2
 * arrived; `early`: it had arrived when the running write began. `confirmAge` is on the object's clock,
 * since its last answer or since D5.
 */
const HOLDER = record([
  'leaseAge',
  'session',
  'request',
  'early',
  'requestAge',
  'running',
  'confirmAge',
])

const OLD_INSTANCE = 1
const CURRENT_INSTANCE = 2

const STOPPED = 0
const HERE = 1
const ELSEWHERE = 2
const ON_BOTH = 3

interface ConfirmState extends State {
  readonly object: ReturnType<typeof OBJECT.on>
  readonly holders: readonly ReturnType<typeof HOLDER.on>[]
}

const SIZE = OBJECT.size + HOLDERS * HOLDER.size

function makeState(): ConfirmState {
  const bytes = new Uint8Array(SIZE)
  const holders = range(HOLDERS, (h) => HOLDER.on(bytes, OBJECT.size + h * HOLDER.size))
  return { bytes, object: OBJECT.on(bytes, 0), holders }
}

export class ConfirmModel implements Model {
  readonly size = SIZE
  readonly #removed: Removed<ConfirmRule>
  readonly #lease: number
  /** W(TTL_A): strictly more than the lease. */
  readonly #wait: number
  readonly #stepper: Stepper<ConfirmState>
  readonly #seen = makeState()

  constructor(config: ConfirmConfig) {
    this.#removed = config.removed ?? {}
    this.#lease = config.lease ?? 1
    this.#wait = this.#lease + 1
    this.#stepper = new Stepper(makeState, (state) => this.#normalise(state))
  }

  initial(): Uint8Array {
    const state = makeState()
    for (const holder of state.holders) {
      holder.running = HERE
      holder.session = CURRENT_INSTANCE
    }
    return state.bytes
  }

  #normalise({ object, holders }: ConfirmState): void {
    if (!object.starting) object.startingAge = 0
    for (const holder of holders) {
      if (!holder.session) holder.request = 0
      if (!holder.request) holder.early = holder.requestAge = 0
      if (holder.running) continue
      holder.leaseAge = this.#lease + 1
      holder.session = holder.request = holder.early = holder.requestAge = 0
    }
  }

  steps(state: Uint8Array, emit: Emit): void {
    this.#stepper.begin(state, emit)
    this.#time()
    this.#newInstance()
    this.#writes('oldWrite', OLD_INSTANCE, 'superseded instance')
    this.#writes('newWrite', CURRENT_INSTANCE, 'current instance')
    for (let h = 0; h < HOLDERS; h += 1) this.#holder(h)
  }

  /** Time stops only for what a holder does in time: it lapses before its lease has run out. */
  #time(): void {
    const { now } = this.#stepper
    if (now.holders.some((h) => h.running === HERE && h.leaseAge >= this.#lease)) return
    this.#stepper.step('tick', ({ object, holders }) => {
      if (object.starting) object.startingAge = Math.min(this.#wait, object.startingAge + 1)
      for (const holder of holders) {
        holder.leaseAge = Math.min(this.#lease + 1, holder.leaseAge + 1)
        holder.confirmAge = Math.min(this.#wait, holder.confirmAge + 1)
        if (!holder.request) continue
        holder.requestAge += 1
        if (holder.requestAge > this.#lease) holder.request = 0
      }
    })
  }

  #newInstance(): void {
    const { now } = this.#stepper
    if (!now.object.starting) {
      this.#stepper.step('!a new instance of the DO starts elsewhere', ({ object }) => {
        object.starting = 1
      })
      return
    }
    this.#stepper.step(
      'first write of the new instance is durable: it is current, every Up node counts as confirmed now (D5)',
      ({ object, holders }) => {
        object.oldWrite = object.newWrite === 2 ? 2 : 0
        object.newWrite = 0
        object.starting = 0
        for (const holder of holders) {
          if (holder.session === OLD_INSTANCE) holder.request = 0
          holder.session = holder.session === CURRENT_INSTANCE ? OLD_INSTANCE : 0
          holder.confirmAge = this.#removed.graceFromStart ? now.object.startingAge : 0
        }
      },
    )
  }

  #writes(write: 'oldWrite' | 'newWrite', instance: number, name: string): void {
    const stage = this.#stepper.now.object[write]
    if (stage === 0)
      this.#stepper.step(`${name} begins a storage write`, ({ object, holders }) => {
        object[write] = 1
        for (const holder of holders)
          if (holder.session === instance) holder.early = holder.request === 2 ? 1 : 0
      })
    if (stage === 1 && instance === CURRENT_INSTANCE)
      this.#stepper.step('the write is committed', ({ object }) => {
        object[write] = 2
      })
    if (stage === 1 && instance === OLD_INSTANCE)
      this.#stepper.step('the write of the superseded instance fails', ({ object }) => {
        object[write] = 0
      })
    if (stage === 2 || (this.#removed.noWrite && stage === 1)) this.#answers(write, instance, name)
  }

  /** L6: answers what had arrived when the write began, and nothing younger. */
  #answers(write: 'oldWrite' | 'newWrite', instance: number, name: string): void {
    const any = this.#removed.earlierWrite
    const which = any
      ? 'all waiting requests'
      : 'the requests that had arrived when the write began'
    this.#stepper.step(`${name} sees the completion and answers ${which}`, (next) => {
      next.object[write] = 0
      for (const holder of next.holders) {
        if (holder.session !== instance || holder.request !== 2 || !(holder.early || any)) continue
        holder.leaseAge = Math.min(holder.leaseAge, holder.requestAge)
        holder.request = 0
        if (instance === CURRENT_INSTANCE) holder.confirmAge = 0
      }
    })
  }

  #holder(h: number): void {
    const now = at(this.#stepper.now.holders, h)
    const step = (label: string, change: (holder: typeof now) => void) =>
      this.#stepper.step(label, (next) => change(at(next.holders, h)))
    const name = `n${h}`
    if (now.running === HERE && now.session && !now.request)
      step(`${name} sends confirm`, (holder) => {
        holder.request = 1
        holder.requestAge = 0
      })
    if (now.request === 1)
      step(
        `confirm of ${name} arrives at the ${now.session === OLD_INSTANCE ? 'superseded' : 'current'} instance`,
        (holder) => {
          holder.request = 2
        },
      )
    if (now.running === HERE && now.session !== CURRENT_INSTANCE)
      step(`${name} gets a session with the current instance`, (holder) => {
        holder.session = CURRENT_INSTANCE
        holder.request = 0
      })
    if (now.session)
      step(`!${name} loses its session`, (holder) => {
        holder.session = 0
      })
    if (now.running === HERE && now.leaseAge >= this.#lease)
      step(`${name} lapses and stops`, (holder) => {
        holder.running = STOPPED
      })
    const late = now.confirmAge >= this.#wait && now.session !== CURRENT_INSTANCE
    if ((now.running === STOPPED || now.running === HERE) && late)
      step(`DO gives the group of ${name} to another node`, (holder) => {
        holder.running = holder.running === HERE ? ON_BOTH : ELSEWHERE
      })
    if (now.running === ELSEWHERE)
      step(`the group comes back to ${name} (confirmed)`, (holder) => {
        holder.running = HERE
        holder.session = CURRENT_INSTANCE
        holder.leaseAge = holder.confirmAge = 0
      })
  }

  broken(state: Uint8Array): string | null {
    this.#seen.bytes.set(state)
    return this.#seen.holders.some((h) => h.running === ON_BOTH) ? 'I1 dual ownership' : null
  }

  settled(state: Uint8Array): boolean {
    this.#seen.bytes.set(state)
    return this.#seen.holders.every((h) => h.running === HERE && h.session === CURRENT_INSTANCE)
  }
}
