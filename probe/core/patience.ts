import type { ErrorCode, Refusal } from '../../schema/errors.ts'

/**
 * Refusals that time may mend only within bounds, each with how long it may go on, in milliseconds.
 * A control plane that was restored from a backup, or a proxy that errs, is given this long. The old
 * lease of a host that was booted anew ends within W(TTL_A), below 100 s; but each restart of the
 * control plane begins that wait anew (D5), and several of them must not cost the cluster a host.
 */
const PATIENCE_MS: Partial<Record<ErrorCode, number>> = {
  NOT_A_MEMBER: 60_000,
  WRONG_KEY: 60_000,
  IDENTITY_IN_USE: 900_000,
}

/** Tries are closer together than this: after a longer silence nobody has been refused lately. */
const GAP_MS = 30_000

export interface Patience {
  readonly code: ErrorCode | null
  readonly sinceMs: number
  readonly lastMs: number
}

export const PATIENT: Patience = { code: null, sinceMs: 0, lastMs: 0 }

/**
 * A session was refused.
 *
 * @returns what is known now, and whether to give up: the same refusal, and nothing else, for
 *   longer than it may last
 */
export function refused(
  known: Patience,
  refusal: Refusal,
  nowMs: number,
): { patience: Patience; giveUp: boolean } {
  const { code } = refusal
  const limit = PATIENCE_MS[code]
  if (limit === undefined) return { patience: PATIENT, giveUp: false }
  const goesOn = known.code === code && nowMs - known.lastMs <= GAP_MS
  const patience = { code, sinceMs: goesOn ? known.sinceMs : nowMs, lastMs: nowMs }
  return { patience, giveUp: nowMs - patience.sinceMs > limit }
}
