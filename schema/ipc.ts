/**
 * Frames between the processes of a probe tree. The guard is the parent of agent and RHS; agent and
 * RHS speak through it, in envelopes it does not open.
 */
import * as z from 'zod'
import { carry, receiver, resumeFrom } from './carry.ts'
import { controlCode, controlInput, controlOutcome } from './control.ts'
import { refusal } from './errors.ts'
import { policyTold } from './fencing.ts'
import { hostedType, pollPolicy, resource, restartPolicy } from './hive.ts'
import { fencePolicy } from './host-policy.ts'
import { monitorTables } from './host-status.ts'
import { detail, epoch, guid, monitorId, typeName } from './ids.ts'
import { CALLS_KEPT, lastCall, lastSeen } from './last-calls.ts'
import { modulePin, refusedModule } from './module-pins.ts'
import { heldGroup, logEntry, statusItem } from './session.ts'
import { timing } from './timing.ts'
import { typeAsk } from './type-asks.ts'
import { undo } from './undo.ts'

const bootMs = z.number().nonnegative()
const state = z.union([z.literal(0), z.literal(1)])
const requestId = z.int().nonnegative()

/** Agent -> RHS. One resource as RHS has to run it. */
export const heldResource = z.strictObject({
  guid,
  name: z.string(),
  groupId: guid,
  epoch,
  type: z.string(),
  properties: resource.shape.properties,
  /** It needs others of its group: what it uses may be theirs, and there only while they are online. */
  dependent: z.boolean(),
  persistentState: state,
  /** Whether it may run *now*: PersistentState 1 and everything it depends on is online. */
  target: state,
  /** The whole group goes from this node: nothing of it stays, wanted or not. */
  leaving: z.boolean(),
  /** With `leaving`: time counts more than a graceful stop, where its type allows that (S-50). */
  hurry: z.literal(true).optional(),
  /** In maintenance: it is looked at, and nothing is done about what is found. */
  observe: z.literal(true).optional(),
  /** An operator on this host wants it stopped, or gone at once: Terminate instead of Offline. */
  stopHere: z.enum(['no', 'stop', 'kill']),
  /** Its state is to travel instead of being lost by a stop. */
  carry: carry.optional(),
  /** What its first Online here goes on from. */
  resume: resumeFrom.optional(),
  hiveSeq: z.int().nonnegative(),
  restart: restartPolicy,
  poll: pollPolicy,
  correlationId: z.string().optional(),
})
export type HeldResource = z.infer<typeof heldResource>

export const toRhs = z.discriminatedUnion('t', [
  /** Open or change. */
  z.strictObject({
    t: z.literal('hold'),
    resources: z.array(heldResource),
    /** Placed here before this monitor began: what became of them meanwhile is to be looked at. */
    inherited: z.array(guid),
  }),
  /** Close: the resource is no longer ours. Its workload is stopped already, or lives on. */
  z.strictObject({ t: z.literal('drop'), guids: z.array(guid) }),
  /** O1: whether this host could run these, which are offered to it. Answered by `couldHost`. */
  z.strictObject({
    t: z.literal('couldHost'),
    request: requestId,
    resources: z.array(heldResource),
  }),
  /** M1: make a place for a copy of it that does not execute. Answered by `received`. */
  z.strictObject({
    t: z.literal('receive'),
    request: requestId,
    resource: heldResource,
    mid: guid,
  }),
  /** S-50: to be made ready for an Online that may come one day. Not answered. */
  z.strictObject({ t: z.literal('prepare'), resources: z.array(heldResource) }),
  /** Answered by `controlled`. */
  z.strictObject({
    t: z.literal('control'),
    request: requestId,
    guid,
    epoch,
    code: controlCode,
    input: controlInput,
  }),
  /** Tell everything again: the agent has restarted. */
  z.strictObject({ t: z.literal('tell') }),
])
export type ToRhs = z.infer<typeof toRhs>

