/**
 * Everything that can happen to a cluster, as `step` sees it. One definition for the journal, the
 * simulator and the shell. Ids of new records come in with the event: the core has no random.
 */
import * as z from 'zod'
import { moveMethod, receiver } from './carry.ts'
import { failback } from './failback.ts'
import { fenceConfig, fenceOutcome, fenceRequest, takeover } from './fencing.ts'
import { alternatives, hostedType, pollPolicy, restartPolicy, sha256 } from './hive.ts'
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
import { incident } from './last-calls.ts'
import { LIMITS } from './limits.ts'
import { maintenanceReason, maintenanceScope } from './maintenance.ts'
import { moduleManifest } from './module-manifest.ts'
import {
  amounts,
  faultDomain,
  measured,
  placementPolicy,
  priority,
  ruleKind,
  startsPerNode,
} from './placement.ts'
import { heldGroup, localIntent, statusItem } from './session.ts'
import { profileName } from './timing.ts'

const properties = z.record(z.string().max(64), z.json())
const state = z.union([z.literal(0), z.literal(1)])

/** Names of the nodes that still hear it (S-17): evidence, nothing is decided by it. */
const heardBy = z.string().max(LIMITS.detailLengthMax).optional()

/** Times by which the shell asks for a node to be declared Down; the core checks rule D3 itself. */
export const lossEvidence = z.discriminatedUnion('path', [
  /** D3 (a): this instance knew the session. Waited is the smaller of both clocks (D6). */
  z.strictObject({
    path: z.literal('pong'),
    /** Time since the last answered ping or, if later, the welcome, measured as D6 asks. */
    waitedMs: z.number().nonnegative(),
    lastAnswerMs: instantMs,
    closedMs: instantMs,
    cause: z.enum(['socketClosed', 'silent']),
    heardBy,
  }),
  /** D3 (b): since the last confirm answer, or since this instance began (D5). */
  z.strictObject({
    path: z.literal('authority'),
    waitedMs: z.number().nonnegative(),
    confirmedMs: instantMs,
    heardBy,
  }),
])
export type LossEvidence = z.infer<typeof lossEvidence>

export const resourceSettings = z.strictObject({
  properties: properties.optional(),
  dependsOn: z.array(guid).max(LIMITS.dependenciesMax).optional(),
  /** Given with `dependsOn`, of the same resources: of each list one. Absent: all. */
  anyOf: alternatives.optional(),
  possibleOwners: z.array(guid).max(LIMITS.nodesMax).nullable().optional(),
  restart: restartPolicy.partial().optional(),
  poll: pollPolicy.partial().optional(),
  separateMonitor: z.boolean().optional(),
  source: source.optional(),
})
export type ResourceSettings = z.infer<typeof resourceSettings>

export const groupSettings = z.strictObject({
  preferredOwners: z.array(guid).max(LIMITS.nodesMax).optional(),
  failoverThreshold: z.int().nonnegative().max(1_000).nullable().optional(),
  failoverPeriodMs: durationMs.optional(),
  failback: failback.optional(),
  priority: priority.optional(),
  needs: amounts.optional(),
  source: source.optional(),
  after: z.array(guid).max(LIMITS.groupDependenciesMax).optional(),
  onlyWhile: z.array(guid).max(LIMITS.groupDependenciesMax).optional(),
})
export type GroupSettings = z.infer<typeof groupSettings>

