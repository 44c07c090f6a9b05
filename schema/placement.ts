/** Where groups may and should be: policies, room and rules. The deciding is done in worker/core. */
import * as z from 'zod'
import { guid, instantMs, name, source } from './ids.ts'
import { LIMITS } from './limits.ts'

/**
 * In which order nodes are asked, after those that a group prefers: the node list as it is, fewest
 * online groups first, or most room first. Equals are asked in list order.
 */
export const placementPolicy = z.enum(['list', 'least-active', 'capacity'])
export type PlacementPolicy = z.infer<typeof placementPolicy>

/**
 * Named capacities in plain numbers, such as `{"mem": 64, "cpu": 16}`: what a node has, and what a
 * group needs while it is wanted online. The units are the operator's. A node has no limit of what
 * it does not name.
 */
export const amounts = z
  .record(z.string().regex(/^[a-z][a-zA-Z0-9_-]{0,31}$/), z.number().nonnegative().max(1e15))
  .refine((all) => Object.keys(all).length <= LIMITS.amountsMax, {
    error: `at most ${LIMITS.amountsMax} names`,
  })
export type Amounts = z.infer<typeof amounts>

/** What a host has of its own: processors, and memory in GiB. */
export const measured = z.strictObject({
  cpu: z.number().positive().max(1e6),
  mem: z.number().positive().max(1e9),
})
export type Measured = z.infer<typeof measured>

/** Higher is placed first, and displaces lower when room is short. Absent: 0. */
export const priority = z.int().min(-1_000_000).max(1_000_000)

/** Resources that one node starts at the same time. */
export const startsPerNode = z.int().min(1).max(1_000)
export const STARTS_PER_NODE = 100

/** A rack, a room, a site: what fails together. */
export const faultDomain = name

export const ruleKind = z.enum(['keepApart', 'keepTogether'])

/** Of groups that are wanted online: never, or always, on one node; soft: if it can be had. */
export const rule = z.strictObject({
  id: guid,
  name,
  kind: ruleKind,
  groups: z.array(guid).min(2).max(LIMITS.ruleGroupsMax),
  hard: z.boolean(),
  source: source.optional(),
  createdAtMs: instantMs,
  createdBy: z.string().max(128),
})
export type Rule = z.infer<typeof rule>
