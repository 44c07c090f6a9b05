import type { Problem } from '../schema/api/bodies.ts'
import { ERRORS, HoldfastError, type Refusal } from '../schema/errors.ts'

/** Every error of the API is problem+json (RFC 9457) with a code of the catalogue. */
export function problemResponse(refusal: Refusal, requestId: string): Response {
  const known = ERRORS[refusal.code]
  const body: Problem = {
    type: `https://holdfast.dev/errors/${refusal.code}`,
    title: known.title,
    status: known.http,
    detail: refusal.message,
    code: refusal.code,
    ...(refusal.why && { why: refusal.why }),
    ...(refusal.remedy && { remedy: refusal.remedy }),
    ...(refusal.errors && { errors: refusal.errors }),
    request: requestId,
  }
  return new Response(JSON.stringify(body), {
    status: known.http,
    headers: { 'content-type': 'application/problem+json', 'x-request-id': requestId },
  })
}

/** A refusal keeps its words; anything else is a fault of ours and says no more than that. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof HoldfastError) return error.refusal
  console.error(JSON.stringify({ error: String(error), stack: (error as Error)?.stack }))
  return {
    code: 'INTERNAL',
    message: 'the control plane could not carry this out',
    remedy: 'Try again; if it stays, report the request id.',
  }
}