const singleRequest = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('formCluster'), clusterId: guid, name, profile: profileName }),
  z.strictObject({ type: z.literal('joinNode'), nodeId: guid, name, publicKey }),
  z.strictObject({
    type: z.literal('drainNode'),
    nodeId: guid,
    /** The node that is asked first; null: none. Absent: as it was said before. */
    to: guid.nullable().optional(),
    /**
     * From now on; then whatever has not begun to leave goes by stop and start. Null: there is no such
     * time. Absent: as it was said before.
     */
    withinMs: durationMs.min(LIMITS.drainMinMs).max(LIMITS.drainMaxMs).nullable().optional(),
  }),
  z.strictObject({
    type: z.literal('changeNode'),
    nodeId: guid,
    /** Null: no limits are known, no fault domain. Absent: as it was. */
    capacity: amounts.nullable().optional(),
    faultDomain: faultDomain.nullable().optional(),
  }),
  z.strictObject({
    type: z.literal('setMaintenance'),
    scope: maintenanceScope,
    id: guid,
    /** Null: it is over. */
    on: z
      .union([
        z.strictObject({
          reason: maintenanceReason,
          forMs: durationMs.min(1_000).max(LIMITS.maintenanceMaxMs),
        }),
        z.strictObject({ reason: maintenanceReason, untilMs: instantMs }),
      ])
      .nullable(),
  }),
  z.strictObject({ type: z.literal('setStarts'), startsPerNode }),
  z.strictObject({ type: z.literal('setPlacement'), placement: placementPolicy }),
  z.strictObject({
    type: z.literal('createRule'),
    ruleId: guid,
    name,
    kind: ruleKind,
    groups: z.array(guid).min(2).max(LIMITS.ruleGroupsMax),
    hard: z.boolean(),
    source: source.optional(),
  }),
  z.strictObject({ type: z.literal('deleteRule'), ruleId: guid }),
  z.strictObject({
    type: z.literal('pauseNode'),
    nodeId: guid,
    paused: z.boolean(),
    /** When it ends: what becomes of the groups that were drained from it. Absent: their policies. */
    failback: z.enum(['now', 'policy', 'never']).optional(),
  }),
  z.strictObject({
    type: z.literal('evictNode'),
    nodeId: guid,
    /** Its host will not come back: what it owned is given to others once that is safe. */
    lost: z.boolean().optional(),
  }),
  z.strictObject({
    type: z.literal('createGroup'),
    groupId: guid,
    name,
    settings: groupSettings,
  }),
  z.strictObject({
    type: z.literal('changeGroup'),
    groupId: guid,
    name: name.optional(),
    settings: groupSettings,
  }),
  z.strictObject({ type: z.literal('deleteGroup'), groupId: guid }),
  z.strictObject({
    type: z.literal('createResource'),
    resourceId: guid,
    groupId: guid,
    name,
    resourceType: typeName,
    persistentState: state,
    settings: resourceSettings,
  }),
  z.strictObject({
    type: z.literal('changeResource'),
    resourceId: guid,
    name: name.optional(),
    settings: resourceSettings,
    /** Fingerprint of the properties it was made from: refused if they are others by now. */
    from: z.string().max(32).optional(),
  }),
  z.strictObject({ type: z.literal('deleteResource'), resourceId: guid }),
  z.strictObject({
    type: z.literal('setResourceState'),
    resourceId: guid,
    persistentState: state,
    /** The operation that is taken back by it. */
    cancels: z.string().max(64).optional(),
  }),
  z.strictObject({ type: z.literal('setGroupState'), groupId: guid, persistentState: state }),
  z.strictObject({
    type: z.literal('moveGroup'),
    groupId: guid,
    to: guid.nullable(),
    /** Absent: stop and start. `mid` names the migration, should there be one. */
    method: moveMethod.optional(),
    mid: guid.optional(),
    /** It stays there for so long, whatever it prefers. */
    stick: z.strictObject({ forMs: durationMs, reason: maintenanceReason }).optional(),
  }),
  z.strictObject({ type: z.literal('unstickGroup'), groupId: guid }),
  /** Of a group that is on its way: it comes back up where it was. */
  z.strictObject({
    type: z.literal('cancelMove'),
    groupId: guid,
    /** Correlation id of what began it. */
    operation: z.string().max(64),
  }),
  /** Back to the node that it prefers. */
  z.strictObject({ type: z.literal('failbackGroup'), groupId: guid }),
  /** As if it had failed where it is. */
  z.strictObject({ type: z.literal('failoverGroup'), groupId: guid }),
  z.strictObject({ type: z.literal('registerType'), manifest: moduleManifest, sha256 }),
  z.strictObject({ type: z.literal('unregisterType'), resourceType: typeName }),
  z.strictObject({ type: z.literal('setTakeover'), takeover }),
  z.strictObject({ type: z.literal('setFence'), nodeId: guid, fence: fenceConfig.nullable() }),
  /** F5: the boot and the view that the operator was shown. */
  z.strictObject({
    type: z.literal('confirmFence'),
    nodeId: guid,
    boot: bootId,
    view: z.int().nonnegative().optional(),
  }),
])
export type SingleRequest = z.infer<typeof singleRequest>

