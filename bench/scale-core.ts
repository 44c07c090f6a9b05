/**
 * The decisions of a large cluster, pure functions in this process: 1,000 nodes, 10,000 resources in 2,000
 * groups with dependencies and rules.
 */
import type { Event } from '../schema/event.ts'
import { emptyHive, type Group, type Hive, type Node, type Resource } from '../schema/hive.ts'
import { applyObservation, emptyObserved, type Observed } from '../schema/observed.ts'
import {
  DEFAULT_FAILOVER_PERIOD_MS,
  DEFAULT_RESTART,
  RESOURCE_TYPES,
} from '../schema/resource-types/index.ts'
import { applyUpdate } from '../schema/update.ts'
import type { ClusterState, Decision } from '../worker/core/decision.ts'
import { Losses } from '../worker/core/losses.ts'
import { step } from '../worker/core/step.ts'

const NODES = 1_000
const GROUPS = 2_000
const MEMBERS = 5
/** Owned by the first node, which is lost. */
const CROWD = 500
const EVENTS = 2_000
const NOW = 1_700_000_000_000

const id = (kind: number, n: number) =>
  `00000000-0000-4000-8000-${String(kind * 1_000_000 + n).padStart(12, '0')}`

function node(n: number): Node {
  return {
    ...{ id: id(1, n), name: `n${n}`, publicKey: 'A'.repeat(43), position: n },
    ...{ state: 'up', paused: false, epoch: 0, bootId: `boot-${n}-aaaaaaaa`, session: n + 1 },
    types: [{ type: 'process', version: '1', sha256: '0'.repeat(64) }],
    ...(n % 4 === 0 && { capacity: { mem: 1_000 } }),
    joinedAtMs: NOW,
  }
}

function group(n: number, owner: string): Group {
  return {
    ...{ id: id(2, n), name: `g${n}`, preferredOwners: [], failoverThreshold: null },
    ...{ failoverPeriodMs: DEFAULT_FAILOVER_PERIOD_MS, failovers: [], createdAtMs: NOW + n },
    ...(n % 5 === 0 && { needs: { mem: 1 } }),
    ownership: { phase: 'owned', owner, epoch: 1, correlationId: 'u1' },
  }
}

function resource(g: number, m: number): Resource {
  const poll = RESOURCE_TYPES.get('process')?.poll
  if (!poll) throw new Error('no type process')
  const n = g * MEMBERS + m
  return {
    ...{ id: id(3, n), groupId: id(2, g), name: `r${n}`, type: 'process', persistentState: 1 },
    properties: { command: '/bin/true' },
    dependsOn: m === 0 ? [] : [id(3, n - 1)],
    ...{ possibleOwners: null, restart: DEFAULT_RESTART, poll, separateMonitor: false },
    createdAtMs: NOW,
  }
}

function large(): ClusterState {
  const hive: Hive = emptyHive()
  const observed: Observed = emptyObserved()
  hive.seq = 1
  hive.cluster = {
    ...{ id: id(9, 1), name: 'large', profile: 'standard', takeover: 'lease', view: 1 },
    formedAtMs: NOW,
  }
  for (let n = 0; n < NODES; n += 1) hive.nodes.set(id(1, n), node(n))
  for (let g = 0; g < GROUPS; g += 1) {
    const owner = id(1, g < CROWD ? 0 : 1 + (g % (NODES - 1)))
    hive.groups.set(id(2, g), group(g, owner))
    for (let m = 0; m < MEMBERS; m += 1) {
      const one = resource(g, m)
      hive.resources.set(one.id, one)
      observed.resources.set(one.id, {
        ...{ status: 'online', nodeId: owner, epoch: 1, sinceMs: NOW, restarts: 0, gaveUp: false },
      })
    }
  }
  // Of groups that are on different nodes: every one of them holds.
  for (let r = 0; r < 100; r += 1) {
    const groups = [id(2, CROWD + r * 2), id(2, CROWD + r * 2 + 1)]
    const rule = { id: id(4, r), name: `rule${r}`, kind: 'keepApart' as const, groups }
    hive.rules.set(rule.id, {
      ...rule,
      hard: r % 2 === 0,
      createdAtMs: NOW + r,
      createdBy: 'bench',
    })
  }
  return { hive, observed }
}

