/**
 * The hive: the cluster configuration database. All durable *intent* of one cluster. What is only
 * observed (status) is never in here (S-65); see `observed.ts`.
 */
import * as z from 'zod'
import { carried, carry, resumeFrom } from './carry.ts'
import { failback } from './failback.ts'
import { fenceConfig, lastFence, takeover } from './fencing.ts'
import {
  bootId,
  detail,
  durationMs,
  epoch,
  guid,
  instantMs,
  name,
  publicKey,
  source,
  typeName,
} from './ids.ts'
import { LIMITS } from './limits.ts'
import { maintenanceReason, maintenances } from './maintenance.ts'
import { moduleManifest, version } from './module-manifest.ts'
import {
  amounts,
  faultDomain,
  measured,
  placementPolicy,
  priority,
  type Rule,
  rule,
  startsPerNode,
} from './placement.ts'
import { pollPolicy } from './poll-policy.ts'
import { profileName } from './timing.ts'

export { type PollPolicy, pollPolicy } from './poll-policy.ts'

export const cluster = z.strictObject({
  id: guid,
  name,
  profile: profileName,
  /** What happens to groups of a node that is not heard of. */
  takeover,
  /** Grows with each change of the takeover policy; absent: 0. */
  policyNumber: z.int().nonnegative().optional(),
  /** Absent: `list`. */
  placement: placementPolicy.optional(),
  /** Absent: as many as `STARTS_PER_NODE` says. */
  startsPerNode: startsPerNode.optional(),
  /** What is observed only, each until its time. */
  maintenance: maintenances.optional(),
  /** Membership view number: grows by one with each join and evict (S-03). */
  view: z.int().nonnegative(),
  formedAtMs: instantMs,
})
export type Cluster = z.infer<typeof cluster>

export const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** One resource type that a node has a module of, or should have. */
export const hostedType = z.strictObject({
  type: typeName,
  version: z.string().max(32),
  sha256,
  /** Why it cannot host it after all: its file is corrupt or gone, or the host policy lacks it. */
  problem: detail.optional(),
  /** What the host policy allows of it, in words. */
  allows: detail.optional(),
})
export type HostedType = z.infer<typeof hostedType>

/** A type that does not come with the probe, as the cluster knows it (S-55, S-56). */
export const registeredType = z.strictObject({
  /** Of the file that was registered last. */
  manifest: moduleManifest,
  /** Files that count as this type, oldest first: a node with any other file is not eligible. */
  versions: z.array(z.strictObject({ version, sha256 })).min(1).max(LIMITS.typeVersionsMax),
})
export type RegisteredType = z.infer<typeof registeredType>

export const node = z.strictObject({
  id: guid,
  name,
  publicKey,
  /** Position in the ordered node list (S-02); lower comes first. */
  position: z.int().nonnegative(),
  /** `leaving`: its host shuts down in an orderly way; it takes no new groups. */
  state: z.enum(['down', 'up', 'leaving']),
  paused: z.boolean(),
  /** Every group leaves it as soon as another node can take it (S-18). It is paused too. */
  draining: z.strictObject({ sinceMs: instantMs, by: z.string().max(128) }).optional(),
  /** What it has, as an operator has declared. */
  capacity: amounts.optional(),
  /** What its host has said to have: counts where nothing is declared. Neither: no limits are known. */
  measured: measured.optional(),
  faultDomain: faultDomain.optional(),
  /** Grows each time the node is declared Down (D4). */
  epoch,
  /** The boot that reported last (F3), or null before the first report. */
  bootId: bootId.nullable(),
  /** Names its guard's memory of what runs, as reported last; absent before the first report. */
  guard: guid.optional(),
  /** The session whose report was accepted last (S2, O2). */
  session: z.int().nonnegative(),
  types: z.array(hostedType).max(LIMITS.hostedTypesMax),
  /**
   * The takeover policy that its guard may act by: `fence` from before it is told so, until it has
   * acknowledged `lease` (docs/decisions/fencing.md). While it is `fence`, D3 is closed to it.
   */
  under: takeover.optional(),
  /** How it is fenced; absent: by an operator only. */
  fence: fenceConfig.optional(),
  lastFence: lastFence.optional(),
  /** Boots that were declared over, oldest first: their reports are refused (F3). */
  overBoots: z.array(bootId).max(LIMITS.overBootsKept).optional(),
  /** When it was lost: declared Down without a goodbye. Only those that may still count. */
  losses: z.array(instantMs).max(LIMITS.lossesKept).optional(),
  /** Lost too often: until then it takes groups only when nobody else can. */
  quarantinedUntilMs: instantMs.optional(),
  joinedAtMs: instantMs,
})
export type Node = z.infer<typeof node>