/** What operators ask for, over the API. Answered with an error, or carried out. */
export const request = z.discriminatedUnion('type', [
  ...singleRequest.options,
  /** All of them in this order, or none. */
  z.strictObject({
    type: z.literal('batch'),
    requests: z.array(singleRequest).min(1).max(LIMITS.batchMax),
  }),
])
export type Request = z.infer<typeof request>

const fromNode = { nodeId: guid, session: z.int().positive() }

export const event = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('requested'),
    request,
    /** Who asked, for the log. */
    by: z.string().max(128),
  }),
  z.strictObject({
    type: z.literal('nodeReported'),
    ...fromNode,
    bootId,
    guard: guid,
    intents: z.array(localIntent).max(LIMITS.intentsMax),
    held: z.array(heldGroup).max(LIMITS.groupsMax),
    types: z.array(hostedType).max(LIMITS.hostedTypesMax),
    measured: measured.optional(),
  }),
  z.strictObject({ type: z.literal('nodeLost'), nodeId: guid, evidence: lossEvidence }),
  z.strictObject({ type: z.literal('nodeTypesChanged'), ...fromNode, types: z.array(hostedType) }),
  z.strictObject({
    type: z.literal('resourcesIsolated'),
    ...fromNode,
    resources: z.array(guid).min(1).max(100),
    incident,
  }),
  z.strictObject({
    type: z.literal('resourcesWellAlone'),
    ...fromNode,
    resources: z.array(guid).min(1).max(LIMITS.resourcesMax),
  }),
  z.strictObject({ type: z.literal('nodeLeaving'), ...fromNode }),
  z.strictObject({ type: z.literal('nodeSaidGoodbye'), ...fromNode }),
  z.strictObject({ type: z.literal('nodeLeft'), ...fromNode }),
  z.strictObject({ type: z.literal('resourceReported'), ...fromNode, items: z.array(statusItem) }),
  z.strictObject({ type: z.literal('intentReported'), ...fromNode, intent: localIntent }),
  z.strictObject({
    type: z.literal('groupReleased'),
    ...fromNode,
    groupId: guid,
    epoch,
    why: z.enum(['asked', 'hostShutdown', 'gaveUp']),
    /** M3: its state is in this copy. */
    copy: guid.optional(),
  }),
  /** The owner still runs it: its state could not be carried (M7). */
  z.strictObject({
    type: z.literal('groupNotCarried'),
    ...fromNode,
    groupId: guid,
    epoch,
    mid: guid,
    reason: detail,
  }),
  z.strictObject({
    type: z.literal('offerAccepted'),
    ...fromNode,
    groupId: guid,
    epoch,
    /** It has a place for a copy of this name; or why it has none. */
    receives: z.strictObject({ mid: guid, to: receiver }).optional(),
    receivesNot: detail.optional(),
  }),
  z.strictObject({
    type: z.literal('offerRefused'),
    ...fromNode,
    groupId: guid,
    epoch,
    reason: detail,
  }),
  /** A node that is Up has no session: its socket closed, or fell silent, or this is a restart. */
  z.strictObject({
    type: z.literal('nodeSuspected'),
    nodeId: guid,
    cause: z.enum(['socketClosed', 'silent', 'restart']),
  }),
  /** A helper runs the fence agent from now on. */
  z.strictObject({
    type: z.literal('fenceBegun'),
    ...fromNode,
    target: guid,
    request: fenceRequest,
  }),
  /** F1: "this boot of that node is over", or that nothing of the kind can be said. */
  z.strictObject({
    type: z.literal('fenceReported'),
    ...fromNode,
    target: guid,
    boot: bootId,
    request: fenceRequest,
    outcome: fenceOutcome,
    detail,
  }),
  /** The node's guard acts by policy `lease` from now on. */
  z.strictObject({ type: z.literal('policyTaken'), ...fromNode, number: z.int().nonnegative() }),
  /** Some deadline of `nextDeadline` has passed, or the instance has just started. */
  z.strictObject({ type: z.literal('woke') }),
])
export type Event = z.infer<typeof event>
