/** What a guard knows and may be told: the words of `guardStep`. */
import type { PolicyTold } from '../../schema/fencing.ts'
import type { GuardToAgent, WorkloadCopy, WorkloadRecord } from '../../schema/ipc.ts'
import type { HeldGroup } from '../../schema/session.ts'
import { PROFILES, type Timing } from '../../schema/timing.ts'
import type { ChildSpec, ProcessRef } from '../../schema/workload.ts'
import { type Leases, NO_LEASES } from './lease.ts'

/** Everything that a new guard of the same boot needs to know (G9, G10). */
export interface GuardFile {
  readonly boot: string
  /**
   * Names this memory of what runs. A guard that begins with none, for whatever reason (another
   * boot, a lost file, a copied disk), has another one: it cannot speak for what the first one ran.
   */
  readonly guard: string
  readonly timing: Timing
  /** While it is `fence`, a grant outlives the leases: nobody takes over without a fence. */
  readonly policy: PolicyTold
  readonly leases: Leases
  readonly grants: readonly HeldGroup[]
  /** Highest epoch ever granted, or told to stop, per group (C2). */
  readonly seen: readonly HeldGroup[]
  readonly records: readonly WorkloadRecord[]
  /** M1: of workloads of other nodes; a new guard discards them. */
  readonly copies: readonly WorkloadCopy[]
  /** M5: what was started under a grant that stands: a saved state is older than what it has done. */
  readonly begun: readonly Begun[]
}

export interface Begun {
  readonly resourceId: string
  readonly groupId: string
  readonly epoch: number
}

export type Stop =
  | { kind: 'lapse' }
  | { kind: 'group'; groupId: string; epoch: number }
  | { kind: 'resource'; resourceId: string; requestId: number }

export interface GuardState extends GuardFile {
  /** The session that a report was made for, and whether it was welcomed. */
  readonly session: { number: number; welcomed: boolean } | null
  /** A challenge that waits until a lapse is over (S3). */
  readonly challenge: number | null
  readonly stops: readonly Stop[]
  /** M3: groups whose state was carried away, until their stop is acked or something of them starts. */
  readonly carried: readonly (HeldGroup & { mid: string })[]
  /** Told to be bound by its leases again, which waits until both of them stand. */
  readonly wanted: PolicyTold | null
  /** The watchdog device, where there is one, and when it was fed last (G12). */
  readonly watchdog: { timeoutMs: number; fedMs: number } | null
}

export type GuardEvent =
  | { type: 'challenged'; session: number }
  | { type: 'welcomed'; session: number; timing: Timing; policy: PolicyTold }
  | { type: 'policyTold'; session: number; policy: PolicyTold }
  /** The watchdog has been fed, just before now. */
  | { type: 'fed'; timeoutMs: number }
  | { type: 'sessionClosed'; session: number }
  | { type: 'renewed'; session: number; lease: 'pong' | 'authority'; sentAtMs: number }
  | { type: 'granted'; session: number; groupId: string; epoch: number; resume?: Resume }
  | { type: 'groupStopAsked'; groupId: string; epoch: number }
  | { type: 'childAsked'; ask: StartAsk; spec: ChildSpec }
  | { type: 'gatePermitAsked'; ask: StartAsk; gateName: string; restores?: true | undefined }
  /** `incoming`: it waits for a state that comes from elsewhere, and does not execute. */
  | { type: 'gateAsked'; gateName: string; process: ProcessRef; incoming: boolean }
  | { type: 'copyAsked'; ask: StartAsk; mid: string; gateName: string }
  | { type: 'copiesWanted'; mids: readonly string[] }
  | { type: 'carried'; ask: StartAsk; mid: string }
  | { type: 'childStarted'; resourceId: string; process: ProcessRef; group: string }
  | { type: 'resourceStopAsked'; resourceId: string; requestId: number }
  /** Seen on processes, not believed (G5): nothing of this resource runs any more. */
  | { type: 'nothingRuns'; resourceId: string; process: ProcessRef | null }
  | { type: 'everythingMustStop' }
  | { type: 'tick' }

type Resume = { readonly mid: string } | undefined

export interface StartAsk {
  readonly requestId: number
  readonly resourceId: string
  readonly groupId: string
  readonly epoch: number
  /** The resource monitor that asks. */
  readonly monitor?: string | undefined
}

export type GuardEffect =
  /** Atomic rename of the state file; what follows may leave only then (G9). */
  | { type: 'persist' }
  /** The same, but nothing waits for it. */
  | { type: 'persistLater' }
  | { type: 'toAgent'; frame: GuardToAgent }
  | { type: 'answerRhs'; requestId: number; ok: boolean; reason?: string; process?: ProcessRef }
  | { type: 'answerGate'; yes: boolean; reason?: string; resourceId?: string }
  /** One resource monitor, or all of them. */
  | { type: 'killRhs'; monitor: string | 'all' }
  | { type: 'spawn'; ask: StartAsk; spec: ChildSpec }
  /** M4: a copy has become this workload. */
  | { type: 'adopt'; record: WorkloadRecord }
  /** SIGKILL everything of the resource, and say `nothingRuns` once that is seen. */
  | { type: 'terminate'; record: WorkloadRecord }

export interface GuardOutcome {
  readonly state: GuardState
  readonly effects: readonly GuardEffect[]
}

export function emptyGuard(boot: string, guard: string): GuardState {
  return {
    boot,
    guard,
    timing: PROFILES.standard,
    policy: { takeover: 'lease', number: 0 },
    leases: NO_LEASES,
    grants: [],
    seen: [],
    records: [],
    copies: [],
    begun: [],
    carried: [],
    session: null,
    challenge: null,
    stops: [],
    wanted: null,
    watchdog: null,
  }
}

/** All groups that run or may be restarted locally: grants, and records of stops under way (S3). */
export function heldGroups(state: GuardFile): HeldGroup[] {
  const held = new Map(state.grants.map((g) => [g.groupId, g.epoch]))
  for (const r of state.records) if (!held.has(r.groupId)) held.set(r.groupId, r.epoch)
  return [...held].map(([groupId, epoch]) => ({ groupId, epoch }))
}

export const nothing = (state: GuardState): GuardOutcome => ({ state, effects: [] })

export const recordOf = (state: GuardState, resourceId: string) =>
  state.records.find((r) => r.resourceId === resourceId)

export const epochOf = (list: readonly HeldGroup[], groupId: string) =>
  list.find((g) => g.groupId === groupId)?.epoch

export const put = (list: readonly HeldGroup[], row: HeldGroup) => [
  ...list.filter((g) => g.groupId !== row.groupId),
  row,
]

export function withRecord(
  state: GuardState,
  r: WorkloadRecord & { requestId?: number },
): GuardState {
  const { requestId: _, ...record } = r
  return {
    ...state,
    records: [...state.records.filter((x) => x.resourceId !== record.resourceId), record],
  }
}

export function answer(ask: StartAsk, ok: boolean, reason?: string) {
  return {
    type: 'answerRhs' as const,
    requestId: ask.requestId,
    ok,
    ...(reason !== undefined && { reason }),
  }
}
