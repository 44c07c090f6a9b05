/**
 * Frames of a session between a node and its cluster's Durable Object: JSON text, one object each.
 * Besides these only the literals `ping` and `pong` travel, answered by the runtime itself.
 *
 * PROTOCOL grows by one with any change that an older peer would misread. Each side speaks the one before
 * as well, so that hosts and control plane are updated in any order; a peer that is older still, or that
 * does not know ours, is refused with a reason that says which side has to be updated.
 */
import * as z from 'zod'
import { receiver } from './carry.ts'
import { controlCode, controlInput, controlOutcome } from './control.ts'
import { refusal } from './errors.ts'
import { fenceOrder, fenceOutcome, fenceProbe, fenceRequest, policyTold } from './fencing.ts'
import { hostedType, releaseReason, sha256 } from './hive.ts'
import { hostClock } from './host-clock.ts'
import { bootId, detail, durationMs, epoch, guid, instantMs, typeName } from './ids.ts'
import { incident } from './last-calls.ts'
import { LIMITS } from './limits.ts'
import { measured } from './placement.ts'
import { reportedStatus } from './status.ts'
import { timing } from './timing.ts'
import { moduleText, typeChange } from './type-asks.ts'
import { update } from './update.ts'

export const PROTOCOL = 9
/** The oldest that is spoken: the one before, once a release has had one. */
export const PROTOCOL_OLDEST = 9

/** What a node speaks with a control plane of this protocol; one that is too old refuses it, and says so. */
export const spokenWith = (theirs: number): number =>
  theirs >= PROTOCOL_OLDEST ? Math.min(theirs, PROTOCOL) : PROTOCOL

const sessionNumber = z.int().positive()
/** Numbers the reports of one run of an agent: 1, 2, 3 … (S-16). */
const reportNumber = z.int().positive()

export const heldGroup = z.strictObject({ groupId: guid, epoch })
export type HeldGroup = z.infer<typeof heldGroup>

export const statusItem = z.strictObject({
  resourceId: guid,
  epoch,
  status: reportedStatus,
  restarts: z.int().nonnegative(),
  /** The restart attempts are used up: the Failover Manager is asked to decide (S-81 step 6). */
  gaveUp: z.boolean(),
  detail: detail.optional(),
  correlationId: z.string().max(64).optional(),
})
export type StatusItem = z.infer<typeof statusItem>

export const logEntry = z.strictObject({
  /** The host's own clock; shown, never decided on (S-13). */
  atMs: instantMs,
  component: z.enum(['RCM', 'RHS', 'FM', 'NM', 'GUM', 'DM', 'EVT', 'COMM', 'TIME']),
  groupId: guid.optional(),
  resourceId: guid.optional(),
  correlationId: z.string().max(64).optional(),
  message: detail,
})
export type LogEntry = z.infer<typeof logEntry>

/**
 * A deliberate change made on the host, outside of the cluster (S-68): it counts until somebody who
 * knew more has said otherwise.
 */
export const localIntent = z.strictObject({
  resourceId: guid,
  /** Epoch of the group when it was made. */
  epoch,
  persistentState: z.union([z.literal(0), z.literal(1)]),
  /** Last update of the hive that the host knew of when it was made. */
  knownSeq: z.int().nonnegative(),
  detail: detail.optional(),
})
export type LocalIntent = z.infer<typeof localIntent>

/** Where a node listens for its peers: one address of its own, UDP. */
export const peerAddress = z.strictObject({
  address: z.union([z.ipv4(), z.ipv6()]),
  port: z.int().min(1).max(65_535),
})
export type PeerAddress = z.infer<typeof peerAddress>

/** One peer as a node has to know it (S-17). */
export const peer = z.strictObject({
  nodeId: guid,
  /** Its latest session that is known: beats of an earlier one are old. */
  session: sessionNumber,
  ...peerAddress.shape,
  /** Keys of this pair, oldest first: the newest, and the one before it while it still counts. */
  keys: z
    .array(z.strictObject({ id: z.int().positive().max(0xffff_ffff), key: z.string().length(43) }))
    .min(1)
    .max(2),
})
export type Peer = z.infer<typeof peer>

