/** The node's one socket to its cluster's object (S1), with pings and confirms (L1, L3). */
import WebSocket from 'ws'
import type { Refusal } from '../../schema/errors.ts'
import {
  ATTEMPT_HEADER,
  type NodeFrame,
  type ObjectFrame,
  objectFrame,
} from '../../schema/session.ts'
import type { Timing } from '../../schema/timing.ts'
import { bootMs } from '../clock.ts'
import type { ClockSample } from '../core/host-clock.ts'
import { refusedByHttp } from './refused.ts'

export interface LinkEvents {
  /** The socket is open, from this address of this host. */
  reachedFrom(address: string): void
  frame(frame: ObjectFrame): void
  /** @param refused the control plane gave this answer instead of a socket */
  closed(why: string, refused?: { refusal: Refusal; lastAttempt: number | null }): void
  /** Every so often while the leases run: it is time for a ping, whether or not one is sent. */
  ticked(everyMs: number): void
  /** A lease was renewed by a request sent at this time (L1). */
  renewed(lease: 'pong' | 'authority', sentAtMs: number): void
  /** S-13: a confirm was answered, with these times of both sides. */
  sampled(sample: ClockSample): void
}

/** A connection that does not open in this time is given up. */
const OPEN_TIMEOUT_MS = 5_000
/** Of an answer that is no socket, this much is read. */
const ANSWER_LENGTH_MAX = 10_000
/** Nor one that is open and has led to no welcome in this time: its other end may be gone. */
const WELCOME_TIMEOUT_MS = 15_000

export class Link {
  readonly #events: LinkEvents
  readonly #ws: WebSocket
  #pingSentAt: number | null = null
  #confirms = new Map<number, number>()
  #nextConfirm = 1
  #timers: NodeJS.Timeout[] = []
  #closed = false

  constructor(url: string, headers: Record<string, string>, events: LinkEvents) {
    this.#events = events
    this.#ws = new WebSocket(url, { headers, handshakeTimeout: OPEN_TIMEOUT_MS })
    this.#timers.push(setTimeout(() => this.close('no welcome in time'), WELCOME_TIMEOUT_MS))
    this.#ws.on('upgrade', ({ socket }) => {
      if (socket.localAddress !== undefined) events.reachedFrom(socket.localAddress)
    })
    this.#ws.on('message', (data, binary) => {
      if (!binary && !this.#closed) this.#message(String(data))
    })
    this.#ws.on('close', (code, reason) => this.close(`closed (${code} ${reason})`))
    this.#ws.on('error', (error) => this.close(error.message))
    this.#ws.on('unexpected-response', (_, response) => {
      let text = ''
      response.on('data', (chunk) => {
        if (text.length < ANSWER_LENGTH_MAX) text += chunk
      })
      response.on('error', (error) => this.close(error.message))
      response.on('end', () => {
        const { statusCode = 0, headers } = response
        const refusal = refusedByHttp(statusCode, text, headers['content-type'] ?? '')
        const last = Number(headers[ATTEMPT_HEADER] ?? Number.NaN)
        const lastAttempt = Number.isSafeInteger(last) ? last : null
        this.close(`refused: ${refusal.message} [${refusal.code}]`, { refusal, lastAttempt })
      })
    })
  }

  /** For how long the last ping has been waiting for its answer; 0 when none does. */
  get unansweredMs(): number {
    return this.#pingSentAt === null ? 0 : bootMs() - this.#pingSentAt
  }

  send(frame: NodeFrame): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(JSON.stringify(frame))
  }

  /**
   * After the welcome. Pings: one outstanding at a time, so that a pong belongs to it. Confirms on
   * the control plane's clock, so that those of all nodes meet and share one write (L6).
   */
  startLeases(timing: Timing, offsetMs: number): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer)
    const tooLateMs = timing.ttlMs - timing.stopMs
    this.#ping(tooLateMs)
    this.#events.ticked(timing.pingMs)
    this.#timers.push(
      setInterval(() => {
        this.#events.ticked(timing.pingMs)
        this.#ping(tooLateMs)
      }, timing.pingMs),
    )
    this.#confirm()
    const every = Math.floor(timing.ttlAuthorityMs / 3)
    const untilNext = every - ((Date.now() + offsetMs) % every)
    this.#timers.push(
      setTimeout(() => {
        this.#confirm()
        this.#timers.push(setInterval(() => this.#confirm(), every))
      }, untilNext),
    )
  }

  close(why: string, refused?: { refusal: Refusal; lastAttempt: number | null }): void {
    if (this.#closed) return
    this.#closed = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#ws.terminate()
    this.#events.closed(why, refused)
  }

  /** One that is not answered in time ends the socket: TCP alone takes minutes to give up. */
  #ping(tooLateMs: number): void {
    const nowMs = bootMs()
    if (this.#pingSentAt !== null && nowMs - this.#pingSentAt > tooLateMs)
      return this.close('a ping was not answered in time')
    if (this.#pingSentAt !== null || this.#ws.readyState !== WebSocket.OPEN) return
    this.#pingSentAt = nowMs
    this.#ws.send('ping')
  }

  #confirm(): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return
    const n = this.#nextConfirm
    this.#nextConfirm += 1
    this.#confirms.set(n, bootMs())
    this.#ws.send(JSON.stringify({ t: 'confirm', n }))
  }

  #message(text: string): void {
    if (text === 'pong') {
      const sentAt = this.#pingSentAt
      this.#pingSentAt = null
      if (sentAt !== null) this.#events.renewed('pong', sentAt)
      return
    }
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      return this.close('a frame that is not JSON')
    }
    const parsed = objectFrame.safeParse(json)
    if (!parsed.success)
      return this.close(`a frame that this probe does not understand: ${parsed.error.message}`)
    const frame = parsed.data
    if (frame.t !== 'confirmed') return this.#events.frame(frame)
    const sentAt = this.#confirms.get(frame.n)
    this.#confirms.delete(frame.n)
    if (sentAt === undefined) return
    this.#events.renewed('authority', sentAt)
    const { heardMs, saidMs } = frame
    const times = { sentMs: sentAt, receivedMs: bootMs(), wallMs: Date.now() }
    this.#events.sampled({ ...times, heardMs, saidMs })
  }
}
