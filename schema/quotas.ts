/** What an organisation may have: less than what the product itself can bear. */
import * as z from 'zod'
import { LIMITS } from './limits.ts'

const upTo = (most: number) => z.int().nonnegative().max(most)

export const quotas = z.strictObject({
  /** Of the organisation. */
  clusters: upTo(LIMITS.clustersMax),
  /** Of each of its clusters. */
  nodes: upTo(LIMITS.nodesMax),
  groups: upTo(LIMITS.groupsMax),
  resources: upTo(LIMITS.resourcesMax),
})
export type Quotas = z.infer<typeof quotas>

/** What nobody says anything about. */
export const NO_QUOTAS: Quotas = {
  clusters: LIMITS.clustersMax,
  nodes: LIMITS.nodesMax,
  groups: LIMITS.groupsMax,
  resources: LIMITS.resourcesMax,
}