export const nodeFrame = z.discriminatedUnion('t', [
  /** Answer to the challenge (S2, S3), made by the guard. */
  z.strictObject({
    t: z.literal('report'),
    session: sessionNumber,
    protocol: z.int().positive(),
    boot: bootId,
    /** Names the guard's memory of what runs; only that guard can say that a group runs no more. */
    guard: guid,
    /** Made here, and not yet known to be in the hive. They come before what the report leaves out. */
    intents: z.array(localIntent).max(LIMITS.intentsMax),
    /** New for each start of the agent; numbers of reports begin at 1 in each run. */
    run: guid,
    held: z.array(heldGroup).max(LIMITS.groupsMax),
    types: z.array(hostedType).max(LIMITS.hostedTypesMax),
    /** What the host has, for groups that say what they need. */
    measured: measured.optional(),
    /** The replica on disk: last update applied and its hash, to catch up from. */
    replica: z.strictObject({ seq: z.int().nonnegative(), hash: z.string().max(64) }),
    version: z.string().max(32),
    /** Ed25519 over `sessionText()`, base64url. */
    signature: z.string().max(128),
  }),
  /** S-13: told when it has changed by more than is left to chance. */
  z.strictObject({ t: z.literal('clock'), clock: hostClock }),
  /** Renews the authority lease once answered (L3, L6). */
  z.strictObject({ t: z.literal('confirm'), n: z.int().positive() }),
  z.strictObject({
    t: z.literal('status'),
    n: reportNumber,
    items: z.array(statusItem).min(1).max(LIMITS.statusItemsMax),
  }),
  /** "Terminated": nothing of this group runs here any more and the grant is gone (C5, G5). */
  z.strictObject({
    t: z.literal('released'),
    n: reportNumber,
    groupId: guid,
    epoch,
    why: z.enum(['asked', 'hostShutdown', 'gaveUp']),
    /** M3: its process was seen to be gone after its manager had moved it into this copy. */
    copy: guid.optional(),
  }),
  /** It still runs here, and its state was not carried into this copy (M7). */
  z.strictObject({
    t: z.literal('notCarried'),
    n: reportNumber,
    groupId: guid,
    epoch,
    mid: guid,
    reason: detail,
  }),
  /** A deliberate local change: PersistentState follows (S-68). */
  z.strictObject({ t: z.literal('intent'), n: reportNumber, ...localIntent.shape }),
  z.strictObject({
    t: z.literal('types'),
    n: reportNumber,
    types: z.array(hostedType).max(LIMITS.hostedTypesMax),
  }),
  /** Their modules have taken their resource monitor along: they get one of their own (S-29, S-32). */
  z.strictObject({
    t: z.literal('isolated'),
    n: reportNumber,
    resources: z.array(guid).min(1).max(100),
    incident,
  }),
  /** Isolated ones that have been well in their own monitor for as long as they had to. */
  z.strictObject({
    t: z.literal('wellAlone'),
    n: reportNumber,
    resources: z.array(guid).min(1).max(LIMITS.resourcesMax),
  }),
  /** The host shuts down in an orderly way: no new groups, these will be released. */
  z.strictObject({ t: z.literal('leaving'), n: reportNumber }),
  /** Everything is released; the session ends and the node may be declared Down at once. */
  z.strictObject({ t: z.literal('goodbye'), n: reportNumber }),
  z.strictObject({
    t: z.literal('accept'),
    groupId: guid,
    epoch,
    /** Of an offer with `mid`: there is a place for that copy; or why there is none. */
    receives: z.strictObject({ mid: guid, to: receiver }).optional(),
    receivesNot: detail.optional(),
  }),
  z.strictObject({ t: z.literal('refuse'), groupId: guid, epoch, reason: detail }),
  z.strictObject({
    t: z.literal('log'),
    entries: z.array(logEntry).min(1).max(LIMITS.logEntriesMax),
  }),
  /** S-17: told after each welcome. Null: it takes no part. */
  z.strictObject({ t: z.literal('peerAddress'), listens: peerAddress.nullable() }),
  /**
   * S-17: beats of this peer arrive. `answered`: it says that the control plane answers its pings.
   * A word of a peer is evidence and a reason to look; it never takes anything away.
   */
  z.strictObject({
    t: z.literal('peerHeard'),
    nodeId: guid,
    session: sessionNumber,
    answered: z.boolean(),
  }),
  /** S-17: a peer that was heard has been silent for so long. */
  z.strictObject({
    t: z.literal('peerSilent'),
    nodeId: guid,
    session: sessionNumber,
    sinceMs: durationMs,
  }),
  /** The node gives up its membership (`holdfast-probe leave`). */
  z.strictObject({ t: z.literal('leave'), n: reportNumber }),
  /** The fence agent that was asked for runs. */
  z.strictObject({ t: z.literal('fenceBegun'), target: guid, request: fenceRequest }),
  /** F1: a statement about a boot. The request is named for the log alone. */
  z.strictObject({
    t: z.literal('fenced'),
    n: reportNumber,
    target: guid,
    boot: bootId,
    request: fenceRequest,
    outcome: fenceOutcome,
    detail,
  }),
  /** Answer to the action `test`. */
  z.strictObject({
    t: z.literal('fenceTested'),
    request: fenceRequest,
    probes: z.array(fenceProbe).max(2),
    fault: detail.nullable(),
  }),
  /** S-55: this host registers or unregisters a type. Answered by `typeAnswer`. */
  z.strictObject({ t: z.literal('typeAsk'), request: guid, ask: typeChange }),
  /** S-56: this host wants a module file by its hash. Answered by `module`. */
  z.strictObject({ t: z.literal('fetchModule'), request: guid, type: typeName, sha256 }),
  /** Answer to `moduleWanted`. */
  z.strictObject({ t: z.literal('module'), request: guid, text: moduleText }),
  /** Answer to `couldTake`: why this node could not run the group, or null. */
  z.strictObject({ t: z.literal('couldTake'), request: guid, against: detail.nullable() }),
  /** Answer to `control`. */
  z.strictObject({ t: z.literal('controlled'), request: guid, outcome: controlOutcome }),
  /** The guard acts by policy `lease`, and has it on file. */
  z.strictObject({ t: z.literal('policyTaken'), n: reportNumber, number: z.int().nonnegative() }),
])
export type NodeFrame = z.infer<typeof nodeFrame>

