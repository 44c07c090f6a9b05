/** Bodies about how nodes are fenced. */
import * as z from 'zod'
import { fenceAgentName, fenceOptions, fenceProbe } from '../fencing.ts'
import { bootId, instantMs, name } from '../ids.ts'
import { LIMITS } from '../limits.ts'
import { reference } from './reference.ts'

/** How a node is fenced. Secrets are on the helpers, and nowhere here. */
export const fenceView = z.object({
  agent: z.string(),
  options: z.record(z.string(), z.string()),
  secrets: z.string().nullable(),
  /** Names; null: every other node, in list order. */
  helpers: z.array(z.string()).nullable(),
  timeoutMs: z.int(),
  attempts: z.int(),
  /** What holds for this node now, the default of the profile included. */
  delayMs: z.int(),
  switchOn: z.boolean(),
})
export type FenceView = z.infer<typeof fenceView>

/** A node that is Up and has no session, in a cluster with fencing. */
export const lostView = z.object({
  cause: z.enum(['socketClosed', 'silent', 'restart']),
  sinceMs: instantMs,
  /** What its groups wait for. */
  waitsFor: z.enum(['return', 'fence', 'confirmation', 'lease']),
  /** The helper that is fencing it now. */
  helper: z.string().nullable(),
  failures: z.array(z.object({ helper: z.string(), reason: z.string() })),
  /** When the next round begins, after all helpers have failed. */
  retryAtMs: instantMs.nullable(),
})
export type LostView = z.infer<typeof lostView>

export const setFence = z.strictObject({
  agent: fenceAgentName.describe('A ClusterLabs fence agent by name, such as fence_ipmilan.'),
  options: fenceOptions
    .default({})
    .describe('What the agent takes, such as ip and plug. Not for secrets: all nodes read it.'),
  secrets: name
    .nullable()
    .default(null)
    .describe('Name of a file on the helpers that only root can read; its options win.'),
  helpers: z
    .array(reference)
    .min(1)
    .max(LIMITS.nodesMax)
    .nullable()
    .default(null)
    .describe('Nodes that may run it, in this order; null: every other node.'),
  timeoutMs: z
    .int()
    .min(100)
    .max(LIMITS.fenceTimeoutMaxMs)
    .default(60_000)
    .describe('Milliseconds for one attempt: switching off, and being told that it is off.'),
  attempts: z
    .int()
    .min(1)
    .max(LIMITS.fenceAttemptsMax)
    .default(2)
    .describe('Attempts of each helper before the next one is asked.'),
  delayMs: z
    .int()
    .nonnegative()
    .max(LIMITS.fenceTimeoutMaxMs)
    .nullable()
    .default(null)
    .describe(
      'Milliseconds a node whose connection closed may take to come back; null: one ping, 1 s at least.',
    ),
  switchOn: z.boolean().default(true).describe('Whether it is switched on again afterwards.'),
})
export const confirmFence = z.strictObject({
  /** The boot that was shown: if it is another one by now, nothing is done (F5). */
  boot: bootId,
  view: z.int().nonnegative().optional(),
})
export const testFence = z.strictObject({ helper: reference.optional() })
export const fenceTested = z.object({
  node: z.string(),
  agent: z.string(),
  helpers: z.array(
    z.object({
      helper: z.string(),
      /** Why it could not be tried at all, or null. */
      fault: z.string().nullable(),
      probes: z.array(fenceProbe),
    }),
  ),
})
export type FenceTested = z.infer<typeof fenceTested>
