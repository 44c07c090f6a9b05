/**
 * Operations: what an operator asked for and what takes its time. Each is told from what the cluster has
 * committed and heard since; nothing of it is kept twice, and it goes on whether or not anybody watches.
 */
import * as z from 'zod'
import { instantMs } from '../ids.ts'
import { LIMITS } from '../limits.ts'
import { done } from './bodies.ts'

export const operationKind = z.enum(['move', 'failover', 'failback', 'drain', 'online', 'offline'])
export type OperationKind = z.infer<typeof operationKind>

export const operationState = z.enum([
  'running',
  /** It goes on as soon as something else allows it: a node that can take the group, another group. */
  'waiting',
  'done',
  /** It is over, and not as wished. */
  'problems',
  'cancelled',
  /** Something else was asked for before it was done. */
  'superseded',
])
export type OperationState = z.infer<typeof operationState>

export const stepState = z.enum(['pending', 'running', 'waiting', 'done', 'failed'])
export type StepState = z.infer<typeof stepState>

export const operationStep = z.object({
  /** `carry`: its state travels, live or by way of a file. `leave`: all of a group, from stop to start. */
  what: z.enum(['stop', 'carry', 'place', 'start', 'leave']),
  /** The resource or group. */
  subject: z.string(),
  /** Where it is done; null: it is not known yet. */
  node: z.string().nullable(),
  state: stepState,
  fromMs: instantMs.nullable(),
  /** Until now, as long as it goes on; null: it has not begun. */
  ms: z.number().nonnegative().nullable(),
  /** It has failed when it goes on for so long without any progress; null: nothing limits it. */
  limitMs: z.number().nonnegative().nullable(),
  detail: z.string().nullable(),
})
export type OperationStep = z.infer<typeof operationStep>

export const outage = z.object({
  ms: z.number().nonnegative(),
  /** `atMost`: nobody could see when it began, or its state travelled. */
  is: z.enum(['measured', 'atMost']),
})
export type Outage = z.infer<typeof outage>

/** A group that is taken from one node to another. */
export const operationGroup = z.object({
  group: z.string(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  state: stepState,
  /** How long it was away; null: it is not over yet, or was not there before. */
  outage: outage.nullable(),
})

export const operationView = z.object({
  /** The id of the cause: that of `timeline`, and of every log line about it (S-82). */
  id: z.string(),
  kind: operationKind,
  subject: z.object({ kind: z.enum(['node', 'group', 'resource']), name: z.string() }),
  by: z.string(),
  state: operationState,
  /** One sentence: how it stands, or how it ended. */
  summary: z.string(),
  beganAtMs: instantMs,
  endedAtMs: instantMs.nullable(),
  elapsedMs: z.number().nonnegative(),
  /** When every step takes all the time that it has; null: nothing limits it. */
  limitMs: z.number().nonnegative().nullable(),
  progress: z.object({ done: z.int().nonnegative(), of: z.int().nonnegative() }),
  /** What cancelling it does; null: it is over, or cannot be undone. */
  cancel: z.string().nullable(),
  groups: z.array(operationGroup),
  steps: z.array(operationStep),
})
export type OperationView = z.infer<typeof operationView>

/** As a list tells of it: without its steps and groups. */
export const operationSummary = operationView.omit({ steps: true, groups: true })
export type OperationSummary = z.infer<typeof operationSummary>

export const operationsQuery = z.strictObject({
  /** Only those that are not over. */
  open: z.enum(['true', 'false']).optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.operationsMax).optional(),
})

/** Accepted: what goes on is under this id; null where there was nothing to do. */
export const begun = done.extend({ operation: z.string().nullable() })

export const cancelOperation = z.strictObject({
  failback: z
    .enum(['now', 'policy', 'never'])
    .default('policy')
    .describe('Of a drain: what becomes of the groups that have left already.'),
})
