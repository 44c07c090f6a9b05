/**
 * A connection between a host and the Durable Object, with the network in between: ordered, late,
 * lost as a whole, or open at one end only. `ObjectSocket` is the end that workerd holds.
 */
import { copyOf, frozen } from './copy.ts'
import type { Actor, Kernel } from './kernel.ts'

/** What a host's network does to its packets; both ways apart. */
export interface Weather {
  /** To the object, and from it: false holds everything back, as a partition does. */
  up: boolean
  down: boolean
  /** Of a segment: that it is lost, and sent again later. */
  loss: number
  delayMs(): number
}

export interface HostEnd {
  readonly actor: Actor
  opened(): void
  message(text: string): void
  closed(code: number, reason: string): void
  refused(status: number, headers: Record<string, string>, text: string): void
}

export interface ObjectEnd {
  message(socket: ObjectSocket, text: string): void
  closed(socket: ObjectSocket): void
  /** Whether what it says waits for a commit that will never be. */
  isGated(): boolean
}

/** How often a way that is blocked is tried again, and what is lost is sent again: as TCP does. */
const RETRANSMIT_MS = 200

/** One way of one connection. What is held back arrives in its order once the way is free. */
class Way {
  readonly #kernel: Kernel
  readonly #weather: Weather
  readonly #open: () => boolean
  readonly #queue: (() => void)[] = []
  #lastMs = 0
  #waiting = false
  /** Something in the middle holds this connection back, and no other. */
  stalledUntilMs = 0
  /** Whoever carried it has forgotten it: nothing arrives any more. */
  dead = false

  constructor(kernel: Kernel, weather: Weather, open: () => boolean) {
    this.#kernel = kernel
    this.#weather = weather
    this.#open = open
  }

  send(deliver: () => void): void {
    if (this.dead) return
    if (this.#queue.length === 0 && this.#free()) return this.#deliver(deliver)
    this.#queue.push(deliver)
    this.#go()
  }

  #free(): boolean {
    return this.#open() && this.#kernel.nowMs >= this.stalledUntilMs
  }

  #go(): void {
    if (this.#waiting || this.dead) return
    if (!this.#free()) {
      this.#waiting = true
      this.#kernel.at(this.#kernel.nowMs + RETRANSMIT_MS, null, () => {
        this.#waiting = false
        this.#go()
      })
      return
    }
    for (const deliver of this.#queue.splice(0)) this.#deliver(deliver)
  }

  #deliver(deliver: () => void): void {
    const { random } = this.#kernel
    let delayMs = this.#weather.delayMs()
    for (let again = RETRANSMIT_MS; random.chance(this.#weather.loss); again *= 2) delayMs += again
    // One connection keeps its order, whatever the delay of each segment.
    this.#lastMs = Math.max(this.#lastMs, this.#kernel.nowMs + delayMs)
    this.#kernel.at(this.#lastMs, null, deliver)
  }
}

/** What happens to the connection at one frame: it breaks, and that is the last that does not arrive. */
export interface Trap {
  /** `t` of the frame, or `ping` or `pong`. */
  readonly frame: string
  /** Both ends hear of it, or neither does. */
  readonly loud: boolean
  /** Not the frame is lost: it arrives so much later, when the host has long been told of the end. */
  readonly lateMs?: number
}

export class ObjectSocket {
  readyState = 1
  tags: readonly string[] = []
  /** When the runtime last answered a ping on it, by the clock of the machine it runs on. */
  answeredAt: Date | null = null
  readonly hostName: string
  readonly #kernel: Kernel
  readonly #toHost: Way
  readonly #toObject: Way
  readonly #host: HostEnd
  #object: ObjectEnd | null = null
  #attachment: unknown = null
  #hostOpen = true
  #trap: Trap | null = null

