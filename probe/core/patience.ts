import type { ErrorCode, Refusal } from '../../schema/errors.ts'

/**
 * Refusals that time may mend only within bounds, each with how long it may go on, in milliseconds.
 * A control plane that was restored from a backup, or a proxy that errs, is given this long; the
 * old lease of a host that was booted anew has surely ended by then (W(TTL_A) is below 100 s).
 */
const PATIENCE_MS: Partial<Record<ErrorCode, number>> = {
  NOT_A_MEMBER: 60_000,
  WRONG_KEY: 60_000,
  IDENTITY_IN_USE: 180_000,
}

export interface Patience {
  readonly code: ErrorCode | null
  readonly sinceMs: number
}

export const PATIENT: Patience = { code: null, sinceMs: 0 }

/**
 * A session was refused.
 *
 * @returns what is known now, and whether to give up: the same refusal for longer than it may last
 */
export function refused(
  known: Patience,
  refusal: Refusal,
  nowMs: number,
): { patience: Patience; giveUp: boolean } {
  const limit = PATIENCE_MS[refusal.code]
  if (limit === undefined) return { patience: known, giveUp: false }
  const patience = known.code === refusal.code ? known : { code: refusal.code, sinceMs: nowMs }
  return { patience, giveUp: nowMs - patience.sinceMs > limit }
}
