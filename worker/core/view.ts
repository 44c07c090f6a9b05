import type {
  ClusterView,
  GroupState,
  GroupView,
  NodeView,
  ResourceView,
} from '../../schema/api/bodies.ts'
import { needsOf, needsText } from '../../schema/dependency.ts'
import type { Group, Node, Resource } from '../../schema/hive.ts'
import { clockProblem, type HostClock } from '../../schema/host-clock.ts'
import { STARTS_PER_NODE } from '../../schema/placement.ts'
import { isDegraded } from '../../schema/status.ts'
import { PROFILES } from '../../schema/timing.ts'
import { isSpare } from './alternatives.ts'
import type { ClusterState } from './decision.ts'
import { fencedView, fenceProblems, heldByFence } from './fence-view.ts'
import { maintenanceOfGroup } from './maintenance.ts'
import { maintenanceProblems, viewMaintenance } from './maintenance-view.ts'
import { failoverThreshold } from './placement.ts'

/** What is known of a node's session now: the shell's knowledge, shown and never decided on. */
export interface SessionInfo {
  readonly connected: boolean
  /** Null: never, or not known. */
  readonly lastAnswerAgoMs: number | null
  /** Names of the nodes that hear it. */
  readonly heardBy: readonly string[]
  /** Null: it has not said. */
  readonly clock: HostClock | null
}
export type Sessions = ReadonlyMap<string, SessionInfo>

/** Everything on one screen. */
export function viewCluster(
  state: ClusterState,
  sessions: Sessions,
  hash: string,
  nowMs: number,
): Omit<ClusterView, 'managers'> {
  const { hive } = state
  const { cluster } = hive
  if (!cluster) throw new Error('no cluster')
  const nodes = nodesInOrder(state).map((node) => viewNode(state, node, sessions))
  const groups = [...hive.groups.values()]
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.name < b.name ? -1 : 1))
    .map((group) => viewGroup(state, group, nowMs))
  const problems = [
    ...maintenanceProblems(state, nowMs),
    ...findProblems(nodes, groups, PROFILES[cluster.profile].ttlMs),
    ...fenceProblems(state, nodes, groups),
  ]
  return {
    id: cluster.id,
    name: cluster.name,
    profile: cluster.profile,
    takeover: cluster.takeover,
    placement: cluster.placement ?? 'list',
    startsPerNode: cluster.startsPerNode ?? STARTS_PER_NODE,
    rules: viewRules(state),
    seq: hive.seq,
    hash,
    view: cluster.view,
    nowMs,
    health: healthOf(nodes, groups, problems.length),
    problems,
    maintenance: (cluster.maintenance ?? []).map((one) => viewMaintenance(state, one)),
    nodes,
    groups,
  }
}

function viewRules({ hive }: ClusterState): ClusterView['rules'] {
  return [...hive.rules.values()]
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.name < b.name ? -1 : 1))
    .map((rule) => ({
      ...rule,
      groups: rule.groups.map((id) => hive.groups.get(id)?.name ?? id),
    }))
}

/** The ordered node list (S-02). */
export function nodesInOrder(state: ClusterState): Node[] {
  return [...state.hive.nodes.values()].sort((a, b) => a.position - b.position)
}

function viewDrain({ hive, observed }: ClusterState, node: Node): NodeView['draining'] {
  if (!node.draining) return null
  const { untilMs = null, isLate = false, to = null } = observed.drains.get(node.id) ?? {}
  return { ...node.draining, untilMs, isLate, to: hive.nodes.get(to ?? '')?.name ?? null }
}

export function viewNode(state: ClusterState, node: Node, sessions: Sessions): NodeView {
  const session = sessions.get(node.id)
  let groups = 0
  for (const g of state.hive.groups.values()) if (g.ownership.owner === node.id) groups += 1
  return {
    id: node.id,
    name: node.name,
    state: node.state,
    paused: node.paused,
    draining: viewDrain(state, node),
    quarantinedUntilMs: node.quarantinedUntilMs ?? null,
    connected: session?.connected ?? false,
    lastAnswerAgoMs: session?.lastAnswerAgoMs ?? null,
    heardBy: [...(session?.heardBy ?? [])],
    clock: session?.clock ?? null,
    position: node.position,
    capacity: node.capacity ?? null,
    measured: node.measured ?? null,
    faultDomain: node.faultDomain ?? null,
    epoch: node.epoch,
    bootId: node.bootId,
    groups,
    types: node.types,
    ...fencedView(state, node),
    joinedAtMs: node.joinedAtMs,
  }
}

