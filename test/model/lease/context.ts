/** The configuration of the lease model, and what follows from it. */
import type { Faults, Removed } from '../model.ts'
import { at, has } from '../record.ts'
import { Stepper } from '../stepper.ts'
import { normalise } from './normal-form.ts'
import { type Group, type LeaseState, type Node, PHASE, SESSION, stateOf } from './state.ts'

export type LeaseRule =
  | 'noReread'
  | 'noClose'
  | 'noMargin'
  | 'noRestartGrace'
  | 'graceFromPongTtl'
  | 'noAuthorityLease'
  | 'pongAfterClose'
  | 'fromReceipt'
  | 'noStopTime'
  | 'noGuard'
  | 'vmPause'
  | 'checkThenExec'
  | 'noLeaseCheck'
  | 'noSessionCheck'
  | 'noEpochCheck'
  | 'noReportSession'
  | 'reportAgentMemory'
  | 'reportRunningOnly'
  | 'noLapseClear'
  | 'noProof'
  | 'sendBeforeCommit'
  | 'moveNoWait'
  | 'lapseKeepsSession'
  | 'pingBeforeWelcome'
  | 'ghostResets'
  | 'replicaGrants'
  | 'snapshotGrants'
  | 'catchupGrants'
  | 'acceptNoCas'
  | 'fenceOnRequest'
  | 'fenceNoBoot'
  | 'fenceAnyBoot'
  | 'keepsOldBoot'
  | 'fenceNoClose'

export type LeaseFault =
  | 'restart'
  /** The object is replaced elsewhere, and its old instance lives on. */
  | 'superseded'
  | 'hibernate'
  | 'crash'
  | 'pause'
  | 'drop'
  /** Late, dead attempts to connect. */
  | 'ghost'
  | 'fail'
  | 'move'

export interface LeaseConfig {
  readonly removed?: Removed<LeaseRule>
  readonly faults?: Faults<LeaseFault>
  readonly nodes?: number
  readonly groups?: number
  /** T_stop, and the longest real lives of the two leases, in ticks. */
  readonly stop?: number
  readonly pongLease?: number
  readonly authorityLease?: number
  /** Only the pong lease exists. */
  readonly pongOnly?: true
  /** Ping and pong are one step. */
  readonly atomicPong?: true
  /** Takeover by D3 (b) alone. */
  readonly authorityWaitOnly?: true
  /** Offer and accept come before the commit (O1 to O3). */
  readonly offers?: true
  /** The object sends snapshots on the current session. */
  readonly snapshots?: true
  /** There is a fence agent, and an operator (F1 to F6). */
  readonly fence?: true
  /** States that differ by the names of nodes are one. */
  readonly symmetric?: true
  /** Set of nodes without faults of their own: narrows the search. */
  readonly calm?: number
  readonly onlyDual?: true
}

export interface LeaseContext {
  readonly config: LeaseConfig
  readonly removed: Removed<LeaseRule>
  readonly faults: Faults<LeaseFault>
  readonly nodeCount: number
  readonly groupCount: number
  readonly stop: number
  readonly pongLease: number
  readonly authorityLease: number
  /** Ages at which stopping must have begun (L4). */
  readonly pongLapse: number
  readonly authorityLapse: number
  /** W(TTL) and W(TTL_A): strictly more than the lease (D3). */
  readonly pongWait: number
  readonly authorityWait: number
  readonly usesAuthority: boolean
  /** Something that is state creates a grant (without U1 or U2). */
  readonly derives: boolean
  /** Messages of an earlier session are not dropped at the node, at the object. */
  readonly keepsOldToNode: boolean
  readonly keepsOldToObject: boolean
  readonly stepper: Stepper<LeaseState>
}

export function makeContext(config: LeaseConfig): LeaseContext {
  const removed = config.removed ?? {}
  const [nodeCount, groupCount] = [config.nodes ?? 2, config.groups ?? 1]
  const { stop = 1, pongLease = 2, authorityLease = 3 } = config
  const stopsBefore = removed.noStopTime ? 0 : stop
  const margin = removed.noMargin ? 0 : 1
  const context: LeaseContext = {
    config,
    removed,
    faults: config.faults ?? {},
    nodeCount,
    groupCount,
    stop,
    pongLease,
    authorityLease,
    pongLapse: pongLease - stopsBefore,
    authorityLapse: authorityLease - stopsBefore,
    pongWait: pongLease + margin,
    authorityWait: authorityLease + margin,
    usesAuthority: !removed.noAuthorityLease && !config.pongOnly,
    derives: Boolean(removed.replicaGrants || removed.snapshotGrants || removed.catchupGrants),
    keepsOldToNode: Boolean(removed.noSessionCheck),
    keepsOldToObject: Boolean(removed.noReportSession),
    stepper: new Stepper<LeaseState>(
      () => stateOf(nodeCount, groupCount),
      (state) => normalise(context, state),
    ),
  }
  return context
}

export const isCalm = (c: LeaseContext, n: number) => has(c.config.calm ?? 0, n)

/** C3, G2: both leases are before their stop time. */
export function leaseValid(c: LeaseContext, node: Node): boolean {
  const late = c.removed.noStopTime ? 1 : 0
  if (node.pongAge >= c.pongLapse + late) return false
  return !c.usesAuthority || node.authorityAge < c.authorityLapse + late
}

/** L4: a lease is so old that stopping has to begin. */
export const mustStop = (c: LeaseContext, node: Node) =>
  node.pongAge >= c.pongLapse || (c.usesAuthority && node.authorityAge >= c.authorityLapse)

/** A5, G1: with the whole machine, or the guard's work in a paused agent, nothing stops in time. */
export const isFrozen = (c: LeaseContext, node: Node) =>
  node.paused > 0 && Boolean(c.removed.noGuard || c.removed.vmPause)

export function noLease(c: LeaseContext, node: Node): void {
  node.pongAge = c.pongLease + 1
  if (c.usesAuthority) node.authorityAge = c.authorityLease + 1
}

export function free(c: LeaseContext, group: Group): void {
  group.owner = c.nodeCount
  group.phase = PHASE.free
}

export function freeAllOf(c: LeaseContext, state: LeaseState, n: number): void {
  for (const group of state.groups) if (group.owner === n) free(c, group)
}

/** The object's end and the node's end are the same, newest socket. */
export const sameSocket = (node: Node) =>
  node.objectSession > 0 && node.lastSession === node.session

export const isWelcome = (node: Node) => node.objectSession === SESSION.welcomed

/** The host ends and boots again. A replica on its disk survives. */
export function crash(c: LeaseContext, state: LeaseState, n: number): void {
  const node = at(state.nodes, n)
  for (const one of node.held)
    one.running = one.runningEpoch = one.grant = one.highest = one.pending = 0
  node.sessionState = node.session = node.paused = 0
  noLease(c, node)
  if (c.config.fence) node.fence.boot += 1
}
