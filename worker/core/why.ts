/** Why things are as they are, in words: for `holdfast why`. Decides nothing. */
import type { GroupView, NodeView, ResourceView } from '../../schema/api/bodies.ts'
import type { WhyView } from '../../schema/api/why.ts'
import { hasNeeded } from '../../schema/dependency.ts'
import type { Group, Node, Resource } from '../../schema/hive.ts'
import { PROFILES } from '../../schema/timing.ts'
import type { Update } from '../../schema/update.ts'
import type { ClusterState } from './decision.ts'
import { Draft } from './draft.ts'
import { REASONS } from './explain.ts'
import { fenceRemedy, heldByFence, lostText } from './fence-view.ts'
import { leftText } from './maintenance-view.ts'
import { candidates, failoverThreshold, recentFailovers } from './placement.ts'
import { isQuarantined, quarantineText } from './quarantine.ts'
import { type Sessions, stillHeard, viewGroup, viewNode, viewResource } from './view.ts'

/** Verdict, nodes and advice; the chain of updates is the shell's to add. */
export type Why = Pick<WhyView, 'verdict' | 'nodes' | 'change'>

/** @param trail updates that led to the ownership as it is, oldest first */
export function whyGroup(
  state: ClusterState,
  group: Group,
  trail: readonly Update[],
  nowMs: number,
): Why {
  const draft = new Draft(state, nowMs, '')
  const view = viewGroup(state, group, nowMs)
  const nodes = nodeRows(draft, state, group)
  return {
    ...(waitsForFence(state, view, group) ??
      inMaintenance(view, nowMs) ?? {
        verdict: groupVerdict(draft, view, group, trail, nodes),
        change: groupAdvice(view, nodes),
      }),
    nodes,
  }
}

/** Nothing is done about it because somebody has said so: that is the whole reason. */
function inMaintenance(view: GroupView, nowMs: number): Pick<Why, 'verdict' | 'change'> | null {
  const { maintenance, name, state, owner } = view
  if (!maintenance || state === 'online' || state === 'offline') return null
  const { scope, by, reason, name: of } = maintenance
  const where = owner ? `on ${owner}` : 'on no node'
  const subject = scope === 'cluster' ? scope : `${scope}/${of}`
  return {
    verdict: `${name} is ${state} ${where}, and nothing is done about it: ${scope} ${of} is in maintenance ${leftText(maintenance, nowMs)}, by ${by} (${reason})`,
    change: [
      `holdfast maintenance off ${subject} --dry-run`,
      `holdfast maintenance off ${subject}`,
    ],
  }
}

/** Its owner is not heard of, and may run it for as long as nobody says that its boot is over. */
function waitsForFence(
  state: ClusterState,
  view: GroupView,
  group: Group,
): Pick<Why, 'verdict' | 'change'> | null {
  const owner = state.hive.nodes.get(group.ownership.owner ?? '')
  if (!owner || view.state !== 'waiting' || !heldByFence(state, owner.id)) return null
  const node = viewNode(state, owner, new Map())
  return { verdict: `${view.name} waits: ${lostText(node)}`, change: [fenceRemedy(node)] }
}

export function whyNode(
  state: ClusterState,
  node: Node,
  trail: readonly Update[],
  sessions: Sessions,
): Why {
  const view = viewNode(state, node, sessions)
  if (view.lost) return whyLost(view)
  const cause = trail.at(-1)
  const because = cause ? `: ${reasonText(cause)}` : ''
  const paused = node.paused ? ', and paused: it takes no new groups' : ''
  const quarantined = node.quarantinedUntilMs === undefined ? '' : `, and ${quarantineText(node)}`
  const { ttlMs } = PROFILES[state.hive.cluster?.profile ?? 'standard']
  const heard = node.state === 'down' ? null : stillHeard(view, ttlMs)
  const pending = node.bootId === null && node.state === 'down'
  const verdict = pending
    ? `${node.name} has joined, but its host has not reported yet`
    : `${node.name} is ${node.state}${paused}${quarantined}${heard === null ? '' : `, ${heard}`}${because}`
  const change: string[] = []
  if (node.state === 'down') {
    change.push(`Start its host and the probe on it; ${node.name} comes back by itself.`)
    change.push(`If it will not come back: holdfast node remove ${node.name} --lost`)
  }
  if (node.paused || quarantined !== '') change.push(`holdfast node resume ${node.name}`)
  if (node.state === 'up' && !node.paused) change.push(`holdfast node pause ${node.name}`)
  return { verdict, nodes: [], change }
}

