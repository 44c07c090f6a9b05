import * as z from 'zod'

/** Properties of resource type `process`: one command and everything it forks. */
export const processProperties = z.strictObject({
  command: z
    .string()
    .regex(/^\//, 'an absolute path')
    .max(4_096)
    .describe('Absolute path of the program. The host policy must allow it.'),
  args: z.array(z.string().max(32_768)).max(1_000).default([]).describe('Arguments.'),
  env: z
    .record(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
        .max(256),
      z.string().max(32_768),
    )
    .default({})
    .describe('Environment, besides HOLDFAST_EPOCH, HOLDFAST_GROUP and HOLDFAST_NODE.'),
  cwd: z.string().regex(/^\//).max(4_096).optional().describe('Working directory.'),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]*$/)
    .max(32)
    .optional()
    .describe('Runs as this user.'),
  stopSignal: z
    .enum(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'])
    .default('SIGTERM')
    .describe('Asks the program to end.'),
  stopTimeoutMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(5_000)
    .describe('After this long it is killed.'),
  /** Reads the first line from here as its sign of readiness; absent: online once it runs. */
  startGraceMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(0)
    .describe('It is online when it has lived this long.'),
})
export type ProcessProperties = z.infer<typeof processProperties>
