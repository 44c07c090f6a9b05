/**
 * Bugs throw plain errors; what a user can act on is a `HoldfastError` with a code of the catalogue.
 */
import * as z from 'zod'
import { ERRORS, type ErrorCode } from './error-catalogue.ts'

export { ERRORS, type ErrorCode } from './error-catalogue.ts'

/** What happened (`message`), the evidence (`why`), what to do (`remedy`). */
export const refusal = z.object({
  code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  why: z.string().optional(),
  remedy: z.string().optional(),
  /** Id of the request at the control plane, by which its logs can be found. */
  request: z.string().optional(),
  /** When it may be tried again, in seconds from now. */
  retryAfterS: z.number().int().positive().optional(),
  /** Version of the hive that there is, where another was asked for. */
  seq: z.int().nonnegative().optional(),
  /** JSON pointers into the request, where it is at fault. */
  errors: z.array(z.object({ pointer: z.string(), message: z.string() })).optional(),
})
export type Refusal = z.infer<typeof refusal>

export class HoldfastError extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal, options?: ErrorOptions) {
    super(refusal.message, options)
    this.name = 'HoldfastError'
    this.refusal = refusal
  }
}
