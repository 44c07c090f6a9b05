/** What an organisation has, beside what it may have. */
import * as z from 'zod'
import { LIMITS } from '../limits.ts'
import { quotas } from '../quotas.ts'

const count = z.int().nonnegative()

export const clusterUsage = z.object({
  nodes: count,
  groups: count,
  resources: count,
  /** Of its object's database: configuration, journal, events, logs. */
  storedBytes: count,
})
export type ClusterUsage = z.infer<typeof clusterUsage>

const day = z.iso.date()

/** Of one day (UTC). */
export const usageDay = z.object({
  day,
  clusters: count,
  /** Those that its clusters had. */
  nodes: count,
  groups: count,
  /** Hours that nodes were up, added up. */
  nodeHours: z.number().nonnegative(),
  apiCalls: count,
  /** Attempts to deliver, whatever came of them. */
  webhooks: count,
  failovers: count,
})
export type UsageDay = z.infer<typeof usageDay>

export const usageQuery = z
  .strictObject({
    /** Clusters behind this name. */
    after: z.string().max(LIMITS.nameLengthMax).optional(),
    /** Days in place of clusters, both included; `to` absent: today. */
    from: day.optional(),
    to: day.optional(),
  })
  .refine(({ from, to }) => from !== undefined || to === undefined, {
    error: '`to` is the end of what begins with `from`',
    path: ['to'],
  })
export type UsageQuery = z.infer<typeof usageQuery>

export const usage = z.object({
  organisation: z.string(),
  quotas,
  /** Those of the organisation. */
  clusters: count,
  /** Those that are told of in this answer, by name; `usage` null: it did not answer in time. */
  each: z.array(z.object({ cluster: z.string(), usage: clusterUsage.nullable() })),
  /** Where `from` is given; no cluster is asked then. */
  days: z.array(usageDay).optional(),
})
export type Usage = z.infer<typeof usage>
