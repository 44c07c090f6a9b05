/**
 * What happens in a cluster, as it happens: the event stream, and where a proxy does not let it
 * through, long polls that tell the same. After a loss it goes on behind the last update seen, so
 * that nothing is missed or told twice.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { EventView } from '../schema/api/bodies.ts'
import type { Client } from '../schema/api/client.ts'
import {
  STREAM_PING_FRAMES,
  STREAM_PING_MS,
  type StreamFrame,
  streamFrame,
  streamPath,
} from '../schema/api/stream.ts'
import { HoldfastError } from '../schema/errors.ts'

/** What there is to know. `changed`: something that is only observed, so fetch it again. */
export type Note =
  | { kind: 'event'; event: EventView }
  | { kind: 'changed' }
  /** Updates behind `after` up to `next` have to be fetched. */
  | { kind: 'gap'; after: number; next: number }
  | { kind: 'away' }
  | { kind: 'back' }

export interface FeedOptions {
  readonly url: string
  readonly key: string | undefined
  readonly cluster: string
  readonly client: Client
  /** Number of the last update known; undefined: only what comes. */
  readonly after: number | undefined
  readonly signal: AbortSignal
}

/** How a try to open the stream ended. */
type End = 'closed' | 'away' | 'refused'

const LONG_POLL_MS = 20_000
const PAGE = 1_000
const RETRY_FIRST_MS = 50
const RETRY_MAX_MS = 2_000
const HANDSHAKE_MS = 10_000
/** A stream that ends before its first frame so often is one that a proxy does not let through. */
const FAILURES_MAX = 2
/** A stream that lived so long was a good one: after it the next is opened at once. */
const GOOD_MS = 1_000

export class Feed {
  readonly #options: FeedOptions
  readonly #ended = new AbortController()
  #notes: Note[] = []
  #wake: () => void = () => {}
  #failure: unknown = null
  #seen: number | undefined
  #observed: number | undefined
  #away = false
  #socket: WebSocket | null = null
  /** Frames since the last ping. */
  #unheard = 0
  #answered = true
  #greeted = false

  constructor(options: FeedOptions) {
    this.#options = options
    this.#seen = options.after
    options.signal.addEventListener('abort', () => this.close(), { once: true })
    if (options.signal.aborted) this.close()
    else void this.#run()
  }

  /**
   * Everything that came since the last call; waits for the first of it, at most so long.
   *
   * @returns nothing when the time is over
   * @throws {HoldfastError} the control plane refuses; {DOMException} Ctrl-C
   */
  async next(limitMs: number = Number.POSITIVE_INFINITY): Promise<Note[]> {
    if (this.#notes.length === 0 && this.#failure === null && !this.#ended.signal.aborted) {
      let timer: ReturnType<typeof setTimeout> | undefined
      await new Promise<void>((done) => {
        this.#wake = done
        if (Number.isFinite(limitMs)) timer = setTimeout(done, limitMs)
      })
      clearTimeout(timer)
    }
    this.#options.signal.throwIfAborted()
    if (this.#failure !== null && this.#notes.length === 0) throw this.#failure
    const notes = this.#notes
    this.#notes = []
    return notes
  }

  close(): void {
    this.#ended.abort()
    this.#socket?.terminate()
    this.#wake()
  }

  #say(note: Note): void {
    this.#notes.push(note)
    this.#wake()
  }