/** Nobody hears of it, and fencing has something to do with what comes next. */
function whyLost(view: NodeView): Why {
  const { lost, lastFence } = view
  const what = {
    return: 'nobody may fence it now',
    fence: 'it is being fenced',
    confirmation: `it waits for an operator to confirm that boot ${view.bootId} is over`,
    lease: 'its groups are free once its lease has surely ended',
  }[lost?.waitsFor ?? 'lease']
  const last = lastFence ? `; last fence (${lastFence.by}): ${lastFence.detail}` : ''
  return { verdict: `${lostText(view)}: ${what}${last}`, nodes: [], change: [fenceRemedy(view)] }
}

/** @param trail updates that led to its PersistentState, oldest first */
export function whyResource(
  state: ClusterState,
  resource: Resource,
  trail: readonly Update[],
  nowMs: number,
): Why {
  const view = viewResource(state, resource)
  const group = state.hive.groups.get(resource.groupId)
  const draft = new Draft(state, nowMs, '')
  return {
    verdict: resourceVerdict(state, view, trail),
    nodes: group ? nodeRows(draft, state, group) : [],
    change: resourceAdvice(view),
  }
}

type Row = WhyView['nodes'][number]

/** One row a node, from the one function that knows who may take a group. */
function nodeRows(draft: Draft, state: ClusterState, group: Group): Row[] {
  const refused = state.observed.offers.get(group.id)?.refused ?? []
  const found = candidates(draft, group, { refused })
  const waiting = new Map(
    (state.observed.waiting.get(group.id)?.reasons ?? []).map((r) => [r.node, r.reason]),
  )
  const { owner } = group.ownership
  const eligible = found.eligible.map((node): Row => {
    const parked = waiting.get(node.name)
    return {
      node: node.name,
      eligible: parked === undefined,
      owner: node.id === owner,
      reason: parked ?? placeText(draft, group, node),
    }
  })
  const rejected = found.rejected.map(({ node, reason }): Row => {
    const isOwner = owner !== null && draft.node(owner)?.name === node
    return { node, eligible: false, owner: isOwner, reason }
  })
  return [
    ...eligible.filter((r) => r.eligible),
    ...eligible.filter((r) => !r.eligible),
    ...rejected,
  ]
}

function placeText(draft: Draft, group: Group, node: Node): string {
  const preferred = group.preferredOwners.indexOf(node.id)
  const place =
    group.stick?.node === node.id
      ? `it is to stay here until ${new Date(group.stick.untilMs).toISOString()}, said ${group.stick.by}: ${group.stick.reason}`
      : preferred >= 0
        ? `preferred owner ${preferred + 1}`
        : `place ${place1(draft, node)} of the list`
  const failed = recentFailovers(draft, group).some((f) => f.nodeId === node.id)
  const asked = failed ? `${place}, asked last: the group failed here lately` : place
  return isQuarantined(node, draft.nowMs)
    ? `${asked}, only because nobody else can: ${quarantineText(node)}`
    : asked
}

const place1 = (draft: Draft, node: Node) => draft.nodes().indexOf(node) + 1