export const objectFrame = z.discriminatedUnion('t', [
  z.strictObject({
    t: z.literal('challenge'),
    session: sessionNumber,
    nonce: z.string().max(64),
    protocol: z.int().positive(),
  }),
  /** U2: only updates with a higher number than `seq`, on this session, are permission. */
  z.strictObject({
    t: z.literal('welcome'),
    session: sessionNumber,
    seq: z.int().nonnegative(),
    nowMs: instantMs,
    timing,
    policy: policyTold,
    view: z.int().nonnegative(),
    node: z.strictObject({ id: guid, name: z.string() }),
  }),
  /** One part of a hive snapshot; applied when all parts of one `seq` are there. */
  z.strictObject({
    t: z.literal('snapshot'),
    seq: z.int().nonnegative(),
    hash: z.string().max(64),
    part: z.int().nonnegative(),
    parts: z.int().positive(),
    text: z.string().max(LIMITS.frameBytesMax),
  }),
  z.strictObject({
    t: z.literal('updates'),
    /** Hash of the chain after the last of these updates. */
    hash: z.string().max(64),
    updates: z.array(update).min(1).max(LIMITS.updatesPerFrameMax),
  }),
  z.strictObject({
    t: z.literal('offer'),
    groupId: guid,
    epoch,
    reason: releaseReason.or(z.enum(['placement'])),
    /** M1: make a place for a copy of this name, that does not execute. */
    mid: guid.optional(),
  }),
  z.strictObject({
    t: z.literal('confirmed'),
    n: z.int().positive(),
    /** S-13: when the confirm had come, and when it was answered, by the control plane's clock. */
    heardMs: instantMs,
    saidMs: instantMs,
  }),
  /** The takeover policy has changed. */
  z.strictObject({ t: z.literal('policy'), policy: policyTold }),
  /** To a helper: run a fence agent. */
  z.strictObject({ t: z.literal('fence'), order: fenceOrder }),
  z.strictObject({ t: z.literal('typeAnswer'), request: guid, refusal: refusal.nullable() }),
  /** Another host wants this file. */
  z.strictObject({ t: z.literal('moduleWanted'), request: guid, type: typeName, sha256 }),
  /** Answer to `fetchModule`. */
  z.strictObject({ t: z.literal('module'), request: guid, text: moduleText }),
  /** Whether this node could run the group, before anything is stopped for it. Promises nothing. */
  z.strictObject({ t: z.literal('couldTake'), request: guid, groupId: guid }),
  /** A control code for a resource that this node runs at this epoch. */
  z.strictObject({
    t: z.literal('control'),
    request: guid,
    resourceId: guid,
    groupId: guid,
    epoch,
    code: controlCode,
    input: controlInput,
  }),
  /** All reports up to `n` of this run are durable. */
  z.strictObject({ t: z.literal('ack'), n: reportNumber }),
  /** S-17: all the peers that this node is to hear and to be heard by. */
  z.strictObject({ t: z.literal('peers'), peers: z.array(peer).max(LIMITS.peersMax) }),
  /** The session ends, and why. */
  z.strictObject({ t: z.literal('bye'), code: z.string().max(40), detail }),
])
export type ObjectFrame = z.infer<typeof objectFrame>

/** WebSocket close codes of the session (4000 to 4999 are ours). */
export const CLOSE = {
  superseded: 4001,
  refused: 4002,
  badFrame: 4003,
  suspected: 4004,
  evicted: 4005,
  goodbye: 4006,
  fenced: 4007,
} as const

/** Number of a request to open a socket; in a refusal, the last one that was seen. */
export const ATTEMPT_HEADER = 'x-holdfast-attempt'

/** What a node signs to open a socket: `attempt` grows with each try, so a copy is worthless. */
export const connectText = (clusterId: string, nodeId: string, attempt: number) =>
  `holdfast connect ${clusterId} ${nodeId} ${attempt}`

/** What a node signs in its report: ties the key to this session of this boot. */
export const sessionText = (s: {
  clusterId: string
  nodeId: string
  session: number
  nonce: string
  boot: string
}) => `holdfast session ${s.clusterId} ${s.nodeId} ${s.session} ${s.nonce} ${s.boot}`
