import type * as z from 'zod'
import type { PollPolicy, RestartPolicy } from '../hive.ts'
import { httpEndpointProperties, tcpEndpointProperties } from './endpoints.ts'
import { fileSystemProperties } from './file-system.ts'
import { ipAddressProperties } from './ip-address.ts'
import { ocfProperties } from './ocf.ts'
import { processProperties } from './process.ts'
import { scriptProperties } from './script.ts'
import { virtualMachineProperties } from './virtual-machine.ts'

/** What the control plane knows of a type without its module: enough to refuse bad properties. */
export interface TypeInfo {
  readonly type: string
  readonly title: string
  readonly properties: z.ZodType
  readonly poll: PollPolicy
  /** It only watches what others start: nothing of it is ever on a guard's record. */
  readonly startsNothing?: true
}

/** IsAlive 5 s, LooksAlive 60 s (S-94); pending 180 s, deadlock 300 s (WSFC). */
const DEFAULT_POLL: PollPolicy = {
  isAliveMs: 5_000,
  looksAliveMs: 60_000,
  pendingMs: 180_000,
  deadlockMs: 300_000,
}

/** An endpoint that does not answer within this has failed: its group is not kept waiting for long. */
const ENDPOINT_POLL: PollPolicy = { ...DEFAULT_POLL, pendingMs: 30_000 }

export const DEFAULT_RESTART: RestartPolicy = {
  attempts: 3,
  periodMs: 15 * 60_000,
  delayMs: 500,
  retryAfterMs: 3_600_000,
}

/** Failover threshold null = nodes - 1, in 6 hours (WSFC). */
export const DEFAULT_FAILOVER_PERIOD_MS = 6 * 3_600_000

const TYPES: readonly TypeInfo[] = [
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
  {
    type: 'script',
    title: 'An executable that starts, stops and checks something',
    properties: scriptProperties,
    poll: DEFAULT_POLL,
  },
  {
    type: 'ocf',
    title: 'Whatever an OCF resource agent of the host manages',
    properties: ocfProperties,
    poll: DEFAULT_POLL,
  },
  {
    type: 'ip-address',
    title: 'An IPv4 or IPv6 address on a device',
    properties: ipAddressProperties,
    poll: DEFAULT_POLL,
  },
  {
    type: 'file-system',
    title: 'A mounted file system',
    properties: fileSystemProperties,
    poll: DEFAULT_POLL,
  },
  {
    type: 'http-endpoint',
    title: 'A web address that has to answer',
    properties: httpEndpointProperties,
    poll: ENDPOINT_POLL,
    startsNothing: true,
  },
  {
    type: 'tcp-endpoint',
    title: 'A port that has to accept connections',
    properties: tcpEndpointProperties,
    poll: ENDPOINT_POLL,
    startsNothing: true,
  },
]

export const RESOURCE_TYPES: ReadonlyMap<string, TypeInfo> = new Map(
  TYPES.map((info) => [info.type, info]),
)
