/** The local door of a guard: what `holdfast-probe` on the same host may ask, one line each way. */
import * as z from 'zod'
import { LIMITS } from './limits.ts'
import { typeAsk } from './type-asks.ts'

/** A name or GUID of a resource. */
const resource = z.string().min(1).max(LIMITS.nameLengthMax)

export const doorRequest = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('status') }),
  /** Give up membership once everything is released. */
  z.strictObject({ do: z.literal('leave') }),
  /** Everything is stopped by force and the guard ends, whether or not anybody hears of it. */
  z.strictObject({ do: z.literal('end') }),
  /** A deliberate local stop: durable here, and PersistentState 0 in the hive once it is told. */
  z.strictObject({
    do: z.literal('stop'),
    resource,
    /** At once (Terminate) instead of gracefully (Offline). */
    kill: z.boolean(),
  }),
  z.strictObject({ do: z.literal('type'), ask: typeAsk }),
  /** Module files or their pins have changed: the monitors that host them begin anew. */
  z.strictObject({
    do: z.literal('modulesChanged'),
    /** Files have, whose pins are the same. */
    files: z.boolean(),
  }),
])
export type DoorRequest = z.infer<typeof doorRequest>