export function viewGroup(state: ClusterState, group: Group, nowMs: number): GroupView {
  const { ownership } = group
  const name = (id: string | null) => (id ? (state.hive.nodes.get(id)?.name ?? id) : null)
  const groupName = (id: string) => state.hive.groups.get(id)?.name ?? id
  const members = [...state.hive.resources.values()].filter((r) => r.groupId === group.id)
  const resources = members
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.name < b.name ? -1 : 1))
    .map((r) => viewResource(state, r))
  const waiting = state.observed.waiting.get(group.id)
  const maintenance = maintenanceOfGroup(state.hive.cluster, group)
  // Nobody knows what it does now, and nothing but a fence will make it anybody else's.
  const wanted = resources.some((r) => r.persistentState === 1)
  const unreachable = wanted ? heldByFence(state, ownership.owner) : null
  return {
    id: group.id,
    name: group.name,
    state:
      wanted && unreachable === null && group.waitsFor
        ? 'waiting'
        : groupState(ownership.phase, resources, waiting !== undefined, unreachable !== null, () =>
            everyFailedIsSpare(members, resources),
          ),
    phase: ownership.phase,
    owner: name(ownership.owner),
    movingTo: ownership.phase === 'owned' ? null : name(ownership.to),
    movingBy: ownership.phase === 'releasing' ? (ownership.carry?.method ?? 'stop') : null,
    epoch: ownership.epoch,
    sinceMs: resources.reduce<number | null>(
      (max, r) => (r.sinceMs !== null && (max === null || r.sinceMs > max) ? r.sinceMs : max),
      null,
    ),
    preferredOwners: group.preferredOwners.map((id) => name(id) ?? id),
    stick: group.stick
      ? { ...group.stick, node: name(group.stick.node) ?? group.stick.node }
      : null,
    failoverThreshold: failoverThreshold(group, state.hive.nodes.size),
    failoverPeriodMs: group.failoverPeriodMs,
    failback: group.failback ?? { when: 'off' },
    priority: group.priority ?? 0,
    needs: group.needs ?? {},
    after: (group.after ?? []).map(groupName),
    onlyWhile: (group.onlyWhile ?? []).map(groupName),
    waitsFor: (group.waitsFor ?? []).map(groupName),
    recentFailovers: group.failovers.filter((f) => f.atMs > nowMs - group.failoverPeriodMs).length,
    maintenance: maintenance ? viewMaintenance(state, maintenance) : null,
    waitingReasons: unreachable ? [unreachable] : (waiting?.reasons ?? []),
    resources,
  }
}

export function viewResource(state: ClusterState, r: Resource): ResourceView {
  const group = state.hive.groups.get(r.groupId)
  const seen = state.observed.resources.get(r.id)
  // What was seen at another epoch says nothing about now (Q3).
  const current = seen && seen.epoch === group?.ownership.epoch ? seen : undefined
  const name = (id: string) => state.hive.nodes.get(id)?.name ?? id
  const resourceName = (id: string) => state.hive.resources.get(id)?.name ?? id
  return {
    id: r.id,
    name: r.name,
    group: group?.name ?? r.groupId,
    type: r.type,
    properties: r.properties,
    persistentState: r.persistentState,
    status: current?.status ?? (group?.ownership.phase === 'free' ? 'offline' : 'unknown'),
    sinceMs: current?.sinceMs ?? null,
    detail: current?.detail ?? null,
    degraded: current !== undefined && isDegraded(current),
    restarts: current?.restarts ?? 0,
    node: group?.ownership.owner ? name(group.ownership.owner) : null,
    dependsOn: r.dependsOn.map(resourceName),
    needs: needsText(needsOf(r).map((some) => some.map(resourceName))),
    possibleOwners: r.possibleOwners?.map(name) ?? null,
    restart: r.restart,
    poll: r.poll,
    separateMonitor: r.separateMonitor,
    isolated: r.isolated ? { ...r.isolated, node: name(r.isolated.node) } : null,
  }
}

/** S-17: cut off from the control plane, and heard by its peers: it is not the host that is gone. */
export function stillHeard(
  node: Pick<NodeView, 'connected' | 'lastAnswerAgoMs' | 'heardBy'>,
  ttlMs: number,
): string | null {
  const { connected, lastAnswerAgoMs: ago, heardBy } = node
  if (heardBy.length === 0 || (connected && (ago ?? 0) <= ttlMs)) return null
  const since = ago === null ? 'no session' : `no answer for ${Math.round(ago / 1_000)} s`
  return `${since}, still heard by ${heardBy.join(', ')}`
}

/** One word for a group, from its ownership and what its members are observed to be. */
function groupState(
  phase: GroupView['phase'],
  resources: readonly ResourceView[],
  waiting: boolean,
  unreachable: boolean,
  goesOn: () => boolean,
): GroupState {
  const wanted = resources.filter((r) => r.persistentState === 1)
  if (unreachable) return 'waiting'
  if (phase === 'free') {
    if (wanted.length === 0) return 'offline'
    return waiting ? 'waiting' : 'pending'
  }
  if (phase === 'releasing') return 'pending'
  if (resources.some((r) => r.status === 'onlinePending' || r.status === 'offlinePending'))
    return 'pending'
  if (wanted.length === 0)
    return resources.some((r) => r.status === 'online') ? 'pending' : 'offline'
  const online = wanted.filter((r) => r.status === 'online').length
  if (online === wanted.length)
    return wanted.length === resources.length ? 'online' : 'partialOnline'
  if (wanted.some((r) => r.status === 'failed')) return goesOn() ? 'partialOnline' : 'failed'
  return 'pending'
}