export const fromRhs = z.discriminatedUnion('t', [
  z.strictObject({
    t: z.literal('ready'),
    types: z.array(hostedType),
    /** Of these the ones that cannot be called: their module is not loaded. */
    unloaded: z.array(typeName),
    /** Of these the ones that it may not even import, though one of its own may (S-32). */
    refused: z.array(typeName).optional(),
    /** Of these the ones that can make a later Online faster (S-50). */
    prepares: z.array(typeName),
    holding: z.array(z.strictObject({ guid, epoch })),
  }),
  z.strictObject({ t: z.literal('status'), items: z.array(statusItem) }),
  z.strictObject({
    t: z.literal('couldHost'),
    request: requestId,
    problems: z.array(z.strictObject({ guid, problem: detail })),
  }),
  z.strictObject({ t: z.literal('controlled'), request: requestId, outcome: controlOutcome }),
  /** Where the copy is received, or why it is not. */
  z.strictObject({
    t: z.literal('received'),
    request: requestId,
    to: receiver.nullable(),
    problem: detail.optional(),
  }),
  /** M7: it still runs here. */
  z.strictObject({ t: z.literal('notCarried'), guid, epoch, mid: guid, reason: detail }),
  z.strictObject({ t: z.literal('log'), entries: z.array(logEntry) }),
])
export type FromRhs = z.infer<typeof fromRhs>

/** Agent -> guard. */
export const agentToGuard = z.discriminatedUnion('t', [
  /** S3: report after this challenge. Answered by `held`, once nothing is being stopped. */
  z.strictObject({ t: z.literal('challenge'), session: z.int() }),
  z.strictObject({ t: z.literal('welcomed'), session: z.int(), timing, policy: policyTold }),
  /** The takeover policy was changed, as said on this session. */
  z.strictObject({ t: z.literal('policy'), session: z.int(), policy: policyTold }),
  z.strictObject({ t: z.literal('sessionClosed'), session: z.int() }),
  /** L1: `sentAtMs` was read on the suspend-counting clock before the request was sent. */
  z.strictObject({
    t: z.literal('renewed'),
    session: z.int(),
    lease: z.enum(['pong', 'authority']),
    sentAtMs: bootMs,
  }),
  /** U2: an ownership update that is permission. */
  z.strictObject({
    t: z.literal('grant'),
    session: z.int(),
    groupId: guid,
    epoch,
    resume: resumeFrom.optional(),
  }),
  /** M7: the copies that the hive speaks of; all others are discarded. */
  z.strictObject({ t: z.literal('copiesWanted'), mids: z.array(guid) }),
  /** Stop one group (G5) and drop its grant. `order`: resources, dependents first. */
  z.strictObject({ t: z.literal('stopGroup'), groupId: guid, epoch }),
  /** An envelope for one resource monitor: the guard does not open it, RHS does. */
  z.strictObject({ t: z.literal('toRhs'), monitor: monitorId, frame: z.custom<ToRhs>() }),
  /** S-29: all single resources that have a monitor of their own, from now on. */
  z.strictObject({ t: z.literal('monitors'), separate: z.array(monitorId).max(10_000) }),
  /** The agent has released everything after a `shutdown`: the guard may end. */
  z.strictObject({ t: z.literal('shutdownDone') }),
  /** S4: our report was refused. Everything is void and has to be stopped. */
  z.strictObject({ t: z.literal('stopAll') }),
  /** This host has left the cluster. */
  z.strictObject({ t: z.literal('left') }),
  z.strictObject({ t: z.literal('info'), info: z.json() }),
  /** Answer to `stopHere` and `askType`. */
  z.strictObject({ t: z.literal('answered'), requestId, answer: z.json() }),
  /** Nothing that time can mend: the guard ends once nothing runs, with the exit code of this. */
  z.strictObject({ t: z.literal('fatal'), refusal }),
])
export type AgentToGuard = z.infer<typeof agentToGuard>

export const exitCause = z.strictObject({
  code: z.int().nullable(),
  signal: z.string().nullable(),
  /** Of a daemon's main process: the end of what it has written. */
  output: z.string().max(4_096).optional(),
})

