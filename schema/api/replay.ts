/** The journal taken through the cluster's decisions once more, under another policy. */
import * as z from 'zod'
import { durationMs, instantMs } from '../ids.ts'
import { pollPolicy } from '../poll-policy.ts'
import { profileName } from '../timing.ts'
import { reference } from './reference.ts'

export const replayPolicy = z
  .strictObject({
    isAliveMs: pollPolicy.shape.isAliveMs.optional(),
    attempts: z
      .int()
      .nonnegative()
      .max(1_000)
      .optional()
      .describe('Restarts allowed within the period before the resource is Failed.'),
    failoverThreshold: z
      .int()
      .nonnegative()
      .max(1_000)
      .optional()
      .describe('Failovers allowed within the period.'),
    failoverPeriodMs: durationMs
      .optional()
      .describe('Milliseconds in which the failovers are counted.'),
    profile: profileName.optional().describe('Times of the leases.'),
  })
  .refine((policy) => Object.values(policy).some((value) => value !== undefined), {
    error: `nothing is set: give isAliveMs, attempts, failoverThreshold, failoverPeriodMs or profile`,
  })
export type ReplayPolicy = z.output<typeof replayPolicy>

export const replay = z.strictObject({
  sinceMs: instantMs.describe('From here on, as far as the journal reaches.'),
  group: reference.optional().describe('Only what is about this one.'),
  policy: replayPolicy,
})

/** A decision that was taken, or would have been. */
export const replayedDecision = z.object({
  atMs: instantMs,
  /** `failover`: of a group whose resource failed. `nodeLoss`: of all groups of a node. */
  kind: z.enum(['failover', 'nodeLoss']),
  node: z.string(),
  groups: z.array(z.string()),
  /** Of the timeline; null where nothing happened. */
  id: z.string().nullable(),
  happened: z.boolean(),
  would: z.boolean(),
  /** One sentence: what makes the difference, or that there is none. */
  why: z.string(),
})
export type ReplayedDecision = z.infer<typeof replayedDecision>

export const replayView = z.object({
  /** Where it began: later than was asked for when the journal is shorter. */
  sinceMs: instantMs,
  untilMs: instantMs,
  /** Entries of the journal that were looked at. */
  entries: z.int(),
  policy: z.record(z.string(), z.union([z.string(), z.number()])),
  decisions: z.array(replayedDecision),
  /** What the journal cannot tell about this policy. */
  unknown: z.array(z.string()),
})
export type ReplayView = z.infer<typeof replayView>