function groupVerdict(
  draft: Draft,
  view: GroupView,
  group: Group,
  trail: readonly Update[],
  nodes: readonly Row[],
): string {
  const { name, owner } = view
  const cause = placementCause(draft, trail)
  switch (view.state) {
    case 'online':
      return `${name} is online on ${owner}${cause}`
    case 'partialOnline': {
      const off = view.resources.filter((r) => r.persistentState === 0).map((r) => r.name)
      return `${name} is on ${owner}, and ${off.join(', ')} of it is wanted offline${cause}`
    }
    case 'waiting':
      if (view.waitsFor.length > 0) return orderVerdict(draft, view)
      return nodes.length === 0
        ? `${name} waits: no host has joined yet`
        : `${name} waits: no node may take it now${cause}`
    case 'failed':
      return `${name} failed on ${owner}: ${failedText(view)}; it stays there, because ${stayText(draft, view, group, nodes)}`
    case 'offline':
      return view.resources.length === 0
        ? `${name} is empty: there is nothing to bring online${owner ? `, and ${owner} owns it` : ''}`
        : `${name} is offline: none of its resources is wanted online`
    case 'pending':
      return `${name} ${pendingText(view)}${cause}`
  }
}

function orderVerdict(draft: Draft, { name, owner, waitsFor, onlyWhile }: GroupView): string {
  const said = waitsFor.map((one) =>
    onlyWhile.includes(one) ? `only while ${one} is` : `after ${one}`,
  )
  const where = owner ? ` It stands ready on ${owner}.` : ''
  const waits = draft.groups().filter((g) => waitsFor.includes(g.name) && g.waitsFor)
  const chain = waits.map((g) => `; ${g.name} itself waits`).join('')
  return `${name} waits until ${waitsFor.join(' and ')} is online: it is online ${said.join(', ')}${chain}.${where}`
}

function pendingText(view: GroupView): string {
  if (view.phase === 'releasing') return `is being stopped on ${view.owner}`
  if (view.phase === 'free') return 'has no owner yet: a node is being asked to take it'
  const busy = view.resources
    .filter((r) => r.status !== 'online' && r.persistentState === 1)
    .map((r) => `${r.name} ${r.status}`)
  return `is on ${view.owner}, not all of it online yet${busy.length > 0 ? ` (${busy.join(', ')})` : ''}`
}

const failedText = (view: GroupView) =>
  view.resources
    .filter((r) => r.status === 'failed')
    .map((r) => `${r.name}${r.detail ? ` (${r.detail})` : ''}`)
    .join(', ')

function stayText(draft: Draft, view: GroupView, group: Group, nodes: readonly Row[]): string {
  const threshold = failoverThreshold(group, draft.nodes().length)
  if (view.recentFailovers >= threshold)
    return `${view.recentFailovers} of ${threshold} failovers are used up in its period`
  if (!nodes.some((n) => n.eligible && !n.owner)) return 'no other node may take it'
  return 'its restart attempts are not used up yet'
}

/** How it came to be where it is: from the last placement and what freed the group before it. */
function placementCause(draft: Draft, trail: readonly Update[]): string {
  const last = trail.filter((u) => u.change.table === 'group').at(-1)
  if (!last) return ''
  const freed = trail.findLast((u) => isGroup(u, 'free') && u.seq < last.seq)
  const leaving = trail.findLast((u) => isGroup(u, 'releasing'))
  const before = [leaving, freed === leaving ? undefined : freed]
    .filter((u) => u !== undefined && u !== last)
    .map((u) => reasonText(u as Update))
  const down = trail.findLast((u) => u.change.table === 'node' && u.change.value?.state === 'down')
  if (down) before.push(`${nodeName(draft, down)} was declared down (${reasonText(down)})`)
  const now = reasonText(last)
  return `: ${[...new Set([...before, now])].join('; ')}`
}

function isGroup(u: Update, phase: string): boolean {
  return u.change.table === 'group' && u.change.value?.ownership.phase === phase
}

function nodeName(draft: Draft, u: Update): string {
  return (u.change.table === 'node' && u.change.value?.name) || draft.node(u.change.id)?.name || ''
}