/** Guard -> agent. */
export const guardToAgent = z.discriminatedUnion('t', [
  z.strictObject({
    t: z.literal('hello'),
    boot: z.string(),
    /** Names this guard's memory of what runs: new whenever it began with none. */
    guard: guid,
    held: z.array(heldGroup),
    /** All resource monitors of this host, whether or not they are up just now. */
    monitors: z.array(monitorId),
    /** Resources with a workload on record: they run, though nobody has looked at them yet. */
    running: z.array(guid),
    /** Which fence agents this host's policy allows, or null: none. */
    fence: fencePolicy.nullable(),
  }),
  z.strictObject({ t: z.literal('held'), session: z.int(), held: z.array(heldGroup) }),
  z.strictObject({ t: z.literal('granted'), groupId: guid, epoch }),
  z.strictObject({ t: z.literal('denied'), groupId: guid, epoch, reason: z.string() }),
  /** Nothing of the group runs, its grant and records are gone (G5). */
  z.strictObject({ t: z.literal('stopped'), groupId: guid, epoch, copy: guid.optional() }),
  /** A lease reached its stop time: everything is void and being stopped (L4, L5). */
  z.strictObject({ t: z.literal('lapsed'), lease: z.enum(['pong', 'authority']) }),
  /** Its lease binds this guard again, and that is on file. */
  z.strictObject({ t: z.literal('policyTaken'), number: z.int().nonnegative() }),
  z.strictObject({ t: z.literal('rhsUp'), monitor: monitorId, generation: z.int() }),
  z.strictObject({
    t: z.literal('rhsDown'),
    monitor: monitorId,
    generation: z.int(),
    detail,
    /** Whose module it was, as far as that can be told, and its last calls. */
    suspects: z.array(guid).max(100).optional(),
    /** Types whose module it has not lived through importing. */
    types: z.array(typeName).max(100).optional(),
    calls: z.array(lastCall).max(CALLS_KEPT).optional(),
    ...lastSeen.shape,
  }),
  z.strictObject({ t: z.literal('fromRhs'), monitor: monitorId, frame: fromRhs }),
  /** The host shuts down: release everything in order. */
  z.strictObject({ t: z.literal('shutdown') }),
  /** `holdfast-probe leave`: give up membership once everything is released. */
  z.strictObject({ t: z.literal('leave') }),
  /** An operator on this host stops one resource, whatever the hive wants. */
  z.strictObject({ t: z.literal('stopHere'), requestId, resource: z.string(), kill: z.boolean() }),
  z.strictObject({ t: z.literal('askType'), requestId, ask: typeAsk }),
  z.strictObject({ t: z.literal('log'), entries: z.array(logEntry) }),
  /** The guard itself stood still for so long. */
  z.strictObject({ t: z.literal('stoodStill'), ms: z.int().positive() }),
])
export type GuardToAgent = z.infer<typeof guardToAgent>

export const childSpec = z.strictObject({
  command: z.string().min(1).max(4_096),
  args: z.array(z.string().max(32_768)).max(1_000),
  env: z.record(z.string().max(256), z.string().max(32_768)),
  cwd: z.string().max(4_096).optional(),
  uid: z.int().nonnegative().optional(),
  gid: z.int().nonnegative().optional(),
  /** Its main process may end and leave the workload running (a script that starts a daemon). */
  daemon: z.literal(true).optional(),
  undo: undo.optional(),
})

/** RHS -> guard. Every request for a yes carries the group epoch (G3). */
export const rhsToGuard = z.discriminatedUnion('t', [
  z.strictObject({
    t: z.literal('startChild'),
    requestId,
    resourceId: guid,
    groupId: guid,
    epoch,
    /** Whose section of the host policy has to allow the command. */
    type: typeName,
    spec: childSpec,
  }),
  z.strictObject({
    t: z.literal('permitGate'),
    requestId,
    resourceId: guid,
    groupId: guid,
    epoch,
    gateName: z.string().min(1).max(256),
    /** It goes on from a saved state: QEMU is started to wait for one. */
    restores: z.literal(true).optional(),
  }),
  /** M1: `incoming(mid)`: a process that does not execute, and no grant. */
  z.strictObject({
    t: z.literal('permitCopy'),
    requestId,
    resourceId: guid,
    groupId: guid,
    epoch,
    mid: guid,
    gateName: z.string().min(1).max(256),
  }),
  /** M3: its manager has moved it into this copy, and it does not run here any more. */
  z.strictObject({
    t: z.literal('carried'),
    requestId,
    resourceId: guid,
    groupId: guid,
    epoch,
    mid: guid,
  }),
  z.strictObject({ t: z.literal('signal'), requestId, resourceId: guid, signal: z.string() }),
  z.strictObject({ t: z.literal('stop'), requestId, resourceId: guid }),
  z.strictObject({ t: z.literal('toAgent'), frame: z.custom<FromRhs>() }),
  /** Answer to `tables` (S-25). */
  z.strictObject({ t: z.literal('tables'), requestId, tables: monitorTables }),
  /** It lives. Silent for so long it is held to hang (S-32); null: it holds nothing. */
  z.strictObject({ t: z.literal('alive'), withinMs: z.int().positive().nullable() }),
  /** A module file that could not be imported in time, and is not to be tried again (S-32). */
  z.strictObject({ t: z.literal('notImported'), ...refusedModule.shape }),
  /** A check has not returned in its time: this monitor may have to be replaced (S-32). */
  z.strictObject({ t: z.literal('late') }),
  /** A module has not let go of a call that was given up: this monitor has to be replaced (S-32). */
  z.strictObject({ t: z.literal('hangs'), resources: z.array(guid).max(10_000), detail }),
])
export type RhsToGuard = z.infer<typeof rhsToGuard>