  async #run(): Promise<void> {
    let retryMs = RETRY_FIRST_MS
    let failures = 0
    let streams = true
    while (!this.#ended.signal.aborted) {
      try {
        const beganMs = performance.now()
        this.#greeted = false
        const end: End = streams ? await this.#stream() : await this.#poll()
        if (end === 'away') this.#setAway(true)
        else if (!this.#greeted) failures += 1
        if (failures >= FAILURES_MAX || end === 'refused') streams = false
        // Restarts of the control plane take no time: the first try after a loss is made at once.
        const good = this.#greeted && (!streams || performance.now() - beganMs > GOOD_MS)
        if (good) [retryMs, failures] = [RETRY_FIRST_MS, 0]
        else if (end !== 'refused') await this.#pause(retryMs)
        retryMs = Math.min(RETRY_MAX_MS, retryMs * 2)
      } catch (error) {
        this.#failure = error
        return this.#wake()
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    const jittered = ms * (0.75 + Math.random() / 2)
    await sleep(jittered, undefined, { signal: this.#ended.signal }).catch(() => {})
  }

  #setAway(away: boolean): void {
    if (this.#away === away) return
    this.#away = away
    this.#say({ kind: away ? 'away' : 'back' })
  }

  /** One WebSocket, from its opening to its end. */
  #stream(): Promise<End> {
    const { url, key, cluster } = this.#options
    const address = new URL(streamPath.replace(':cluster', encodeURIComponent(cluster)), url)
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
    if (this.#seen !== undefined) address.searchParams.set('after', String(this.#seen))
    return new Promise((done) => {
      const headers = key ? { authorization: `Bearer ${key}` } : {}
      const ws = new WebSocket(address, { headers, handshakeTimeout: HANDSHAKE_MS })
      this.#socket = ws
      const pings = setInterval(() => this.#ping(ws, true), STREAM_PING_MS)
      let end: End = 'away'
      ws.on('open', () => {
        end = 'closed'
        this.#answered = true
      })
      ws.on('message', (data) => this.#heard(ws, String(data)))
      // Whatever it was refused for, the long poll shows; a fault may be gone the next time.
      ws.on('unexpected-response', (_, answer) => {
        end = (answer.statusCode ?? 0) < 500 ? 'refused' : 'closed'
        answer.destroy()
        ws.terminate()
      })
      ws.on('error', () => {})
      ws.on('close', () => {
        clearInterval(pings)
        done(end)
      })
    })
  }

  /** A ping that was not answered by the next one: the line is dead, whatever TCP says. */
  #ping(ws: WebSocket, judge: boolean): void {
    if (ws.readyState !== WebSocket.OPEN) return
    if (judge && !this.#answered) return ws.terminate()
    this.#answered = false
    this.#unheard = 0
    ws.send('ping')
  }

  #heard(ws: WebSocket, text: string): void {
    if (text === 'pong') {
      this.#answered = true
      return
    }
    this.#unheard += 1
    if (this.#unheard >= STREAM_PING_FRAMES) this.#ping(ws, false)
    const frame = streamFrame.safeParse(parseJson(text))
    // A frame of a newer version says at least that something has happened.
    if (frame.success) this.#take(frame.data)
    else this.#say({ kind: 'changed' })
  }

  #take(frame: StreamFrame): void {
    switch (frame.t) {
      case 'hello':
        this.#greeted = true
        this.#seen ??= frame.seq
        this.#setAway(false)
        // What was only observed in the meantime has no number of its own.
        this.#say({ kind: 'changed' })
        break
      case 'events':
        for (const event of frame.events) this.#event(event)
        break
      case 'gap':
        this.#say({ kind: 'gap', after: frame.after, next: frame.next })
        this.#seen = frame.next
        break
      case 'observed':
        this.#say({ kind: 'changed' })
        break
      case 'bye':
        break
    }
  }

  #event(event: EventView): void {
    if (this.#seen !== undefined && event.seq <= this.#seen) return
    this.#seen = event.seq
    this.#say({ kind: 'event', event })
  }

  /** One long poll. */
  async #poll(): Promise<End> {
    const { client, cluster } = this.#options
    const signal = this.#ended.signal
    const params = { cluster }
    try {
      if (this.#seen === undefined)
        this.#seen = (await client('getCluster', { params, signal })).seq
      const after = this.#seen
      const wait = this.#observed === undefined ? {} : { observed: this.#observed }
      const waitMs = this.#observed === undefined || this.#away ? 0 : LONG_POLL_MS
      const query = { after, limit: PAGE, waitMs, ...wait }
      const page = await client('listEvents', { params, query, signal })
      this.#setAway(false)
      this.#observed = page.observed
      const first = page.events[0]?.seq ?? after + 1
      if (first > after + 1) this.#say({ kind: 'gap', after, next: first - 1 })
      for (const event of page.events) this.#event(event)
      this.#say({ kind: 'changed' })
      this.#greeted = true
      return 'closed'
    } catch (error) {
      if (signal.aborted) return 'closed'
      if (error instanceof HoldfastError && error.refusal.code === 'UNAVAILABLE') return 'away'
      throw error
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