function apply(state: ClusterState, decision: Decision): void {
  if (decision.refused) throw new Error(decision.refused.message)
  for (const update of decision.updates) applyUpdate(state.hive, update)
  for (const o of decision.observations) applyObservation(state.observed, o)
}

/** One resource restarts where it is: what a host reports most often. */
function report(n: number, restarts: number): Event {
  const g = CROWD + (n % (GROUPS - CROWD))
  const resourceId = id(3, g * MEMBERS + (n % MEMBERS))
  const nodeN = 1 + (g % (NODES - 1))
  return {
    ...{ type: 'resourceReported', nodeId: id(1, nodeN), session: nodeN + 1 },
    items: [{ resourceId, epoch: 1, status: 'online', restarts, gaveUp: false }],
  }
}

const lost = (): Event => ({
  ...{ type: 'nodeLost', nodeId: id(1, 0) },
  evidence: {
    ...{ path: 'pong', waitedMs: 600_000, lastAnswerMs: NOW, closedMs: NOW, cause: 'silent' },
  },
})

const at = (sorted: readonly number[], part: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] as number
function workOut(losses: Losses, state: ClusterState): number {
  const begunMs = performance.now()
  for (let n = 0; n < NODES; n += 1)
    if (!losses.known(state, [id(1, n)])) losses.workOut(state, [id(1, n)], NOW)
  return performance.now() - begunMs
}

/** From where it is to the next node, by an operator; both hosts do as they are told. */
function moveOne(state: ClusterState): void {
  const groupId = id(2, CROWD + 41)
  const [from, to] = [id(1, 1 + ((CROWD + 41) % (NODES - 1))), id(1, 700)]
  const sessionOf = (node: string) => state.hive.nodes.get(node)?.session as number
  const request = { type: 'moveGroup', groupId, to } as const
  apply(state, step(state, { type: 'requested', request, by: 'bench' }, NOW))
  const released = { type: 'groupReleased', nodeId: from, groupId, epoch: 1, why: 'asked' } as const
  apply(state, step(state, { ...released, session: sessionOf(from) }, NOW))
  const accepted = { type: 'offerAccepted', nodeId: to, groupId, session: sessionOf(to) } as const
  const epoch = state.observed.offers.get(groupId)?.epoch ?? 0
  apply(state, step(state, { ...accepted, epoch }, NOW))
  const resources = [...state.hive.resources.values()].filter((r) => r.groupId === groupId)
  const seen = { status: 'online', restarts: 0, gaveUp: false, epoch } as const
  const items = resources.map((r) => ({ resourceId: r.id, ...seen }))
  const nodeId = to
  apply(
    state,
    step(state, { type: 'resourceReported', nodeId, session: sessionOf(to), items }, NOW),
  )
}

export interface Core {
  /** Microseconds of a step that takes a status report. */
  readonly p50: number
  readonly p99: number
  /** The death of a host with 500 groups: decided. */
  readonly decidedMs: number
  /** What the loss of each single node would come to. */
  readonly lossesMs: number
  /** The same when one resource has been reported, or one group has been moved, since. */
  readonly afterReportMs: number
  readonly afterMoveMs: number
  /** Of the state with what is kept beside it. */
  readonly heapMb: number
}

export function measureCore(): Core {
  global.gc?.()
  const before = process.memoryUsage().heapUsed
  const state = large()
  step(state, report(0, 1), NOW)
  global.gc?.()
  const heapMb = (process.memoryUsage().heapUsed - before) / 1024 ** 2
  const took: number[] = []
  for (let n = 0; n < EVENTS; n += 1) {
    const event = report(n * 7, 1 + (n % 3))
    const begun = performance.now()
    const decision = step(state, event, NOW + n)
    took.push((performance.now() - begun) * 1_000)
    apply(state, decision)
  }
  took.sort((a, b) => a - b)
  const losses = new Losses()
  const lossesMs = workOut(losses, state)
  apply(state, step(state, report(3, 1), NOW + EVENTS))
  const afterReportMs = workOut(losses, state)
  moveOne(state)
  const afterMoveMs = workOut(losses, state)
  // Last: it is not carried out, and the groups that it would move are looked at again until they have.
  const diedMs = performance.now()
  step(state, lost(), NOW + EVENTS)
  const decidedMs = performance.now() - diedMs
  return {
    p50: at(took, 0.5),
    p99: at(took, 0.99),
    decidedMs,
    lossesMs,
    afterReportMs,
    afterMoveMs,
    heapMb,
  }
}