/** Why a group is being taken from a living owner. */
export const releaseReason = z.enum([
  'move',
  'failover',
  'failback',
  'displaced',
  'hostShutdown',
  'delete',
])
export type ReleaseReason = z.infer<typeof releaseReason>

/**
 * Who may run a group. One row per group: the epoch grows with each placement (C2) and is the
 * fencing token that workloads get as HOLDFAST_EPOCH.
 */
/** Ties together all that came from one cause, across hops and messages (S-82). */
const correlationId = z.string().max(64)

export const ownership = z.discriminatedUnion('phase', [
  /** Nobody may run it. `lastOwner` is tried last after a failover. */
  z.strictObject({
    phase: z.literal('free'),
    owner: z.null(),
    epoch,
    lastOwner: guid.nullable(),
    /** The target of the planned move that freed it, tried first. */
    to: guid.nullable(),
    /** Groups of lower priority leave `to` to make room for it. */
    room: z.literal(true).optional(),
    reason: z.enum(['created', 'released', 'nodeLost', 'missingFromReport']),
    /** Its state waits to be gone on from, at the next epoch and never later. */
    copy: carried.optional(),
    correlationId,
  }),
  z.strictObject({
    phase: z.literal('owned'),
    owner: guid,
    epoch,
    /** What the owner may go on from, if it has it: else it starts cold. */
    resume: resumeFrom.optional(),
    correlationId,
  }),
  /** The owner has been told to stop it and to say when nothing runs (C5). */
  z.strictObject({
    phase: z.literal('releasing'),
    owner: guid,
    epoch,
    to: guid.nullable(),
    reason: releaseReason,
    /** Its state is to travel. */
    carry: carry.optional(),
    correlationId,
  }),
])
export type Ownership = z.infer<typeof ownership>

export const group = z.strictObject({
  id: guid,
  name,
  ownership,
  /** Ordered; tried before the rest of the node list. */
  preferredOwners: z.array(guid).max(LIMITS.nodesMax),
  /** Before all of these: an operator has moved it there, and said that it stays until then. */
  stick: z
    .strictObject({
      node: guid,
      by: z.string().max(128),
      reason: maintenanceReason,
      sinceMs: instantMs,
      untilMs: instantMs,
    })
    .optional(),
  /** Failovers allowed in the period; null means number of nodes - 1. */
  failoverThreshold: z.int().nonnegative().max(1_000).nullable(),
  failoverPeriodMs: durationMs,
  /** Absent: off. */
  failback: failback.optional(),
  /** It left a node that was drained; what an operator said on resuming that node. */
  drained: z.strictObject({ from: guid, back: z.enum(['unsaid', 'now', 'never']) }).optional(),
  priority: priority.optional(),
  /** Groups that have to be online before it comes online; it goes on without them (S-93). */
  after: z.array(guid).max(LIMITS.groupDependenciesMax).optional(),
  /** Groups without which it is taken offline. */
  onlyWhile: z.array(guid).max(LIMITS.groupDependenciesMax).optional(),
  /** Those of them that it waits for now: until they are online nothing of it is to run. */
  waitsFor: z
    .array(guid)
    .min(1)
    .max(2 * LIMITS.groupDependenciesMax)
    .optional(),
  /** What it takes of a node while it is wanted online. */
  needs: amounts.optional(),
  /** Failovers because of a failure within the period: when, and where it had failed. */
  failovers: z.array(z.strictObject({ atMs: instantMs, nodeId: guid })).max(1_000),
  source: source.optional(),
  createdAtMs: instantMs,
})
export type Group = z.infer<typeof group>

