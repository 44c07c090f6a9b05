/**
 * Rules switched off, one at a time: what the simulation does not notice is a hole in it. A rule that
 * is a second line of defence is not found alone, and says what the first line is.
 */
import { CONTROL_PLANE_MUTANTS } from './control-plane.ts'
import { FENCING_MUTANTS } from './fencing.ts'
import { GUARD_MUTANTS } from './guard.ts'
import { LEASE_MUTANTS } from './leases.ts'
import { MOVE_MUTANTS } from './moves.ts'
import type { Mutant } from './mutant.ts'
import { SESSION_MUTANTS } from './sessions.ts'

export const MUTANTS: readonly Mutant[] = [
  ...LEASE_MUTANTS,
  ...GUARD_MUTANTS,
  ...SESSION_MUTANTS,
  ...CONTROL_PLANE_MUTANTS,
  ...FENCING_MUTANTS,
  ...MOVE_MUTANTS,
]
