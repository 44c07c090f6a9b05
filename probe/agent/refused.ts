/** Why a session was refused, in the words of the catalogue. */
import { problem } from '../../schema/api/bodies.ts'
import { ERRORS, type ErrorCode, type Refusal } from '../../schema/errors.ts'

/** The HTTP answer instead of a socket. Anything but a problem of ours is somebody in between. */
export function refusedByHttp(status: number, text: string, contentType: string): Refusal {
  if (contentType.startsWith('application/problem+json')) {
    const parsed = problem.safeParse(parseJson(text))
    if (parsed.success && parsed.data.code in ERRORS) {
      const { code, detail, why, remedy } = parsed.data
      return {
        code: code as ErrorCode,
        message: detail,
        ...(why !== undefined && { why }),
        ...(remedy !== undefined && { remedy }),
      }
    }
  }
  return {
    code: 'UNAVAILABLE',
    message: `the control plane answered ${status} instead of opening a session`,
    why: text.slice(0, 200),
    remedy: 'If this stays: check the address, and that proxies let WebSocket upgrades through.',
  }
}

/** The last words of a session (`bye`), as far as the catalogue has an entry for them. */
export function refusedByBye(code: string, detail: string): Refusal | null {
  const known = BYE[code]
  return known ? { code: known, message: detail, remedy: ERRORS[known].remedy } : null
}

const BYE: Readonly<Record<string, ErrorCode>> = {
  notMember: 'NOT_A_MEMBER',
  badSignature: 'WRONG_KEY',
  otherGuard: 'IDENTITY_IN_USE',
  waitsForFence: 'WAITS_FOR_FENCE',
  bootOver: 'BOOT_OVER',
  newerProtocol: 'PROTOCOL_MISMATCH',
  olderProtocol: 'PROTOCOL_MISMATCH',
  badFrame: 'BAD_FRAME',
  repeatedReport: 'BAD_FRAME',
  wrongSession: 'BAD_FRAME',
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
