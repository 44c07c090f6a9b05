/** Bodies of `simulate` and `survivability`: what would happen, and nothing does. */
import * as z from 'zod'
import { LIMITS } from '../limits.ts'
import { maintenanceScope } from '../maintenance.ts'
import { reference } from './reference.ts'

const nodes = z.array(reference).min(1).max(LIMITS.nodesMax)

export const simulate = z.discriminatedUnion('what', [
  z.strictObject({ what: z.literal('nodeDown'), nodes: nodes.describe('Lost at the same time.') }),
  z.strictObject({
    what: z.literal('partition'),
    nodes: nodes.describe('Cut off from the control plane; their hosts go on.'),
  }),
  z.strictObject({ what: z.literal('drain'), nodes }),
  z.strictObject({
    what: z.literal('fail'),
    group: reference.describe('It fails where it is, beyond its restarts.'),
  }),
  /** As it would be looked after again. */
  z.strictObject({
    what: z.literal('maintenanceOff'),
    scope: maintenanceScope,
    name: reference.optional().describe('Name or GUID; left out for the cluster.'),
  }),
  z.strictObject({
    what: z.literal('move'),
    group: reference,
    to: reference.nullable().default(null).describe('Null: the best other node.'),
  }),
])
export type SimulateAsk = z.output<typeof simulate>

const reason = z.object({ node: z.string(), reason: z.string() })

/** A group that would not stay as it is. */
export const simulatedGroup = z.object({
  group: z.string(),
  from: z.string().nullable(),
  /** Null: no node could take it. */
  to: z.string().nullable(),
  /** Whether any of it is wanted online: else nobody would notice. */
  wanted: z.boolean(),
  /** Groups that it would wait for, wherever it is. */
  waitsFor: z.array(z.string()),
  /** Why no node could take it, one row a node. */
  reasons: z.array(reason),
})
export type SimulatedGroup = z.infer<typeof simulatedGroup>

/** A host that is cut off, and lives. */
export const cutOffHost = z.object({
  node: z.string(),
  /**
   * `stops`: what it runs, and it is taken over after that. `fenced`: it runs on until somebody has fenced it.
   * `runsOn`: nobody can fence it, so nothing is taken over until an operator confirms that it is off.
   */
  does: z.enum(['stops', 'fenced', 'runsOn']),
  /** Milliseconds from its last answered ping until it begins to stop; null: it does not. */
  stopsAfterMs: z.number().nullable(),
  /** Until others may have its groups; null: that depends on a fence. */
  takenOverAfterMs: z.number().nullable(),
})
export type CutOffHost = z.infer<typeof cutOffHost>

/** In the order in which they are placed. */
export const simulation = z.object({
  groups: z.array(simulatedGroup),
  /** Resources that would be started where their group is, which is no move. */
  restarts: z.array(z.object({ resource: z.string(), node: z.string(), status: z.string() })),
  /** Of a partition: what the hosts do that are cut off. */
  cutOff: z.array(cutOffHost),
})
export type Simulation = z.infer<typeof simulation>

export const survivabilityQuery = z.strictObject({
  /** How many nodes are lost at once. */
  lost: z.enum(['1', '2']).default('1'),
})

/** A node, or two with a comma. */
export const lossView = z.object({ node: z.string(), groups: z.array(simulatedGroup) })
export type LossView = z.infer<typeof lossView>

/** What the loss of each node that is up, or of each two, would come to, in list order. */
export const survivabilityView = z.object({ seq: z.int(), nodes: z.array(lossView) })