/** What is killed: never 0, 1 or below, which the kernel takes for groups, init, or everybody. */
export const processRef = z.strictObject({ pid: z.int().min(2), startTicks: z.int() })

/** What the guard has on record of one resource. */
export const workloadRecord = z.strictObject({
  resourceId: guid,
  groupId: guid,
  epoch,
  way: z.enum(['child', 'gate']),
  phase: z.enum(['starting', 'running']),
  gateName: z.string().optional(),
  /** Of a gate's start: it waits for a saved state. */
  restores: z.literal(true).optional(),
  process: processRef.nullable(),
  /** Kill group of this start, by which everything of it is found (a child's). */
  group: z.string().optional(),
  /** Who asked for it: the resource monitor that may hold a yes for it (G5, G7). */
  monitor: monitorId.optional(),
  /** It lasts while anything of its kill group lives, not only its main process. */
  daemon: z.literal(true).optional(),
  /** It lasts, processes or not, until this has been carried out. */
  undo: undo.optional(),
})
export type WorkloadRecord = z.infer<typeof workloadRecord>

/** M1: a place for a copy, and the process that has come into it. It is no grant, and never reported as held. */
export const workloadCopy = z.strictObject({
  mid: guid,
  resourceId: guid,
  groupId: guid,
  /** At which the source runs it. */
  epoch,
  gateName: z.string(),
  process: processRef.nullable(),
  /** It is being discarded. */
  ending: z.literal(true).optional(),
})
export type WorkloadCopy = z.infer<typeof workloadCopy>

/** Something of it was started under this grant (M5). */
export const begunWorkload = z.strictObject({ resourceId: guid, groupId: guid, epoch })

/** Guard -> RHS. */
export const guardToRhs = z.discriminatedUnion('t', [
  /** G8: what is on record, to be adopted. The first frame an RHS gets. */
  z.strictObject({
    t: z.literal('records'),
    records: z.array(workloadRecord),
    policy: z.json(),
    folder: z.string(),
    nodeName: z.string(),
    /** Module files of this host, and where they are (S-56). */
    modules: z.strictObject({
      folder: z.string(),
      pins: z.array(modulePin),
      /** Of these the ones that this monitor is not to import. */
      refused: z.array(refusedModule).optional(),
    }),
  }),
  z.strictObject({
    t: z.literal('answer'),
    requestId,
    ok: z.boolean(),
    reason: z.string().optional(),
    process: processRef.optional(),
  }),
  /** It runs: a gate process was let through, or another monitor has had it started (S-29). */
  z.strictObject({ t: z.literal('started'), resourceId: guid, process: processRef }),
  z.strictObject({
    t: z.literal('exited'),
    resourceId: guid,
    process: processRef,
    exit: exitCause,
    /** Of a daemon: its main process has ended, and what it started runs on. */
    left: z.literal(true).optional(),
    /** Of what lasts without processes (`undo`): those that it had have ended. */
    empty: z.literal(true).optional(),
  }),
  z.strictObject({ t: z.literal('fromAgent'), frame: toRhs }),
  /** S-25: somebody asks for the tables of modules and groups. */
  z.strictObject({ t: z.literal('tables'), requestId }),
])
export type GuardToRhs = z.infer<typeof guardToRhs>