/** The reason of an update with what an operator wants to know of its evidence. */
function reasonText(u: Update): string {
  const { code, evidence = {} } = u.because
  const said = ['by', 'resource', 'node', 'to', 'detail', 'cause', 'heardBy']
    .filter((key) => evidence[key] !== undefined && evidence[key] !== '')
    .map((key) => `${key === 'heardBy' ? 'still heard by' : key} ${evidence[key]}`)
  return [REASONS[code] ?? code, ...said].join(', ')
}

function groupAdvice(view: GroupView, nodes: readonly Row[]): string[] {
  const { name } = view
  const failed = view.resources.find((r) => r.status === 'failed')
  if (failed)
    return [
      `See what it said: holdfast log --resource ${failed.name}`,
      `When the cause is gone: holdfast offline ${name}, then holdfast online ${name}`,
    ]
  if (view.waitsFor.length > 0) return view.waitsFor.map((one) => `holdfast why ${one}`)
  if (view.state === 'waiting') return nodes.map(nodeAdvice).filter((one) => one !== '')
  if (view.state === 'offline' && view.resources.length > 0) return [`holdfast online ${name}`]
  const others = nodes.filter((n) => n.eligible && !n.owner)
  const move = others[0] ? [`holdfast move ${name} --to ${others[0].node}`] : []
  if (view.state !== 'online' && view.state !== 'partialOnline') return move
  return ['It stays until it is moved, it fails beyond its restarts, or its node is lost.', ...move]
}

/** What would make a node fit, by its reason. */
function nodeAdvice({ node, reason }: Row): string {
  if (reason === 'down') return `Start the host of ${node}; why it is down: holdfast why ${node}`
  if (reason === 'paused' || reason.startsWith('quarantined')) return `holdfast node resume ${node}`
  const resource = /^not a possible owner of (\S+)/.exec(reason)?.[1]
  if (resource)
    return `Let ${node} own ${resource}: holdfast resource change ${resource} --possible-owners all`
  if (/^cannot host type \S+ \(resource \S+\): /.test(reason))
    return `Look on ${node}: holdfast-probe module list, then module repair or register.`
  if (reason.startsWith('cannot host type')) return `Allow the type in the host policy of ${node}.`
  return ''
}

function resourceVerdict(
  state: ClusterState,
  view: ResourceView,
  trail: readonly Update[],
): string {
  const wanted = view.persistentState === 1 ? 'online' : 'offline'
  const where = view.node ? ` on ${view.node}` : ''
  const said = view.detail ? ` (${view.detail})` : ''
  const restarts = view.restarts > 0 ? `, after ${view.restarts} restarts` : ''
  const cause = trail.at(-1)
  const intent = `it is wanted ${wanted}${cause ? ` (${reasonText(cause)})` : ''}`
  const blocked =
    view.persistentState === 1 && view.status !== 'online' ? lackText(state, view) : ''
  return `${view.name} is ${view.status}${where}${said}${restarts}; ${intent}${blocked}`
}

/** What it needs and does not have. */
function lackText(state: ClusterState, view: ResourceView): string {
  const resource = state.hive.resources.get(view.id)
  if (!resource || hasNeeded(resource, (id) => isOnline(state, id))) return ''
  const below = resource.dependsOn.filter((id) => !isOnline(state, id))
  const names = below.map((id) => state.hive.resources.get(id)?.name ?? id).join(', ')
  return resource.anyOf
    ? `; it needs ${view.needs}, and ${names} is not online`
    : `; it needs ${names}, not online`
}

function isOnline(state: ClusterState, id: string): boolean {
  const r = state.hive.resources.get(id)
  return r !== undefined && viewResource(state, r).status === 'online'
}

function resourceAdvice(view: ResourceView): string[] {
  const log = `See what it said: holdfast log --resource ${view.name}`
  const place = `Where its group is and why: holdfast why ${view.group}`
  if (view.persistentState === 0) return [`holdfast online ${view.name}`, place]
  return view.status === 'online' ? [place] : [log, place]
}
