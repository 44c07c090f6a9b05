import * as z from 'zod'
import { STREAM_CLOSE, type StreamFrame, streamFrame, streamQuery } from '../schema/api/stream.ts'
import { LIMITS } from '../schema/limits.ts'
import { DELETED } from './deleted.ts'
import type { ObjectReads } from './object-reads.ts'
import { problemResponse } from './problem.ts'

/** Tags of node sockets are GUIDs: no node can be taken for a watcher, nor the other way round. */
const TAG = 'watcher'

/** Path by which the Worker asks for a stream; node sessions come by one of their own. */
export const WATCH_PATH = '/watch'

/** How the Worker asks for a stream: who it is for, and when it has looked at the key. */
const watchQuery = streamQuery.extend({
  key: z.string().min(1),
  seenAtMs: z.coerce.number(),
  /** The key ends then, or is to be looked at again. */
  untilMs: z.coerce.number(),
})

/** What survives hibernation with a watcher's socket. It has no `nodeId`: it is no session. */
interface Mark {
  watcher: true
  /** GUID of the key that it was opened with, and until when that holds. */
  key: string
  untilMs: number
  sentSeq: number
  /** When it was last heard: it came, or pinged. */
  heardMs: number
  /** Frames sent since then. */
  unheard: number
  /** Of all that was ever sent, what it has read is not known: a ping says that it lives, no more. */
  sentBytes: number
  /** The minute that is being counted, and the frames sent in it. */
  minuteMs: number
  inMinute: number
}

const MINUTE_MS = 60_000

const ENDED = 'the key was revoked, or its secret replaced'

/**
 * Event streams of operators. They only listen: they are not sessions, nothing about them is looked
 * at when nodes are judged (D1 to D6), and no timer is kept for them, so that the object sleeps.
 * What cannot be sent is dropped with its socket; the watcher comes back and says what it has.
 */
export class Watchers {
  readonly #ctx: DurableObjectState
  readonly #reads: ObjectReads
  /** Events replayed in the second that began then. */
  #replayed = { sinceMs: 0, events: 0 }
  /** Keys that were ended lately, and when. */
  readonly #ended = new Map<string, number>()

  constructor(ctx: DurableObjectState, reads: ObjectReads) {
    this.#ctx = ctx
    this.#reads = reads
  }

  owns(ws: WebSocket): boolean {
    return this.#ctx.getTags(ws).includes(TAG)
  }