  constructor(kernel: Kernel, hostName: string, weather: Weather, host: HostEnd) {
    this.#kernel = kernel
    this.hostName = hostName
    this.#host = host
    this.#toHost = new Way(kernel, weather, () => weather.down)
    this.#toObject = new Way(kernel, weather, () => weather.up)
  }

  accepted(object: ObjectEnd, tags: readonly string[]): void {
    this.#object = object
    this.tags = tags
    // The response comes before everything that is said on it.
    this.answer(() => this.#host.opened())
  }

  /** The request to open it, and the answer to that: on the same ways as all that follows. */
  request(arrives: () => void): void {
    this.#toObject.send(arrives)
  }

  answer(arrives: () => void): void {
    this.#toHost.send(() => this.#host.actor.deliver(arrives))
  }

  // ── What the network does to it ──────────────────────────────────────────────────────────────

  set trap(trap: Trap) {
    this.#trap = trap
  }

  stall(way: 'up' | 'down', forMs: number): void {
    const which = way === 'up' ? this.#toObject : this.#toHost
    which.stalledUntilMs = Math.max(which.stalledUntilMs, this.#kernel.nowMs + forMs)
  }

  /** Something in between forgets it: each end that is told is reset, the other knows nothing. */
  break(told: { host: boolean; object: boolean }): void {
    if (told.host) this.#endHost(1006, 'reset')
    if (told.object) this.#endObject()
    this.#toObject.dead = true
    this.#toHost.dead = true
  }

  #springs(text: string): boolean {
    const trap = this.#trap
    if (!trap || (text !== trap.frame && !text.startsWith(`{"t":"${trap.frame}"`))) return false
    this.#trap = null
    if (trap.lateMs !== undefined) {
      this.stall('up', trap.lateMs)
      this.#endHost(1006, 'reset')
      return false
    }
    this.break({ host: trap.loud, object: trap.loud })
    return true
  }

  // ── The object's side ────────────────────────────────────────────────────────────────────────

  send(text: string): void {
    if (this.readyState !== 1) throw new Error('the socket is not open')
    if (!this.#object?.isGated()) this.autoAnswer(text)
  }

  /** The runtime's own answer: no event, no storage, no gate. */
  autoAnswer(text: string): void {
    if (this.#trap && this.#springs(text)) return
    this.#toHost.send(() => {
      if (this.#hostOpen) this.#host.actor.deliver(() => this.#hostOpen && this.#host.message(text))
    })
  }

  close(code: number, reason: string): void {
    if (this.readyState !== 1) return
    this.readyState = 3
    if (!this.#object?.isGated()) this.#toHost.send(() => this.#endHost(code, reason))
  }

  serializeAttachment(value: unknown): void {
    this.#attachment = frozen(copyOf(value))
  }

  /** Read far more often than written: the same object each time, that nobody can change. */
  deserializeAttachment(): unknown {
    return this.#attachment
  }

  /** Its machine is gone: nothing is said to anybody; the host finds out by itself, or is reset. */
  vanish(resets: boolean): void {
    this.readyState = 3
    if (resets) this.#toHost.send(() => this.#endHost(1006, 'reset'))
  }

  // ── The host's side ──────────────────────────────────────────────────────────────────────────

  fromHost(text: string): void {
    if (this.#trap && this.#springs(text)) return
    this.#toObject.send(() => {
      // What was under way when the host closed arrives all the same.
      if (this.readyState === 1) this.#object?.message(this, text)
    })
  }

  /** The host closes, or dies: `silently` when not even a reset gets out. */
  endedByHost(silently: boolean): void {
    this.#hostOpen = false
    if (!silently) this.#toObject.send(() => this.#endObject())
  }

  #endObject(): void {
    if (this.readyState !== 1) return
    this.readyState = 3
    this.#object?.closed(this)
  }

  #endHost(code: number, reason: string): void {
    if (!this.#hostOpen) return
    this.#hostOpen = false
    this.#host.actor.soon(() => this.#host.closed(code, reason))
  }
}
