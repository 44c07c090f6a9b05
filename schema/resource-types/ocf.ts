import * as z from 'zod'

/** `ocf:PROVIDER:NAME`, as other cluster managers write it. */
export const OCF_AGENT = /^ocf:([A-Za-z0-9_][A-Za-z0-9_-]*):([A-Za-z0-9_][A-Za-z0-9_.-]*)$/

/** What an OCF agent's exit code says (OCF Resource Agent API 1.1). */
export const OCF_EXIT = {
  success: 0,
  genericError: 1,
  wrongArguments: 2,
  notImplemented: 3,
  noPermission: 4,
  notInstalled: 5,
  notConfigured: 6,
  notRunning: 7,
  promoted: 8,
  failedPromoted: 9,
  degraded: 190,
  degradedPromoted: 191,
} as const

const timeoutMs = z.int().min(100).max(3_600_000).optional()

/** Properties of resource type `ocf`: any OCF resource agent of the host. */
export const ocfProperties = z.strictObject({
  agent: z
    .string()
    .max(200)
    .regex(OCF_AGENT, 'ocf:PROVIDER:NAME, such as ocf:heartbeat:IPaddr2')
    .describe('The agent, as `ocf:PROVIDER:NAME`. The host policy must allow it.'),
  parameters: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_-]*$/)
        .max(256),
      z.string().max(32_768),
    )
    .default({})
    .describe('Parameters of the agent. One that its meta-data does not name is refused.'),
  depth: z
    .int()
    .min(0)
    .max(100)
    .optional()
    .describe('OCF_CHECK_LEVEL of LooksAlive; absent: the deepest monitor of the meta-data.'),
  timeouts: z
    .strictObject({
      startMs: timeoutMs.describe('`start`.'),
      stopMs: timeoutMs.describe('`stop`.'),
      monitorMs: timeoutMs.describe('`monitor`.'),
    })
    .prefault({})
    .describe('How long an action may take; absent: what the meta-data says.'),
})
export type OcfProperties = z.infer<typeof ocfProperties>
