/** Bodies of the HTTP API `/v1`. Requests are strict; answers are what the CLI and tools rely on. */
import * as z from 'zod'
import { moveMethod } from '../carry.ts'
import { failback } from '../failback.ts'
import { fenceOutcome, takeover } from '../fencing.ts'
import { hostClock } from '../host-clock.ts'
import { epoch, instantMs, name, publicKey, typeName } from '../ids.ts'
import { incident } from '../last-calls.ts'
import { LIMITS } from '../limits.ts'
import { maintenanceReason } from '../maintenance.ts'
import { amounts, measured, placementPolicy, priority, startsPerNode } from '../placement.ts'
import { status } from '../status.ts'
import { profileName } from '../timing.ts'
import { because } from '../update.ts'
import { fenceView, lostView } from './fencing.ts'
import { managerView } from './health.ts'
import { maintenanceView } from './maintenance.ts'
import { drainView, ruleView } from './placement.ts'
import { reference } from './reference.ts'
import { groupSettings, pollSettings, restartSettings } from './settings.ts'

const reason = z.object({ node: z.string(), reason: z.string() })
const flag = z.union([z.literal(0), z.literal(1)])

export const resourceView = z.object({
  id: z.string(),
  name: z.string(),
  group: z.string(),
  type: z.string(),
  properties: z.record(z.string(), z.json()),
  /** Wanted: 1 online, 0 offline. */
  persistentState: flag,
  /** Observed; `unknown` until the owner has reported since the last restart. */
  status,
  sinceMs: instantMs.nullable(),
  detail: z.string().nullable(),
  /** Online, and not as it should be; `detail` says what is wrong (S-51). */
  degraded: z.boolean(),
  restarts: z.int(),
  node: z.string().nullable(),
  dependsOn: z.array(z.string()),
  /** What of these has to be online, such as `a and (b or c)`; empty for nothing. */
  needs: z.string(),
  possibleOwners: z.array(z.string()).nullable(),
  restart: restartSettings.required(),
  poll: pollSettings.required(),
  separateMonitor: z.boolean(),
  /** Why it has a resource monitor of its own, where that was not an operator's wish (S-32). */
  isolated: z.object({ node: z.string(), atMs: instantMs, detail: z.string() }).nullable(),
})
export type ResourceView = z.infer<typeof resourceView>

/** Newest first: each a monitor that ended over this resource, with its last calls, oldest first. */
export const evidenceView = z.object({
  incidents: z.array(incident.extend({ node: z.string() })),
})
export type EvidenceView = z.infer<typeof evidenceView>

export const groupState = z.enum([
  'online',
  'offline',
  'partialOnline',
  'pending',
  'failed',
  /** Wanted online, and no node can take it, or another group has to be online first. */
  'waiting',
])
export type GroupState = z.infer<typeof groupState>

export const groupView = z.object({
  id: z.string(),
  name: z.string(),
  state: groupState,
  phase: z.enum(['free', 'owned', 'releasing']),
  owner: z.string().nullable(),
  /** Where it is being moved, while it is. */
  movingTo: z.string().nullable(),
  /** How it leaves: its state travels, or it is stopped and started. Null while it is not leaving. */
  movingBy: moveMethod.exclude(['auto']).nullable(),
  epoch,
  sinceMs: instantMs.nullable(),
  preferredOwners: z.array(z.string()),
  /** It was moved there to stay until then, whatever it prefers. */
  stick: z
    .object({
      node: z.string(),
      by: z.string(),
      reason: z.string(),
      sinceMs: instantMs,
      untilMs: instantMs,
    })
    .nullable(),
  failoverThreshold: z.int(),
  failoverPeriodMs: z.int(),
  /** When it goes back to a node that it prefers. */
  failback,
  priority,
  /** What it takes of a node while it is wanted online. */
  needs: amounts,
  /** Groups that come online before it. */
  after: z.array(z.string()),
  /** Groups without which it is offline. */
  onlyWhile: z.array(z.string()),
  /** Those of them that it waits for now. */
  waitsFor: z.array(z.string()),
  /** Failovers because of failures within the period. */
  recentFailovers: z.int(),
  /** That of itself, its node or the cluster: nothing is done about its health. */
  maintenance: maintenanceView.nullable(),
  /** Why nobody can take it, one row a node; empty unless waiting. */
  waitingReasons: z.array(reason),
  resources: z.array(resourceView),
})
export type GroupView = z.infer<typeof groupView>

