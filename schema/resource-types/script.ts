import * as z from 'zod'

/** What a script can be called with, as its last argument. */
export const SCRIPT_ACTIONS = [
  'online',
  'offline',
  'terminate',
  'isAlive',
  'looksAlive',
  'open',
  'close',
  'retry',
] as const
export type ScriptAction = (typeof SCRIPT_ACTIONS)[number]

/** What a script's exit code says; every other one is a failure (3 and 7 as in OCF and LSB). */
export const SCRIPT_EXIT = { done: 0, notImplemented: 3, unknown: 5, notRunning: 7 } as const

const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
  .max(256)
const timeoutMs = z.int().min(100).max(3_600_000)

/** Properties of resource type `script`: one executable that knows how to start and stop something. */
export const scriptProperties = z.strictObject({
  command: z
    .string()
    .regex(/^\/(?!.*(?:^|\/)\.\.?(?:\/|$))/, 'an absolute path without "." and ".."')
    .max(4_096)
    .describe('Absolute path of the script. The host policy must allow it.'),
  args: z
    .array(z.string().max(32_768))
    .max(100)
    .default([])
    .describe('Arguments before the action, which is always the last one.'),
  env: z
    .record(variable, z.string().max(32_768))
    .default({})
    .describe('Environment, besides the HOLDFAST_ variables.'),
  parameters: z
    .record(variable, z.string().max(32_768))
    .default({})
    .describe('The script’s own settings; `port` is there as HOLDFAST_PROP_port.'),
  cwd: z.string().regex(/^\//).max(4_096).optional().describe('Working directory.'),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]*$/)
    .max(32)
    .optional()
    .describe('Runs as this user. The host policy must allow it.'),
  actions: z
    .array(z.enum(SCRIPT_ACTIONS))
    .max(SCRIPT_ACTIONS.length)
    .refine((list) => list.includes('online'), 'without `online` it could never be started')
    .default(['online', 'offline', 'isAlive'])
    .describe('Actions that the script has; it is not called with any other.'),
  timeouts: z
    .strictObject({
      onlineMs: timeoutMs.default(120_000).describe('`online` and `retry`.'),
      offlineMs: timeoutMs.default(60_000).describe('`offline`; then what is left is killed.'),
      terminateMs: timeoutMs.default(2_000).describe('`terminate`; then all of it is killed.'),
      checkMs: timeoutMs.default(10_000).describe('`isAlive` and `looksAlive`.'),
      otherMs: timeoutMs.default(10_000).describe('`open` and `close`.'),
    })
    .prefault({})
    .describe('How long each action may take before it is killed, with all that it has started.'),
})
export type ScriptProperties = z.infer<typeof scriptProperties>
