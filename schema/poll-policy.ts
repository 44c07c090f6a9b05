import * as z from 'zod'

export const pollPolicy = z.strictObject({
  /** The seeds' naming; Microsoft's documents swap the two. */
  isAliveMs: z
    .int()
    .min(200)
    .max(3_600_000)
    .describe('IsAlive, the quick status check: every so many milliseconds.'),
  looksAliveMs: z
    .int()
    .min(1_000)
    .max(24 * 3_600_000)
    .describe('LooksAlive, the thorough check: every so many milliseconds.'),
  pendingMs: z
    .int()
    .min(100)
    .max(24 * 3_600_000)
    .describe('Milliseconds since the last progress after which a start or stop has failed.'),
  deadlockMs: z
    .int()
    .min(100)
    .max(24 * 3_600_000)
    .describe('Milliseconds without any answer after which the module is held to hang.'),
})
export type PollPolicy = z.infer<typeof pollPolicy>
