import * as z from 'zod'
import { LIMITS } from '../limits.ts'

/** A name or GUID of something that exists. */
export const reference = z.string().min(1).max(LIMITS.nameLengthMax)