export const restartPolicy = z.strictObject({
  attempts: z
    .int()
    .nonnegative()
    .max(1_000)
    .describe('Restarts allowed within the period before the resource is Failed.'),
  periodMs: durationMs.describe('Milliseconds in which the attempts are counted.'),
  delayMs: durationMs.describe('Milliseconds before each restart.'),
  retryAfterMs: durationMs.describe(
    'Milliseconds after which a Failed resource that could go nowhere is tried again.',
  ),
})
export type RestartPolicy = z.infer<typeof restartPolicy>

/** S-93: lists of GUIDs, of each of which one is needed. */
export const alternatives = z
  .array(z.array(guid).min(1).max(LIMITS.dependenciesMax))
  .min(1)
  .max(LIMITS.dependenciesMax)

export const resource = z.strictObject({
  id: guid,
  groupId: guid,
  name,
  type: typeName,
  properties: z.record(z.string().max(64), z.json()),
  /** What is wanted: 1 online, 0 offline. The only stored "status" (S-65). */
  persistentState: z.union([z.literal(0), z.literal(1)]),
  /** The update that last changed it: what was decided in ignorance of it does not undo it. */
  stateSeq: z.int().nonnegative().optional(),
  /** Resources of the same group that it has to do with: they come online first, and go after it. */
  dependsOn: z.array(guid).max(LIMITS.dependenciesMax),
  /** Of each list one has to be online. Absent: all of `dependsOn`. */
  anyOf: alternatives.optional(),
  /** Nodes that may host it; null means all. A group runs where all its resources may. */
  possibleOwners: z.array(guid).max(LIMITS.nodesMax).nullable(),
  restart: restartPolicy,
  poll: pollPolicy,
  separateMonitor: z.boolean(),
  /** Its module took a resource monitor along: that is why it has one of its own (S-32). */
  isolated: z.strictObject({ node: guid, atMs: instantMs, detail }).optional(),
  /** How often that was in a row, and when last: each time it stays alone for longer. */
  isolations: z.strictObject({ times: z.int().positive(), atMs: instantMs }).optional(),
  source: source.optional(),
  createdAtMs: instantMs,
})
export type Resource = z.infer<typeof resource>

export interface Hive {
  /** Number of the last global update applied; 0 before the cluster was formed. */
  seq: number
  cluster: Cluster | null
  readonly nodes: Map<string, Node>
  readonly groups: Map<string, Group>
  readonly resources: Map<string, Resource>
  /** By name. */
  readonly types: Map<string, RegisteredType>
  readonly rules: Map<string, Rule>
}

export const emptyHive = (): Hive => ({
  seq: 0,
  cluster: null,
  nodes: new Map(),
  groups: new Map(),
  resources: new Map(),
  types: new Map(),
  rules: new Map(),
})

/** The hive as one JSON document: snapshots, replica files, `GET …/hive`. */
export const hiveDocument = z.strictObject({
  seq: z.int().nonnegative(),
  cluster: cluster.nullable(),
  nodes: z.array(node).max(LIMITS.nodesMax),
  groups: z.array(group).max(LIMITS.groupsMax),
  resources: z.array(resource).max(LIMITS.resourcesMax),
  /** Of what was written before there were any: none. */
  types: z.array(registeredType).max(LIMITS.typesMax).default([]),
  rules: z.array(rule).max(LIMITS.rulesMax).default([]),
})
export type HiveDocument = z.infer<typeof hiveDocument>

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

export function toDocument(hive: Hive): HiveDocument {
  return {
    seq: hive.seq,
    cluster: hive.cluster,
    nodes: [...hive.nodes.values()].sort(byId),
    groups: [...hive.groups.values()].sort(byId),
    resources: [...hive.resources.values()].sort(byId),
    types: [...hive.types.keys()].sort().map((type) => hive.types.get(type) as RegisteredType),
    rules: [...hive.rules.values()].sort(byId),
  }
}

export function fromDocument(document: HiveDocument): Hive {
  return {
    seq: document.seq,
    cluster: document.cluster,
    nodes: new Map(document.nodes.map((row) => [row.id, row])),
    groups: new Map(document.groups.map((row) => [row.id, row])),
    resources: new Map(document.resources.map((row) => [row.id, row])),
    // A snapshot of an earlier version has none.
    types: new Map((document.types ?? []).map((row) => [row.manifest.type, row])),
    rules: new Map((document.rules ?? []).map((row) => [row.id, row])),
  }
}
