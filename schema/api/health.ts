/** Health of the managers themselves (S-14): not of what they look after, but whether they do. */
import * as z from 'zod'

export const managerView = z.object({
  /** As in the log: EVT, DM, GUM, COMM, NM, FM, RCM, TIME. */
  manager: z.enum(['EVT', 'DM', 'GUM', 'COMM', 'NM', 'FM', 'RCM', 'TIME']),
  ok: z.boolean(),
  /** What it has to show for it, or what is wrong. */
  detail: z.string(),
})
export type ManagerView = z.infer<typeof managerView>

export const clusterHealth = z.object({ ok: z.boolean(), managers: z.array(managerView) })

/** Of the control plane as a whole: nothing about any cluster, so that it needs no key. */
export const health = z.object({
  ok: z.boolean(),
  version: z.string(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })).default([]),
})
