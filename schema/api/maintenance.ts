/** Bodies about maintenance: what is observed only, whose wish that is, and until when. */
import * as z from 'zod'
import { durationMs, instantMs } from '../ids.ts'
import { LIMITS } from '../limits.ts'
import { maintenanceReason, maintenanceScope } from '../maintenance.ts'
import { reference } from './reference.ts'

/** Of the cluster itself no name is needed. */
export const maintenanceSubject = z
  .strictObject({
    scope: maintenanceScope.describe('What it is about.'),
    name: reference.optional().describe('Name or GUID; left out for the cluster.'),
  })
  .refine(({ scope, name }) => (scope === 'cluster') === (name === undefined), {
    error: 'name the node, group or resource; the cluster has no name here',
  })

export const startMaintenance = maintenanceSubject.safeExtend({
  reason: maintenanceReason.describe('Why, in a line.'),
  forMs: durationMs
    .min(1_000)
    .max(LIMITS.maintenanceMaxMs)
    .default(2 * 3_600_000)
    .describe('It ends by itself after this.'),
})

export const maintenanceView = z.object({
  scope: maintenanceScope,
  id: z.string(),
  name: z.string(),
  by: z.string(),
  reason: z.string(),
  sinceMs: instantMs,
  untilMs: instantMs,
})
export type MaintenanceView = z.infer<typeof maintenanceView>
