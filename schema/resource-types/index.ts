import type * as z from 'zod'
import type { PollPolicy, RestartPolicy } from '../hive.ts'
import { processProperties } from './process.ts'
import { virtualMachineProperties } from './virtual-machine.ts'

/** What the control plane knows of a type without its module: enough to refuse bad properties. */
export interface TypeInfo {
  readonly type: string
  readonly title: string
  readonly properties: z.ZodType
  readonly poll: PollPolicy
}

/** IsAlive 5 s, LooksAlive 60 s (S-94); pending 180 s, deadlock 300 s (WSFC). */
const DEFAULT_POLL: PollPolicy = {
  isAliveMs: 5_000,
  looksAliveMs: 60_000,
  pendingMs: 180_000,
  deadlockMs: 300_000,
}

export const DEFAULT_RESTART: RestartPolicy = {
  attempts: 3,
  periodMs: 15 * 60_000,
  delayMs: 500,
  retryAfterMs: 3_600_000,
}

/** Failover threshold null = nodes - 1, in 6 hours (WSFC). */
export const DEFAULT_FAILOVER_PERIOD_MS = 6 * 3_600_000

export const RESOURCE_TYPES: ReadonlyMap<string, TypeInfo> = new Map(
  [
    {
      type: 'process',
      title: 'A program and everything it forks',
      properties: processProperties,
      poll: DEFAULT_POLL,
    },
    {
      type: 'virtual-machine',
      title: 'A virtual machine (libvirt domain)',
      properties: virtualMachineProperties,
      poll: DEFAULT_POLL,
    },
  ].map((info) => [info.type, info]),
)