export const nodeView = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(['up', 'down', 'leaving']),
  paused: z.boolean(),
  /** Since when, and by whom, its groups are taken from it; null: they are not. */
  draining: drainView.nullable(),
  /** Lost again and again: until then it takes groups only when nobody else can. */
  quarantinedUntilMs: instantMs.nullable(),
  /** Whether a welcomed session is open now. */
  connected: z.boolean(),
  /** Milliseconds since the runtime last answered a ping of it; null when that is not known. */
  lastAnswerAgoMs: z.number().nullable(),
  /** Names of the nodes that hear it over the network of the hosts (S-17): evidence, no authority. */
  heardBy: z.array(z.string()),
  /** How its clocks stand to the control plane's (S-13); null: it has not said on this session. */
  clock: hostClock.nullable(),
  position: z.int(),
  /** What it has, as was declared. */
  capacity: amounts.nullable(),
  /** What its host has: counts where nothing is declared. Neither: no limits are known. */
  measured: measured.nullable(),
  faultDomain: z.string().nullable(),
  epoch,
  bootId: z.string().nullable(),
  groups: z.int(),
  types: z.array(
    z.object({
      type: z.string(),
      version: z.string(),
      sha256: z.string(),
      /** Why it cannot host it after all. */
      problem: z.string().optional(),
      /** What the host policy allows of it, in words. */
      allows: z.string().optional(),
    }),
  ),
  /** The takeover policy that its guard may act by; while `fence` its lease frees nothing. */
  under: takeover,
  fence: fenceView.nullable(),
  lost: lostView.nullable(),
  lastFence: z
    .object({
      boot: z.string(),
      outcome: fenceOutcome,
      by: z.string(),
      atMs: instantMs,
      detail: z.string(),
    })
    .nullable(),
  joinedAtMs: instantMs,
})
export type NodeView = z.infer<typeof nodeView>

export const clusterSummary = z.object({
  id: z.string(),
  name: z.string(),
  profile: profileName,
  createdAtMs: instantMs,
})

export const clusterView = z.object({
  id: z.string(),
  name: z.string(),
  profile: profileName,
  takeover,
  placement: placementPolicy,
  /** Resources that one node starts at the same time. */
  startsPerNode,
  rules: z.array(ruleView),
  /** Number of the last global update. */
  seq: z.int(),
  hash: z.string(),
  view: z.int(),
  nowMs: instantMs,
  health: z.enum(['healthy', 'warning', 'outage']),
  problems: z.array(z.object({ subject: z.string(), message: z.string(), remedy: z.string() })),
  /** What is observed only. */
  maintenance: z.array(maintenanceView),
  nodes: z.array(nodeView),
  groups: z.array(groupView),
  /** Whether the managers do their work (S-14). */
  managers: z.array(managerView),
})
export type ClusterView = z.infer<typeof clusterView>

/** One global update, as an operator reads it. */
export const eventView = z.object({
  seq: z.int(),
  atMs: instantMs,
  /** Dotted name, e.g. `group.owned`, `node.up`. */
  type: z.string(),
  subject: z.string(),
  message: z.string(),
  because,
  correlationId: z.string(),
})
export type EventView = z.infer<typeof eventView>

export const logView = z.object({
  /** Order of arrival in the cluster log. */
  id: z.int(),
  atMs: instantMs,
  node: z.string(),
  component: z.string(),
  group: z.string().nullable(),
  resource: z.string().nullable(),
  resourceId: z.string().nullable(),
  correlationId: z.string().nullable(),
  message: z.string(),
})
export type LogView = z.infer<typeof logView>

const newName = name.describe('Letters, digits, ".", "-" and "_"; unique regardless of case.')

export const createCluster = z.strictObject({
  name: newName,
  profile: profileName
    .default('standard')
    .describe('Times of the leases: how soon a lost host is noticed, and what networks it takes.'),
})
export const createToken = z.strictObject({
  uses: z.int().min(1).max(LIMITS.tokenUsesMax).default(1).describe('Hosts that may join with it.'),
  ttlMs: z
    .int()
    .min(1_000)
    .max(LIMITS.tokenTtlMaxMs)
    .default(3_600_000)
    .describe('Milliseconds for which it is valid.'),
})
export const tokenCreated = z.object({
  id: z.string(),
  /** Shown once; stored hashed. Prefix `hfj_`. */
  token: z.string(),
  uses: z.int(),
  expiresAtMs: instantMs,
})
export const join = z.strictObject({
  token: z.string().min(8).max(128),
  name,
  publicKey,
  /** The cluster that this host is a member of already: it may only be that of the token. */
  memberOf: z.string().max(64).optional(),
})
export const joined = z.object({
  clusterId: z.string(),
  clusterName: z.string(),
  nodeId: z.string(),
  /** Path of this cluster's session endpoint: it leads to the object without any look-up. */
  sessionPath: z.string(),
  /** False when this key had joined before: joining twice is not an error. */
  changed: z.boolean(),
})