  /** Opens a stream, or ends those of a key (DELETE); the Worker has checked the API key. */
  accept(request: Request): Response {
    const asked = Object.fromEntries(new URL(request.url).searchParams)
    if (request.method === 'DELETE') return this.#end(asked['key'] ?? '')
    const nowMs = Date.now()
    const { after, key, seenAtMs, untilMs } = watchQuery.parse(asked)
    const open = this.#open().filter((ws) => this.#heardFrom(ws, nowMs) !== null)
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
    const mark: Mark = {
      ...{ watcher: true, key, untilMs, sentSeq: after ?? seq, heardMs: nowMs, unheard: 0 },
      ...{ sentBytes: 0, minuteMs: nowMs, inMinute: 0 },
    }
    const missed = this.#mayReplay(seq - mark.sentSeq, nowMs)
      ? this.#behind(mark.sentSeq, seq)
      : [{ t: 'gap' as const, after: mark.sentSeq, next: seq }]
    // It was ended after the Worker had looked, and before it was here.
    if ((this.#ended.get(key) ?? 0) >= seenAtMs) this.#drop(server, 'keyEnded', ENDED)
    else this.#send(server, mark, seq, [{ t: 'hello', seq, observed }, ...missed])
    return new Response(null, { status: 101, webSocket: client })
  }

  /**
   * After a commit, or when a session began or ended: never before, and never waited for (C4).
   * Whatever goes wrong here is nothing to those who are told of no event: it throws nothing.
   */
  tell(observedChanged: boolean): void {
    try {
      this.#tellAll(observedChanged)
    } catch (error) {
      complain(error)
    }
  }

  #tellAll(observedChanged: boolean): void {
    const open = this.#open()
    if (open.length === 0) return
    const nowMs = Date.now()
    const { seq, observed } = this.#reads.progress()
    const made = new Map<number, StreamFrame[]>()
    for (const ws of open) {
      const mark = this.#heardFrom(ws, nowMs)
      if (!mark) continue
      const behind = made.get(mark.sentSeq) ?? this.#behind(mark.sentSeq, seq)
      made.set(mark.sentSeq, behind)
      const note: StreamFrame[] = observedChanged ? [{ t: 'observed', observed }] : []
      this.#send(ws, mark, seq, [...behind, ...note])
    }
  }

  /** Of a key that was revoked, or whose secret was replaced: at once, whatever there is to tell. */
  #end(key: string): Response {
    const nowMs = Date.now()
    for (const [one, atMs] of this.#ended) if (nowMs - atMs > MINUTE_MS) this.#ended.delete(one)
    this.#ended.set(key, nowMs)
    for (const ws of this.#open())
      if ((ws.deserializeAttachment() as Partial<Mark> | null)?.key === key)
        this.#drop(ws, 'keyEnded', ENDED)
    return new Response(null, { status: 204 })
  }

  /** The cluster goes, and with it whatever there could be to tell. */
  endAll(): void {
    for (const ws of this.#open()) this.#drop(ws, 'keyEnded', DELETED)
  }

  /** Whatever a watcher says is too much: `ping` is answered by the runtime and never comes here. */
  heard(ws: WebSocket): void {
    this.#drop(ws, 'readOnly', 'this stream is read only: nothing but "ping" may be sent')
  }

  #open(): WebSocket[] {
    return this.#ctx.getWebSockets(TAG).filter((ws) => ws.readyState === WebSocket.OPEN)
  }

  /** One whose mark cannot be read is dropped, and is nothing to the others. */
  #heardFrom(ws: WebSocket, nowMs: number): Mark | null {
    try {
      return this.#hear(ws, nowMs)
    } catch (error) {
      complain(error)
      this.#drop(ws, 'fault', 'nothing is known of this stream any more')
      return null
    }
  }

  /** Its mark as of now, or null when it was silent or did not read for too long, and is dropped. */
  #hear(ws: WebSocket, nowMs: number): Mark | null {
    const kept = ws.deserializeAttachment() as Mark
    // One of before streams had an end has no `untilMs`: it has ended.
    if (!(nowMs < kept.untilMs)) {
      this.#drop(ws, 'renew', 'come back with "after": the key is looked at again')
      return null
    }
    const mark =
      nowMs - kept.minuteMs < MINUTE_MS ? kept : { ...kept, minuteMs: nowMs, inMinute: 0 }
    const slow = slowness(mark)
    if (slow) {
      this.#drop(ws, 'slow', slow)
      return null
    }
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

  /** Many that come back at once must not keep the cluster from its work: who is late gets a gap. */
  #mayReplay(events: number, nowMs: number): boolean {
    if (nowMs - this.#replayed.sinceMs >= 1_000) this.#replayed = { sinceMs: nowMs, events: 0 }
    // What is too much for one stream is a gap anyway, and costs nothing.
    if (events <= 0 || events > LIMITS.streamReplayMax) return true
    if (this.#replayed.events + events > LIMITS.streamReplaysPerSecondMax) return false
    this.#replayed.events += events
    return true
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
      let bytes = 0
      for (const frame of frames) {
        const text = JSON.stringify(streamFrame.parse(frame))
        bytes += text.length
        ws.send(text)
      }
      ws.serializeAttachment({
        ...mark,
        sentSeq: seq,
        unheard: mark.unheard + frames.length,
        sentBytes: mark.sentBytes + bytes,
        inMinute: mark.inMinute + frames.length,
      } satisfies Mark)
    } catch (error) {
      // The commit stands whatever a watcher gets of it; it comes back for what it missed.
      complain(error)
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

/**
 * Why it has to come back, or null. What is not read waits in the memory of the object, and pings
 * do not make that less: so a stream has an end, and `after` makes it go on where it was.
 */
function slowness(mark: Mark): string | null {
  if (mark.sentBytes >= LIMITS.streamBytesMax)
    return `${LIMITS.streamBytesMax} bytes on one stream: come back with "after"`
  if (mark.inMinute >= LIMITS.streamFramesPerMinuteMax)
    return `more than ${LIMITS.streamFramesPerMinuteMax} frames in a minute: come back with "after"`
  return null
}

function complain(error: unknown): void {
  console.error(JSON.stringify({ error: `event stream: ${String(error)}` }))
}
