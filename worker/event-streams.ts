/**
 * Event streams of operators: as a WebSocket, which is handed through to the object, or as server-sent events.
 *
 * An answer that is held open by a Durable Object keeps it in memory, and is paid for, as long as it lasts. So
 * the Worker holds it, over a WebSocket to the object: with that the object sleeps whenever nothing happens,
 * and the pings that keep it are answered by the runtime. A Worker that waits costs nothing.
 */
import type { Context } from 'hono'
import type { OperationView } from '../schema/api/operations.ts'
import {
  STREAM_PING_FRAMES,
  STREAM_PING_MS,
  type StreamFrame,
  streamAccess,
  streamFrame,
  streamQuery,
} from '../schema/api/stream.ts'
import { HoldfastError } from '../schema/errors.ts'
import { LIMITS } from '../schema/limits.ts'
import { identify, permit } from './admission.ts'
import { open } from './calls.ts'
import { unknownOperation } from './operation-reads.ts'
import { type Bindings, parse } from './requests.ts'
import { Sse, type SseEvent } from './sse.ts'
import { WATCH_PATH } from './watchers.ts'

type Ctx = Context<Bindings>

/** Who asks, and for which cluster; looked at again when the stream has lasted for a while. */
async function admitted(c: Ctx) {
  const seenAtMs = Date.now()
  const identified = await identify(c)
  permit(c, streamAccess, identified)
  const { principal, cluster, validUntilMs } = identified
  const untilMs = Math.min(validUntilMs ?? Infinity, seenAtMs + LIMITS.streamAuthorisedMs)
  return { key: principal.id, seenAtMs, untilMs, ...open({ env: c.env, cluster }) }
}

type Admitted = Awaited<ReturnType<typeof admitted>>

/** The WebSocket to the object, or why there is none. */
function connect(c: Ctx, { key, seenAtMs, untilMs, row }: Admitted, after?: number) {
  const asked = new URLSearchParams({
    ...{ key, seenAtMs: String(seenAtMs), untilMs: String(untilMs) },
    ...(after !== undefined && { after: String(after) }),
  })
  const object = c.env.CLUSTER.get(c.env.CLUSTER.idFromString(row.objectId))
  const headers = { upgrade: 'websocket', 'x-request-id': c.get('request') }
  return object.fetch(`https://cluster${WATCH_PATH}?${asked}`, { headers })
}

const afterOf = (query: Record<string, string>): number | undefined =>
  (parse(streamQuery, query, 'query') as { after?: number }).after

export async function socketStream(c: Ctx): Promise<Response> {
  const who = await admitted(c)
  const after = afterOf(c.req.query())
  if (c.req.header('upgrade')?.toLowerCase() === 'websocket') return connect(c, who, after)
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: 'the event stream is a WebSocket, and this request does not ask for one',
    why: 'The header `Upgrade: websocket` did not arrive; some proxies remove it.',
    remedy:
      'Open it as a WebSocket, or ask GET …/events with `Accept: text/event-stream`, or with waitMs (long poll).',
  })
}

/** GET …/events with `Accept: text/event-stream`: each update as an event whose id is its number. */
export async function eventStream(c: Ctx): Promise<Response> {
  const who = await admitted(c)
  const asked = afterOf(c.req.query())
  // What a reader has seen last is newer than the address that it came with the first time.
  const last = c.req.header('last-event-id')
  const after = last === undefined ? asked : afterOf({ after: last })
  const response = await connect(c, who, after)
  const ws = response.webSocket
  if (!ws) return response
  const out = relay(c, ws, who.untilMs, (frame, to) => {
    for (const one of eventsOf(frame, after)) to.send(one)
  })
  return out.response
}

function eventsOf(frame: StreamFrame, after: number | undefined): SseEvent[] {
  const { t, ...data } = frame
  switch (frame.t) {
    case 'hello':
      return [{ id: after ?? frame.seq, event: t, data }]
    case 'events':
      return frame.events.map((event) => ({ id: event.seq, data: event }))
    case 'gap':
      return [{ id: frame.next, event: t, data }]
    case 'observed':
    case 'bye':
      return [{ event: t, data }]
  }
}

/** What was told last of an operation that is over: who comes back with it need not come again. */
const OVER = 'over'

/** GET …/operations/:operation/events: the operation each time that it looks different, until it is over. */
export async function operationStream(c: Ctx): Promise<Response> {
  const who = await admitted(c)
  const id = c.req.param('operation') ?? ''
  const look = () => who.stub.read({ what: 'operation', id })
  const first = await look()
  if (!first) throw new HoldfastError(unknownOperation(id))
  if (isOver(first) && c.req.header('last-event-id') === OVER)
    return new Response(null, { status: 204 })
  const response = await connect(c, who)
  const ws = response.webSocket
  if (!ws) return response
  const told = new Told(look)
  const out = relay(c, ws, who.untilMs, (frame, to) => {
    if (frame.t === 'bye')
      to.send({ event: 'bye', data: { code: frame.code, detail: frame.detail } })
    // The first look behind `hello` sees all that came before it.
    else told.refresh(to).catch(() => to.end())
  })
  return out.response
}

/** What was told of an operation, and whether it looks different now. */
class Told {
  readonly #look: () => Promise<OperationView | null>
  #shown = ''
  #looking = false
  #again = false

  constructor(look: () => Promise<OperationView | null>) {
    this.#look = look
  }

  /** Changes that come meanwhile are told by one more look behind it. */
  async refresh(to: Sse): Promise<void> {
    this.#again = true
    if (this.#looking) return
    this.#looking = true
    while (this.#again && to.open) {
      this.#again = false
      const view = await this.#look()
      if (!view) return to.end()
      const shape = shapeOf(view)
      if (shape !== this.#shown) to.send(eventOf(view))
      this.#shown = shape
      if (isOver(view)) return to.end()
      await new Promise((done) => setTimeout(done, LIMITS.operationEventsEveryMs))
    }
    this.#looking = false
  }
}

const isOver = ({ state }: OperationView): boolean => state !== 'running' && state !== 'waiting'

const eventOf = (view: OperationView): SseEvent => ({
  ...{ event: 'operation', data: view, ...(isOver(view) && { id: OVER }) },
})

/** What is different without anything having happened is no change. */
const shapeOf = ({ elapsedMs: _, steps, ...view }: OperationView): string =>
  JSON.stringify({ ...view, steps: steps.map(({ ms: __, ...step }) => step) })

type Take = (frame: StreamFrame, to: Sse) => void

/** Frames of the object go to `take`; heartbeats go both ways. */
function relay(c: Ctx, ws: WebSocket, untilMs: number, take: Take): Sse {
  const out = new Sse(c.get('request'), () => {
    clearInterval(beats)
    ws.close(1000, 'the reader has gone')
  })
  let unheard = 0
  const ping = () => {
    unheard = 0
    ws.send('ping')
  }
  const beats = setInterval(() => {
    out.heartbeat()
    if (out.open && Date.now() < untilMs) return ping()
    if (out.open) take({ t: 'bye', code: 'renew', detail: 'the key is looked at again' }, out)
    out.end()
  }, STREAM_PING_MS)
  ws.addEventListener('message', ({ data }) => {
    if (data === 'pong' || !out.open) return
    take(streamFrame.parse(JSON.parse(String(data))), out)
    unheard += 1
    if (unheard >= STREAM_PING_FRAMES && out.open) ping()
  })
  ws.addEventListener('close', () => out.end())
  ws.addEventListener('error', () => out.end())
  ws.accept()
  return out
}
