/** What an organisation has, beside what it may have. */
import * as z from 'zod'
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

export const usage = z.object({
  organisation: z.string(),
  quotas,
  /** Those of the organisation. */
  clusters: count,
  /** Those that are told of in this answer, by name; `usage` null: it did not answer in time. */
  each: z.array(z.object({ cluster: z.string(), usage: clusterUsage.nullable() })),
})
export type Usage = z.infer<typeof usage>
