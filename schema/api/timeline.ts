/** One change of owner, from what was seen until the group was healthy again, with its times. */
import * as z from 'zod'
import { epoch, instantMs } from '../ids.ts'
import { LIMITS } from '../limits.ts'
import { eventView } from './bodies.ts'
import { outage } from './operations.ts'

export const timelinePhase = z.enum(['detect', 'wait', 'stop', 'place', 'start'])
export type TimelinePhase = z.infer<typeof timelinePhase>

export const timelineView = z.object({
  /** The correlation id of what began it: all groups that one cause moved have it in common. */
  id: z.string(),
  group: z.string(),
  /** Reason code of the decision, e.g. `nodeLost`, `resourceFailed`, `operatorMove`. */
  code: z.string(),
  /** One sentence. */
  verdict: z.string(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  /** Epoch that it came up with; null while it has no owner. */
  epoch: epoch.nullable(),
  /** By the control plane's clock: what was seen first. */
  beganAtMs: instantMs,
  /** When all that is wanted online was; null: it is not yet, or it is not known any more. */
  healthyAtMs: instantMs.nullable(),
  phases: z.array(
    z.object({
      phase: timelinePhase,
      fromMs: instantMs,
      /** Null: it goes on. */
      ms: z.number().nonnegative().nullable(),
      what: z.string(),
    }),
  ),
  outage: outage.nullable(),
  /** What the decision was made on. */
  evidence: z.record(z.string(), z.union([z.string(), z.number()])),
  rule: z.string().nullable(),
  /** Nodes that were not taken, each with its reason. */
  rejected: z.array(z.object({ node: z.string(), reason: z.string() })),
  events: z.array(eventView),
})
export type TimelineView = z.infer<typeof timelineView>

export const timelineQuery = z.strictObject({
  /** Name or GUID; absent: of all groups. */
  group: z.string().max(64).optional(),
  /** Only those of this cause. */
  id: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.timelinesMax).optional(),
})
