import { ERRORS } from '../../schema/errors.ts'

/**
 * Exit codes of `holdfast-probe run` that a service manager does not answer with another start:
 * usage (2), not joined (5), refused or not allowed (6), in use (7).
 */
export const FATAL_EXITS: readonly number[] = [
  ERRORS.BAD_REQUEST.exit,
  ERRORS.NOT_JOINED.exit,
  ERRORS.NOT_A_MEMBER.exit,
  ERRORS.IDENTITY_IN_USE.exit,
]
