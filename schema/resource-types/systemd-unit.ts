import * as z from 'zod'
import { unitName } from '../undo.ts'

/** Properties of resource type `systemd-unit`: one service that only the cluster starts. */
export const systemdUnitProperties = z.strictObject({
  unit: unitName.describe(
    'Name of the unit, such as `postgresql@15-main.service`. The host policy must allow it.',
  ),
  stopTimeoutMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(60_000)
    .describe('How long its own stop may take before its processes are killed.'),
})
export type SystemdUnitProperties = z.infer<typeof systemdUnitProperties>
