/**
 * The event stream of a cluster: a WebSocket that tells what was committed, and that something
 * observed has changed. Read only: besides the literal `ping`, which the runtime answers with
 * `pong`, a client says nothing. Frames are JSON text, one object each.
 */
import * as z from 'zod'
import { detail } from '../ids.ts'
import { LIMITS } from '../limits.ts'
import type { Access } from './access.ts'
import { eventView } from './bodies.ts'

/** `after`: number of the last update that the client has; absent: only what comes. */
export const streamPath = '/v1/clusters/:cluster/events/stream'
/** One operation as server-sent events, until it is over. Those of the cluster are at `GET …/events`. */
export const operationStreamPath = '/v1/clusters/:cluster/operations/:operation/events'
export const streamAccess = 'read' satisfies Access
export const streamQuery = z.strictObject({
  after: z.coerce.number().int().nonnegative().optional(),
})

const seq = z.int().nonnegative()
/** Grows with each commit that changed what is observed; see `observed` of `GET …/events`. */
const observed = z.int().nonnegative()

export const streamFrame = z.discriminatedUnion('t', [
  /** First frame: how far the cluster is. What the client asked for follows. */
  z.strictObject({ t: z.literal('hello'), seq, observed }),
  /** Committed updates in order, without a gap to what came before on this socket. */
  z.strictObject({
    t: z.literal('events'),
    events: z.array(z.strictObject(eventView.shape)).min(1).max(LIMITS.streamEventsPerFrame),
  }),
  /** Updates behind `after` up to `next` are not sent: too many, or no longer kept. Fetch them. */
  z.strictObject({ t: z.literal('gap'), after: seq, next: seq }),
  /** Status, sessions or waiting groups look different now: fetch the view again. */
  z.strictObject({ t: z.literal('observed'), observed }),
  /** The socket is closed next, and why. */
  z.strictObject({
    t: z.literal('bye'),
    /** `keyEnded`, `renew`: come back, and the key is looked at: whether it is still valid is said then. */
    code: z.enum(['readOnly', 'slow', 'silent', 'fault', 'keyEnded', 'renew']),
    detail,
  }),
])
export type StreamFrame = z.infer<typeof streamFrame>

/** Close codes of the stream, apart from those of node sessions. */
export const STREAM_CLOSE = {
  ...{ readOnly: 4101, slow: 4102, silent: 4103, fault: 4104, keyEnded: 4105, renew: 4106 },
} as const

/** A client pings this often, and after so many frames: who is not heard is dropped. */
export const STREAM_PING_MS = 15_000
export const STREAM_PING_FRAMES = 100
