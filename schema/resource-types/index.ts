import * as z from 'zod'
import type { Controls } from '../control.ts'
import type { PollPolicy, RegisteredType, RestartPolicy } from '../hive.ts'
import { controlsOf, propertiesSchema } from '../module-manifest.ts'
import { CONTROLS } from './controls.ts'
import { httpEndpointProperties, tcpEndpointProperties } from './endpoints.ts'
import { fileSystemProperties } from './file-system.ts'
import { ipAddressProperties } from './ip-address.ts'
import { ocfProperties } from './ocf.ts'
import { processProperties } from './process.ts'
import { scriptProperties } from './script.ts'
import { systemdUnitProperties } from './systemd-unit.ts'
import { virtualMachineProperties } from './virtual-machine.ts'

/** What the control plane knows of a type without its module: enough to refuse bad properties. */
export interface TypeInfo {
  readonly type: string
  readonly title: string
  readonly properties: z.ZodType
  /** Which kind of process hosts its module (S-23). */
  readonly host: 'rhs' | 'rhs-exec'
  readonly poll: PollPolicy
  /** What an operator may ask of a resource of it. */
  readonly controls?: Controls
  /** How its state can travel in a planned move (M1, S-92). `quick`: the property that says where to. */
  readonly moves?: { readonly live?: true; readonly quick?: string }
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
    host: 'rhs',
    properties: processProperties,
    poll: DEFAULT_POLL,
    controls: CONTROLS.process,
  },
  {
    type: 'virtual-machine',
    title: 'A virtual machine (libvirt domain)',
    host: 'rhs',
    properties: virtualMachineProperties,
    poll: DEFAULT_POLL,
    controls: CONTROLS['virtual-machine'],
    moves: { live: true, quick: 'saveFolder' },
  },
  {
    type: 'script',
    title: 'An executable that starts, stops and checks something',
    host: 'rhs-exec',
    properties: scriptProperties,
    poll: DEFAULT_POLL,
  },
  {
    type: 'ocf',
    title: 'Whatever an OCF resource agent of the host manages',
    host: 'rhs-exec',
    properties: ocfProperties,
    poll: DEFAULT_POLL,
    controls: CONTROLS.ocf,
  },
  {
    type: 'ip-address',
    title: 'An IPv4 or IPv6 address on a device',
    host: 'rhs',
    properties: ipAddressProperties,
    poll: DEFAULT_POLL,
    controls: CONTROLS['ip-address'],
  },
  {
    type: 'file-system',
    title: 'A mounted file system',
    host: 'rhs',
    properties: fileSystemProperties,
    poll: DEFAULT_POLL,
    controls: CONTROLS['file-system'],
  },
  {
    type: 'systemd-unit',
    title: 'A service of systemd that only the cluster starts',
    host: 'rhs',
    properties: systemdUnitProperties,
    poll: DEFAULT_POLL,
    controls: CONTROLS['systemd-unit'],
  },
  {
    type: 'http-endpoint',
    title: 'A web address that has to answer',
    host: 'rhs',
    properties: httpEndpointProperties,
    poll: ENDPOINT_POLL,
    startsNothing: true,
  },
  {
    type: 'tcp-endpoint',
    title: 'A port that has to accept connections',
    host: 'rhs',
    properties: tcpEndpointProperties,
    poll: ENDPOINT_POLL,
    startsNothing: true,
  },
]

export const RESOURCE_TYPES: ReadonlyMap<string, TypeInfo> = new Map(
  TYPES.map((info) => [info.type, info]),
)

/** A type that comes with the probe, or one of the cluster's own; undefined: there is none. */
export function typeInfo(
  registered: ReadonlyMap<string, RegisteredType>,
  type: string,
): TypeInfo | undefined {
  const shipped = RESOURCE_TYPES.get(type)
  const own = registered.get(type)?.manifest
  if (shipped || !own) return shipped
  const { title, host, way, properties } = own
  const poll = Object.entries(own.poll ?? {}).filter(([, value]) => value !== undefined)
  return {
    ...{ type, title, host, properties: propertiesSchema(properties) },
    poll: { ...DEFAULT_POLL, ...Object.fromEntries(poll) },
    controls: controlsOf(own),
    ...(way === undefined && { startsNothing: true }),
  }
}

/** JSON Schema of what a resource of this type may be told, for people and forms. */
export function jsonSchemaOf(
  registered: ReadonlyMap<string, RegisteredType>,
  info: TypeInfo,
): z.core.util.JSONType {
  const own = RESOURCE_TYPES.has(info.type) ? undefined : registered.get(info.type)
  const schema = own?.manifest.properties ?? z.toJSONSchema(info.properties, { io: 'input' })
  return schema as z.core.util.JSONType
}

/** Its control codes, for people and forms. */
export function controlViews({ controls = {} }: TypeInfo) {
  return Object.entries(controls).map(([code, { title, changes, input }]) => ({
    ...{ code, title, changes },
    input: z.toJSONSchema(input, { io: 'input' }) as z.core.util.JSONType,
  }))
}
