/**
 * What ends that which outlives the processes of a start: an address on a device, a mount, whatever
 * an agent has set up. The guard has it on record before anything starts (G3, G9) and carries it out
 * by its own hand, as the last part of the stop procedure (G5): no module is needed for it, nor
 * waited for.
 */
import * as z from 'zod'

const path = z
  .string()
  .regex(/^\/(?!.*(?:^|\/)\.\.?(?:\/|$))/, 'an absolute path without "." and ".."')
  .max(4_096)

export const undo = z.discriminatedUnion('kind', [
  /** Takes an address, with its prefix length, from a device. */
  z.strictObject({
    kind: z.literal('address'),
    address: z.string().regex(/^[0-9A-Fa-f.:]+\/[0-9]{1,3}$/),
    device: z.string().regex(/^[A-Za-z0-9_.@-]{1,15}$/),
  }),
  /** Ends what holds a mount, and the mount. */
  z.strictObject({ kind: z.literal('mount'), target: path }),
  /** A program whose exit code 0 means that nothing is left; else it is called again. */
  z.strictObject({
    kind: z.literal('command'),
    command: path,
    args: z.array(z.string().max(32_768)).max(100),
    env: z.record(z.string().max(256), z.string().max(32_768)),
    timeoutMs: z.int().min(100).max(3_600_000),
  }),
])
export type Undo = z.infer<typeof undo>
