/**
 * Whether the managers of a cluster do their work (S-14): each is asked for something that would not be so
 * if it stood still. What they look after may be in any state.
 */
import type { ClusterView } from '../../schema/api/bodies.ts'
import type { ManagerView } from '../../schema/api/health.ts'
import { clockProblem } from '../../schema/host-clock.ts'
import { LIMITS } from '../../schema/limits.ts'
import { PROFILES, waitMs } from '../../schema/timing.ts'
import { nextDeadline } from './deadlines.ts'
import type { ClusterState } from './decision.ts'
import { brokenInvariants } from './invariants.ts'
import type { Sessions } from './view.ts'

/** What the shell knows of itself. */
export interface ShellFacts {
  readonly sessions: Sessions
  /** Of the last update that is stored. */
  readonly stored: { readonly seq: number; readonly hash: string }
  /** Of the state in memory. */
  readonly hash: string
  /** Updates that a session has not been sent yet, by node. */
  readonly behind: ReadonlyMap<string, number>
  readonly nowMs: number
}

/** A deadline, and whoever waits for a lease, may be late by so much on a busy machine. */
const LATE_MS = 30_000

export function managersOf(state: ClusterState, facts: ShellFacts): ManagerView[] {
  return [
    eventProcessor(state, facts),
    databaseManager(state, facts),
    updateManager(state, facts),
    communications(state, facts),
    nodeManager(state, facts),
    failoverManager(state),
    resourceManager(state, facts),
    timeService(state, facts),
  ]
}

const ok = (manager: ManagerView['manager'], detail: string): ManagerView => ({
  ...{ manager, ok: true, detail },
})
const bad = (manager: ManagerView['manager'], detail: string): ManagerView => ({
  ...{ manager, ok: false, detail },
})
const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`

function eventProcessor(state: ClusterState, { nowMs }: ShellFacts): ManagerView {
  const dueMs = nextDeadline(state)
  if (dueMs === null) return ok('EVT', 'no deadline is open')
  const lateMs = nowMs - dueMs
  if (lateMs > LATE_MS) return bad('EVT', `a deadline was due ${Math.round(lateMs / 1_000)} s ago`)
  return ok(
    'EVT',
    `the next deadline is ${lateMs > 0 ? 'due' : `in ${Math.round(-lateMs / 1_000)} s`}`,
  )
}

function databaseManager({ hive }: ClusterState, { stored, hash }: ShellFacts): ManagerView {
  if (stored.seq !== hive.seq)
    return bad('DM', `update ${hive.seq} in memory, ${stored.seq} in storage`)
  if (stored.hash !== hash) return bad('DM', `update ${hive.seq} in memory is not that in storage`)
  const [broken] = brokenInvariants(hive)
  return broken ? bad('DM', broken) : ok('DM', `update ${hive.seq}, memory as storage`)
}

function updateManager({ hive }: ClusterState, { behind }: ShellFacts): ManagerView {
  const [most] = [...behind].sort(([, a], [, b]) => b - a)
  if (!most || most[1] === 0) return ok('GUM', `all sessions have update ${hive.seq}`)
  const [nodeId, updates] = most
  const detail = `${hive.nodes.get(nodeId)?.name ?? nodeId} is ${count(updates, 'update')} behind`
  return updates > LIMITS.updatesPerFrameMax ? bad('GUM', detail) : ok('GUM', detail)
}

/** A host without a session is the host's matter, and that of NM. */
function communications({ hive }: ClusterState, { sessions }: ShellFacts): ManagerView {
  const up = [...hive.nodes.values()].filter((node) => node.state !== 'down')
  const open = up.filter((node) => sessions.get(node.id)?.connected)
  return ok('COMM', `${open.length} of ${count(up.length, 'session')} of nodes that are not down`)
}

/** Who has been silent for longer than any lease is Down, or waits for a fence. */
function nodeManager({ hive }: ClusterState, { sessions }: ShellFacts): ManagerView {
  const times = PROFILES[hive.cluster?.profile ?? 'standard']
  const longestMs = waitMs(times.ttlAuthorityMs, times.marginMs) + LATE_MS
  const nodes = [...hive.nodes.values()]
  const forgotten = nodes.find((node) => {
    const session = sessions.get(node.id)
    const silentMs = session?.lastAnswerAgoMs ?? 0
    return (
      node.state !== 'down' && node.under !== 'fence' && !session?.connected && silentMs > longestMs
    )
  })
  if (forgotten)
    return bad('NM', `${forgotten.name} has been silent for longer than any lease, and is not down`)
  const down = nodes.filter((node) => node.state === 'down').length
  return ok('NM', `view ${hive.cluster?.view ?? 0}: ${count(nodes.length, 'node')}, ${down} down`)
}

/** A free group that is wanted is on its way, or it is known why it is not. */
function failoverManager({ hive, observed }: ClusterState): ManagerView {
  const wanted = new Set(
    [...hive.resources.values()].flatMap((r) => (r.persistentState === 1 ? r.groupId : [])),
  )
  const groups = [...hive.groups.values()]
  const idle = groups.find(
    ({ id, ownership }) =>
      ownership.phase === 'free' &&
      wanted.has(id) &&
      !observed.offers.has(id) &&
      !observed.waiting.has(id),
  )
  if (idle) return bad('FM', `group ${idle.name} is on no node, and nobody was asked to take it`)
  const owned = groups.filter(({ ownership }) => ownership.phase === 'owned').length
  return ok(
    'FM',
    `${owned} of ${count(groups.length, 'group')} on a node, ${observed.waiting.size} waiting`,
  )
}

/** What is on a connected node is known. */
function resourceManager({ hive, observed }: ClusterState, { sessions }: ShellFacts): ManagerView {
  let unknown = 0
  for (const r of hive.resources.values()) {
    const ownership = hive.groups.get(r.groupId)?.ownership
    if (ownership?.phase !== 'owned' || !sessions.get(ownership.owner)?.connected) continue
    if (observed.resources.get(r.id)?.epoch !== ownership.epoch) unknown += 1
  }
  const text = `${count(hive.resources.size, 'resource')}, ${unknown} not reported yet`
  return ok('RCM', text)
}

function timeService({ hive }: ClusterState, { sessions }: ShellFacts): ManagerView {
  const known = [...hive.nodes.values()].flatMap(({ id, name }) => {
    const clock = sessions.get(id)?.clock
    return clock ? [{ name, clock }] : []
  })
  for (const { name, clock } of known) {
    const problem = clockProblem(clock)
    if (problem) return bad('TIME', `${name}: ${problem}`)
  }
  const most = Math.max(0, ...known.map(({ clock }) => Math.abs(clock.offsetMs)))
  return ok('TIME', `${count(known.length, 'clock')} known, at most ${most} ms away`)
}

/** What is wrong with one is a problem of the cluster; a wrong clock has been told as that of its host. */
export function withManagers(
  view: Omit<ClusterView, 'managers'>,
  managers: ManagerView[],
): ClusterView {
  const wrong = managers.filter((one) => !one.ok && one.manager !== 'TIME')
  const problems = wrong.map(({ manager, detail }) => ({
    subject: manager,
    message: `manager ${manager} of the control plane: ${detail}`,
    remedy: 'That is a fault of ours: holdfast report makes the file that is needed to find it.',
  }))
  const health = view.health === 'healthy' && wrong.length > 0 ? 'warning' : view.health
  return { ...view, health, problems: [...view.problems, ...problems], managers }
}
