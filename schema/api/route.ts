/** One call of the HTTP API. */
import type * as z from 'zod'

export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly summary: string
  readonly body?: z.ZodType
  /** Of the body; else LIMITS.bodyBytesMax. */
  readonly bytesMax?: number
  readonly query?: z.ZodType
  /** Of an answer; else 200. */
  readonly status?: 202
  readonly response: z.ZodType
}