const preferredOwners = z
  .array(reference)
  .optional()
  .describe('Nodes that are tried first, in this order; then the node list.')

const otherGroups = z.array(reference).max(LIMITS.groupDependenciesMax).optional()
const after = otherGroups.describe(
  'Groups that have to be online before it comes online; it goes on without them.',
)
const onlyWhile = otherGroups.describe(
  'Groups without which it is taken offline; it comes back with them.',
)

export const createGroup = z.strictObject({
  name: newName,
  preferredOwners,
  after,
  onlyWhile,
  ...groupSettings.shape,
})
export const changeGroup = z.strictObject({
  name: newName.optional(),
  preferredOwners,
  after,
  onlyWhile,
  ...groupSettings.shape,
})
const dependsOn = z.union([
  z.array(reference).max(LIMITS.dependenciesMax),
  z.string().max(LIMITS.detailLengthMax),
])
const dependsOnAbout =
  'Resources of the same group that must be online first: all of a list, or an expression such as "([a] or [b]) and [c]".'
export const createResource = z.strictObject({
  name: newName,
  group: reference.describe('The group it belongs to.'),
  type: typeName.describe('Its resource type; see holdfast resource types.'),
  properties: z
    .record(z.string().max(64), z.json())
    .default({})
    .describe('What its type takes; see holdfast explain <type>.'),
  persistentState: flag.default(1).describe('What is wanted: 1 online, 0 offline.'),
  dependsOn: dependsOn.default([]).describe(dependsOnAbout),
  possibleOwners: z
    .array(reference)
    .nullable()
    .optional()
    .describe('Nodes that may host it; null: all. The group runs where all its resources may.'),
  restart: restartSettings.optional().describe('What is done when it fails.'),
  poll: pollSettings.optional().describe('How it is watched. Defaults are of its type.'),
  separateMonitor: z
    .boolean()
    .optional()
    .describe('Runs its module in a resource monitor of its own.'),
})
export const changeResource = createResource
  .omit({ group: true, type: true, persistentState: true })
  .partial()
  .extend({
    properties: z.record(z.string().max(64), z.json()).optional(),
    dependsOn: dependsOn.optional(),
  })
export type { MoveMethod } from '../carry.ts'
export { isExpression } from '../dependency.ts'
export { type Failback, failbackText, parseFailback } from '../failback.ts'

const moveBody = z.strictObject({
  /** Name or GUID; absent: the best possible node. */
  to: reference.optional(),
  stick: z
    .strictObject({
      forMs: z
        .int()
        .min(1_000)
        .max(LIMITS.stickMaxMs)
        .default(LIMITS.stickMs)
        .describe('Milliseconds.'),
      reason: maintenanceReason.default('moved there to stay'),
    })
    .optional()
    .describe('It stays there for so long, before all preferred owners; needs `to`.'),
  method: moveMethod
    .default('auto')
    .describe(
      'live: it runs on while its memory travels. quick: its memory is saved and restored. stop: it is stopped and started. auto: the first of these that can be done.',
    ),
})
export const moveGroup = moveBody.refine((body) => !body.stick || body.to !== undefined, {
  error: 'stick needs the node that it is to stay on: give to',
})
export const changeCluster = z
  .strictObject({
    takeover: takeover
      .optional()
      .describe(
        'What happens to the groups of a node that is not heard of: lease (it stops them when its lease ends) or fence (it goes on; taken over after a confirmed fence only).',
      ),
    placement: placementPolicy
      .optional()
      .describe('Which node is asked first, after those that a group prefers.'),
    startsPerNode: startsPerNode
      .optional()
      .describe('Resources that one node starts at the same time; the most important ones first.'),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), {
    error: 'nothing to change: give takeover, placement or startsPerNode',
  })

export const nothing = z.strictObject({})

/** Answer of every write: the number of the last update, and what it touched. */
export const done = z.object({ seq: z.int(), id: z.string().nullable() })

/** RFC 9457. */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  why: z.string().optional(),
  remedy: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), message: z.string() })).optional(),
  /** Version of the hive that there is, where another was asked for (If-Match). */
  seq: z.int().optional(),
  request: z.string(),
})
export type Problem = z.infer<typeof problem>