/** S-93: all that needs one of those that failed has another one that is online. */
function everyFailedIsSpare(members: readonly Resource[], views: readonly ResourceView[]): boolean {
  const statuses = new Map(views.map((r) => [r.id, r.status]))
  const isDone = (r: Resource) =>
    r.persistentState === 0 ||
    statuses.get(r.id) === 'online' ||
    (statuses.get(r.id) === 'failed' &&
      isSpare(r, members, (other) => statuses.get(other.id) === 'online'))
  return members.every(isDone)
}

function healthOf(
  nodes: readonly NodeView[],
  groups: readonly GroupView[],
  problems: number,
): ClusterView['health'] {
  // A cluster that no host has joined yet has nothing to lose.
  const isOut = (g: GroupView) =>
    (g.state === 'failed' || g.state === 'waiting') && g.maintenance === null
  if (nodes.length > 0 && groups.some(isOut)) return 'outage'
  return problems > 0 ? 'warning' : 'healthy'
}

/** `db is online, which is failed`. */
export const waitsText = (groups: readonly GroupView[], { waitsFor }: GroupView): string =>
  waitsFor
    .map((name) => {
      const provider = groups.find((g) => g.name === name)
      return `${name} is online${provider ? ` (it is ${provider.state})` : ''}`
    })
    .join(' and ')

function findProblems(
  nodes: readonly NodeView[],
  groups: readonly GroupView[],
  ttlMs: number,
): ClusterView['problems'] {
  const problems: ClusterView['problems'] = []
  if (nodes.length === 0)
    problems.push({
      subject: 'nodes',
      message: 'no host has joined yet',
      remedy: 'Make a join token: holdfast token create',
    })
  for (const node of nodes)
    if (node.state === 'down')
      problems.push({
        subject: node.name,
        message: `node ${node.name} is down`,
        remedy: `Start its host; it joins by itself. To see why: holdfast log`,
      })
  for (const node of nodes) {
    const text = stillHeard(node, ttlMs)
    if (node.state !== 'down' && node.lost === null && text !== null)
      problems.push({
        subject: node.name,
        message: `node ${node.name}: ${text}`,
        remedy: `Its host lives: look at its way to the control plane (holdfast-probe doctor, on ${node.name}).`,
      })
  }
  for (const { name, clock } of nodes) {
    const wrong = clock && clockProblem(clock)
    if (wrong)
      problems.push({
        subject: name,
        message: `node ${name}: ${wrong}`,
        remedy: `Nothing of the cluster goes by it, but its logs and certificates do: chronyc tracking, on ${name}`,
      })
  }
  for (const node of nodes)
    if (node.quarantinedUntilMs !== null)
      problems.push({
        subject: node.name,
        message: `node ${node.name} was lost again and again: it is quarantined, and takes no groups while others can`,
        remedy: `When its cause is gone: holdfast node resume ${node.name}. To see why: holdfast why ${node.name}`,
      })
  for (const node of nodes)
    for (const { type, problem } of node.types)
      if (problem !== undefined)
        problems.push({
          subject: node.name,
          message: `node ${node.name} cannot host type ${type}: ${problem}`,
          remedy: `Look on ${node.name}: holdfast-probe module list. A corrupt file: holdfast-probe module repair ${type}`,
        })
  for (const group of groups) {
    if (group.state === 'waiting' && group.waitsFor.length > 0)
      problems.push({
        subject: group.name,
        message: `${group.name} waits until ${waitsText(groups, group)}`,
        remedy: `To see what keeps it: holdfast why ${group.waitsFor[0]}`,
      })
    else if (group.state === 'waiting' && group.phase === 'free' && nodes.length > 0)
      problems.push({
        subject: group.name,
        message: `no eligible node: ${group.waitingReasons.map((r) => `${r.node} ${r.reason}`).join('; ')}`,
        remedy: 'Resume a paused node, bring one up, or widen the possible owners.',
      })
    for (const r of group.resources)
      if (r.status === 'failed')
        problems.push({
          subject: r.name,
          message: `${r.name} failed on ${r.node}${r.detail ? `: ${r.detail}` : ''}`,
          remedy: `holdfast log --resource ${r.name}`,
        })
      else if (r.degraded)
        problems.push({
          subject: r.name,
          message: `${r.name} on ${r.node} is ${r.detail}`,
          remedy: `It runs on. What its checks say: holdfast log --resource ${r.name}`,
        })
  }
  return problems
}
