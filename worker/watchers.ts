import { STREAM_CLOSE, type StreamFrame, streamFrame, streamQuery } from '../schema/api/stream.ts'
import { LIMITS } from '../schema/limits.ts'
import type { ObjectReads } from './object-reads.ts'
import { problemResponse } from './problem.ts'

/** Tags of node sockets are GUIDs: no node can be taken for a watcher, nor the other way round. */
const TAG = 'watcher'

/** Path by which the Worker asks for a stream; node sessions come by one of their own. */
export const WATCH_PATH = '/watch'

/** What survives hibernation with a watcher's socket. It has no `nodeId`: it is no session. */
interface Mark {
  watcher: true
  sentSeq: number
  /** When it was last heard: it came, or pinged. */
  heardMs: number
  /** Frames sent since then. */
  unheard: number
}

/**
 * Event streams of operators. They only listen: they are not sessions, nothing about them is looked
 * at when nodes are judged (D1 to D6), and no timer is kept for them, so that the object sleeps.
 * What cannot be sent is dropped with its socket; the watcher comes back and says what it has.
 */
export class Watchers {
  readonly #ctx: DurableObjectState
  readonly #reads: ObjectReads

  constructor(ctx: DurableObjectState, reads: ObjectReads) {
    this.#ctx = ctx
    this.#reads = reads
  }

  owns(ws: WebSocket): boolean {
    return this.#ctx.getTags(ws).includes(TAG)
  }

  /** Opens a stream; the Worker has checked the API key. */
  accept(request: Request): Response {
    const nowMs = Date.now()
    const { after } = streamQuery.parse(Object.fromEntries(new URL(request.url).searchParams))
    const open = this.#open().filter((ws) => this.#hear(ws, nowMs) !== null)
    if (open.length >= LIMITS.watchersMax)
      return problemResponse(
        {
          code: 'LIMIT_REACHED',
          message: `a cluster has at most ${LIMITS.watchersMax} event streams at a time`,
          remedy: 'Close one, or ask GET …/events with waitMs (long poll).',
        },
        request.headers.get('x-request-id') ?? crypto.randomUUID(),
      )
    const { 0: client, 1: server } = new WebSocketPair()
    this.#ctx.acceptWebSocket(server, [TAG])
    const { seq, observed } = this.#reads.progress()
    const mark: Mark = { watcher: true, sentSeq: after ?? seq, heardMs: nowMs, unheard: 0 }
    this.#send(server, mark, seq, [
      { t: 'hello', seq, observed },
      ...this.#behind(mark.sentSeq, seq),
    ])
    return new Response(null, { status: 101, webSocket: client })
  }

  /** After a commit, or when a session began or ended: never before, and never waited for (C4). */
  tell(observedChanged: boolean): void {
    const open = this.#open()
    if (open.length === 0) return
    const nowMs = Date.now()
    const { seq, observed } = this.#reads.progress()
    const made = new Map<number, StreamFrame[]>()
    for (const ws of open) {
      const mark = this.#hear(ws, nowMs)
      if (!mark) continue
      const behind = made.get(mark.sentSeq) ?? this.#behind(mark.sentSeq, seq)
      made.set(mark.sentSeq, behind)
      const note: StreamFrame[] = observedChanged ? [{ t: 'observed', observed }] : []
      this.#send(ws, mark, seq, [...behind, ...note])
    }
  }

  /** Whatever a watcher says is too much: `ping` is answered by the runtime and never comes here. */
  heard(ws: WebSocket): void {
    this.#drop(ws, 'readOnly', 'this stream is read only: nothing but "ping" may be sent')
  }

  #open(): WebSocket[] {
    return this.#ctx.getWebSockets(TAG).filter((ws) => ws.readyState === WebSocket.OPEN)
  }

  /** Its mark as of now, or null when it was silent or did not read for too long, and is dropped. */
  #hear(ws: WebSocket, nowMs: number): Mark | null {
    const mark = ws.deserializeAttachment() as Mark
    const pingedMs = this.#ctx.getWebSocketAutoResponseTimestamp(ws)?.getTime() ?? 0
    if (pingedMs > mark.heardMs) return { ...mark, heardMs: pingedMs, unheard: 0 }
    if (nowMs - mark.heardMs > LIMITS.streamSilentMs) {
      this.#drop(ws, 'silent', `no ping for ${LIMITS.streamSilentMs} ms`)
      return null
    }
    if (mark.unheard < LIMITS.streamFramesUnheardMax) return mark
    this.#drop(ws, 'slow', `${mark.unheard} frames without a ping`)
    return null
  }

  /** What a watcher has missed, in frames of bounded size. */
  #behind(after: number, seq: number): StreamFrame[] {
    if (after === seq) return []
    const limit = LIMITS.streamReplayMax
    const events =
      seq > after && seq - after <= limit
        ? this.#reads.read({ what: 'events', after, limit }).events
        : []
    if (events[0]?.seq !== after + 1) return [{ t: 'gap', after, next: seq }]
    const frames: StreamFrame[] = []
    for (let at = 0; at < events.length; at += LIMITS.streamEventsPerFrame)
      frames.push({ t: 'events', events: events.slice(at, at + LIMITS.streamEventsPerFrame) })
    return frames
  }

  #send(ws: WebSocket, mark: Mark, seq: number, frames: readonly StreamFrame[]): void {
    try {
      for (const frame of frames) ws.send(JSON.stringify(streamFrame.parse(frame)))
      const unheard = mark.unheard + frames.length
      ws.serializeAttachment({ ...mark, sentSeq: seq, unheard } satisfies Mark)
    } catch (error) {
      // The commit stands whatever a watcher gets of it; it comes back for what it missed.
      console.error(JSON.stringify({ error: `event stream: ${String(error)}` }))
      this.#drop(ws, 'fault', 'a frame could not be sent')
    }
  }

  #drop(ws: WebSocket, code: keyof typeof STREAM_CLOSE, detail: string): void {
    try {
      ws.send(JSON.stringify(streamFrame.parse({ t: 'bye', code, detail })))
      ws.close(STREAM_CLOSE[code], code)
    } catch {
      // Closed by the peer in the meantime.
    }
  }
}
