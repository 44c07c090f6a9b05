/**
 * Maintenance: something is observed, and nothing is done about its health. It ends by itself, and it says
 * whose it is and why. Leases, guards and fencing take no notice of it.
 */
import * as z from 'zod'
import { guid, instantMs } from './ids.ts'
import { LIMITS } from './limits.ts'

export const maintenanceScope = z.enum(['cluster', 'node', 'group', 'resource'])
export type MaintenanceScope = z.infer<typeof maintenanceScope>

/** One line, and something in it. */
export const maintenanceReason = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Cf}]*$/u, { error: 'one line of printable text' })

export const maintenance = z.strictObject({
  scope: maintenanceScope,
  id: guid,
  by: z.string().max(128),
  reason: maintenanceReason,
  sinceMs: instantMs,
  untilMs: instantMs,
})
export type Maintenance = z.infer<typeof maintenance>

export const maintenances = z.array(maintenance).min(1).max(LIMITS.maintenancesMax)

interface Subject {
  readonly nodeId: string | null
  readonly groupId: string
  /** Absent: the group as a whole is meant. */
  readonly resourceId?: string
}

/** The first one that is about it: its own, that of its node, or that of the cluster. */
export function maintenanceOf(
  all: readonly Maintenance[] | undefined,
  { nodeId, groupId, resourceId }: Subject,
): Maintenance | undefined {
  return all?.find(({ scope, id }) => {
    if (scope === 'cluster') return true
    if (scope === 'node') return id === nodeId
    return id === (scope === 'group' ? groupId : resourceId)
  })
}
