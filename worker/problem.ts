import { DrizzleQueryError } from 'drizzle-orm'
import type { Problem } from '../schema/api/bodies.ts'
import { errorPage } from '../schema/api/docs.ts'
import { ERRORS, HoldfastError, type Refusal } from '../schema/errors.ts'
import { DELETED } from './deleted.ts'

/** Every error of the API is problem+json (RFC 9457) with a code of the catalogue. */
export function problemOf(refusal: Refusal, requestId: string): Problem {
  const known = ERRORS[refusal.code]
  return {
    type: errorPage(refusal.code),
    title: known.title,
    status: known.http,
    detail: refusal.message,
    code: refusal.code,
    // What, why and what to do: where the case at hand says no more, the catalogue does.
    why: refusal.why || known.cause,
    remedy: refusal.remedy || known.remedy,
    ...(refusal.errors && { errors: refusal.errors }),
    ...(refusal.seq !== undefined && { seq: refusal.seq }),
    request: requestId,
  }
}

export function problemResponse(refusal: Refusal, requestId: string): Response {
  const body = problemOf(refusal, requestId)
  const { retryAfterS } = refusal
  return new Response(JSON.stringify(body), {
    status: body.status,
    headers: {
      ...{ 'content-type': 'application/problem+json', 'x-request-id': requestId },
      ...(body.seq !== undefined && { etag: `"${body.seq}"` }),
      ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS) }),
    },
  })
}

/** A refusal keeps its words; anything else is a fault of ours and says no more than that. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof HoldfastError) return error.refusal
  if (error instanceof DrizzleQueryError) {
    console.error(JSON.stringify({ error: 'D1', cause: String(error.cause) }))
    return {
      code: 'UNAVAILABLE',
      message: 'the database of accounts does not answer',
      why: 'API keys, tokens and the list of clusters are kept there. Sessions of hosts do not need it: what runs goes on, and fails over as ever.',
      remedy: 'Try again in a moment.',
    }
  }
  // Found by a key that was looked up a moment ago: it is there no more than one that never was.
  if (error instanceof Error && error.message === DELETED)
    return { code: 'NOT_FOUND', message: 'there is no such cluster any more' }
  console.error(JSON.stringify({ error: String(error), stack: (error as Error)?.stack }))
  return {
    code: 'INTERNAL',
    message: 'the control plane could not carry this out',
    remedy: 'Try again; if it stays, report the request id.',
  }
}
