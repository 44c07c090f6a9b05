import * as z from 'zod'
import { failback } from '../failback.ts'
import { pollPolicy, restartPolicy } from '../hive.ts'
import { durationMs } from '../ids.ts'
import { amounts, priority } from '../placement.ts'

export const restartSettings = restartPolicy.partial()
export const pollSettings = pollPolicy.partial()
export const groupSettings = z.strictObject({
  failoverThreshold: z
    .int()
    .nonnegative()
    .max(1_000)
    .nullable()
    .optional()
    .describe('Failovers allowed within the period; null: number of nodes - 1.'),
  failoverPeriodMs: durationMs.optional().describe('Milliseconds in which failovers are counted.'),
  failback: failback
    .optional()
    .describe('When it goes back to a node that it prefers: off, at once, or within hours.'),
  priority: priority
    .optional()
    .describe('Higher is placed first, and displaces lower when room is short.'),
  needs: amounts
    .optional()
    .describe('What it takes of a node while it is wanted online, by name, such as mem and cpu.'),
})
