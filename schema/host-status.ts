/**
 * What a host says of itself to `holdfast-probe status` (S-25): the guard's own state, and the
 * tables that each resource monitor keeps of its modules and groups. Shown, never decided on.
 */
import * as z from 'zod'
import { epoch, guid } from './ids.ts'

/** Milliseconds on the host's clock since boot, as everything the guard says. */
const atMs = z.number().nonnegative()
const wanted = z.union([z.literal(0), z.literal(1)])

const call = z.strictObject({ fn: z.string(), name: z.string(), atMs })

/** One type in one monitor. */
const moduleRow = z.strictObject({
  type: z.string(),
  version: z.string(),
  host: z.enum(['rhs', 'rhs-exec']),
  /** Resources of the type here, and how many are in which status. */
  resources: z.int().nonnegative(),
  states: z.record(z.string(), z.int().positive()),
  calls: z.int().nonnegative(),
  lastCall: call.extend({ tookMs: z.number().nonnegative() }).nullable(),
  lastError: call.extend({ error: z.string().max(1_000) }).nullable(),
  open: z.array(call).max(100),
})
export type ModuleRow = z.infer<typeof moduleRow>

const check = z.strictObject({ atMs, tookMs: z.number().nonnegative() })

const memberRow = z.strictObject({
  guid,
  name: z.string(),
  type: z.string(),
  persistentState: wanted,
  status: z.string(),
  detail: z.string().max(1_000).optional(),
  restarts: z.int().nonnegative(),
})

/** One group in one monitor; a group with types of several monitors has a row in each. */
const groupRow = z.strictObject({
  groupId: guid,
  epoch,
  members: z.array(memberRow).max(10_000),
  isAlive: check.nullable(),
  looksAlive: check.nullable(),
})
export type GroupRow = z.infer<typeof groupRow>

export const monitorTables = z.strictObject({
  atMs,
  modules: z.array(moduleRow).max(100),
  groups: z.array(groupRow).max(10_000),
})
export type MonitorTables = z.infer<typeof monitorTables>

export interface MonitorStatus {
  readonly monitor: string
  readonly pid: number | null
  readonly generation: number
  readonly uptimeMs: number
  /** `no answer`: it did not say within a second. */
  readonly tables: MonitorTables | 'no answer'
}
