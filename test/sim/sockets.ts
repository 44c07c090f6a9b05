/**
 * A connection between a host and the Durable Object, with the network in between: ordered, late,
 * lost as a whole, or open at one end only. `ObjectSocket` is the end that workerd holds.
 */
import type { Actor, Kernel } from './kernel.ts'

/** What a host's network does to its packets; both ways apart. */
export interface Weather {
  /** To the object, and from it: false holds everything back, as a partition does. */
  up: boolean
  down: boolean
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
}

/** A segment that has not arrived: held back, it arrives in its order once the way is free. */
interface Segment {
  readonly deliver: () => void
}

/** How often a way that is blocked is tried again: TCP retransmits. */
const RETRANSMIT_MS = 200

class Way {
  readonly #kernel: Kernel
  readonly #open: () => boolean
  readonly #delayMs: () => number
  readonly #queue: Segment[] = []
  #lastMs = 0
  #waiting = false

  constructor(kernel: Kernel, open: () => boolean, delayMs: () => number) {
    this.#kernel = kernel
    this.#open = open
    this.#delayMs = delayMs
  }

  send(deliver: () => void): void {
    this.#queue.push({ deliver })
    this.#go()
  }

  #go(): void {
    if (this.#waiting) return
    if (!this.#open()) {
      this.#waiting = true
      this.#kernel.at(this.#kernel.nowMs + RETRANSMIT_MS, null, () => {
        this.#waiting = false
        this.#go()
      })
      return
    }
    for (const { deliver } of this.#queue.splice(0)) {
      // One connection keeps its order, whatever the delay of each segment.
      this.#lastMs = Math.max(this.#lastMs, this.#kernel.nowMs + this.#delayMs())
      this.#kernel.at(this.#lastMs, null, deliver)
    }
  }
}

export class ObjectSocket {
  readyState = 1
  tags: readonly string[] = []
  /** When the runtime last answered a ping on it, by the clock of the machine it runs on. */
  answeredAt: Date | null = null
  readonly hostName: string
  readonly #toHost: Way
  readonly #toObject: Way
  readonly #host: HostEnd
  #object: ObjectEnd | null = null
  #attachment: string | null = null
  #hostOpen = true

  constructor(kernel: Kernel, hostName: string, weather: Weather, host: HostEnd) {
    this.hostName = hostName
    this.#host = host
    const delay = () => weather.delayMs()
    this.#toHost = new Way(kernel, () => weather.down, delay)
    this.#toObject = new Way(kernel, () => weather.up, delay)
  }

  accepted(object: ObjectEnd, tags: readonly string[]): void {
    this.#object = object
    this.tags = tags
  }

  // ── The object's side ────────────────────────────────────────────────────────────────────────

  send(text: string): void {
    if (this.readyState !== 1) throw new Error('the socket is not open')
    this.#toHost.send(() => this.#host.actor.soon(() => this.#hostOpen && this.#host.message(text)))
  }

  close(code: number, reason: string): void {
    if (this.readyState !== 1) return
    this.readyState = 3
    this.#toHost.send(() => this.#endHost(code, reason))
  }

  serializeAttachment(value: unknown): void {
    this.#attachment = JSON.stringify(value)
  }

  deserializeAttachment(): unknown {
    return this.#attachment === null ? null : JSON.parse(this.#attachment)
  }

  /** Its machine is gone: nothing is said to anybody; the host finds out by itself, or is reset. */
  vanish(resets: boolean): void {
    this.readyState = 3
    if (resets) this.#toHost.send(() => this.#endHost(1006, 'reset'))
  }

  // ── The host's side ──────────────────────────────────────────────────────────────────────────

  fromHost(text: string): void {
    this.#toObject.send(() => {
      // What was under way when the host closed arrives all the same.
      if (this.readyState === 1) this.#object?.message(this, text)
    })
  }

  /** The host closes, or dies: `silently` when not even a reset gets out. */
  endedByHost(silently: boolean): void {
    this.#hostOpen = false
    if (silently) return
    this.#toObject.send(() => {
      if (this.readyState !== 1) return
      this.readyState = 3
      this.#object?.closed(this)
    })
  }

  #endHost(code: number, reason: string): void {
    if (!this.#hostOpen) return
    this.#hostOpen = false
    this.#host.actor.soon(() => this.#host.closed(code, reason))
  }
}
