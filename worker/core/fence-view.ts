/** How fencing shows: in a node's view, in what a group waits for, among the problems. */
import type { ClusterView, GroupView, NodeView } from '../../schema/api/bodies.ts'
import type { LostView } from '../../schema/api/fencing.ts'
import type { Node } from '../../schema/hive.ts'
import { fenceDelayMs, PROFILES } from '../../schema/timing.ts'
import type { ClusterState } from './decision.ts'

/** The node's part of it: policy, set-up, what is under way, what came of it last. */
export function fencedView(
  state: ClusterState,
  node: Node,
): Pick<NodeView, 'under' | 'fence' | 'lost' | 'lastFence'> {
  const name = (id: string) => state.hive.nodes.get(id)?.name ?? id
  const { fence } = node
  const timing = PROFILES[state.hive.cluster?.profile ?? 'standard']
  return {
    under: node.under ?? 'lease',
    fence: fence
      ? {
          ...fence,
          helpers: fence.helpers?.map(name) ?? null,
          delayMs: fence.delayMs ?? fenceDelayMs(timing),
        }
      : null,
    lost: lostView(state, node),
    lastFence: node.lastFence ?? null,
  }
}

function lostView(state: ClusterState, node: Node): LostView | null {
  const fencing = state.observed.fencing.get(node.id)
  if (!fencing) return null
  const name = (id: string) => state.hive.nodes.get(id)?.name ?? id
  const { asked, resting } = fencing
  return {
    cause: fencing.cause,
    sinceMs: fencing.sinceMs,
    waitsFor: waitsFor(node, fencing.nextMs !== null || asked !== null),
    helper: asked && name(asked.helper),
    failures: fencing.failures.map((f) => ({ helper: name(f.helper), reason: f.reason })),
    retryAtMs: resting ? fencing.dueMs : null,
  }
}

/** @param goesOn somebody fences it, or will be asked to when it is time */
function waitsFor(node: Node, goesOn: boolean): LostView['waitsFor'] {
  if (node.fence && goesOn) return 'fence'
  if (node.under !== 'fence') return 'lease'
  return node.fence ? 'return' : 'confirmation'
}

/** Why a group stays with an owner that is not heard of, or null. */
export function heldByFence(
  state: ClusterState,
  owner: string | null,
): { node: string; reason: string } | null {
  const node = owner === null ? undefined : state.hive.nodes.get(owner)
  if (node?.under !== 'fence' || !state.observed.fencing.has(node.id)) return null
  return {
    node: node.name,
    reason: `unreachable, and takeover needs a confirmed fence of boot ${node.bootId}`,
  }
}

/** What an operator has to know, and what to do about it. */
export function fenceProblems(
  state: ClusterState,
  nodes: readonly NodeView[],
  groups: readonly GroupView[],
): ClusterView['problems'] {
  const problems: ClusterView['problems'] = []
  for (const node of nodes) {
    if (!node.lost) continue
    const held = groups.filter((g) => g.owner === node.name && g.state === 'waiting')
    const names = held.map((g) => g.name).join(', ')
    const said = [
      lostText(node),
      ...(names ? [`${names} ${held.length > 1 ? 'wait' : 'waits'}`] : []),
    ]
    problems.push({ subject: node.name, message: said.join('; '), remedy: fenceRemedy(node) })
  }
  if (state.hive.cluster?.takeover === 'fence')
    for (const node of nodes)
      if (!node.fence && !node.lost)
        problems.push({
          subject: node.name,
          message: `node ${node.name} has no fence agent: if it is lost its groups wait for an operator`,
          remedy: `holdfast fence add ${node.name} --agent NAME`,
        })
  return problems
}

/** "n2 is unreachable and takeover needs a confirmed fence", with who is at it. */
export function lostText(node: NodeView): string {
  const { lost, name } = node
  if (!lost) return `${name} is connected`
  const needs = node.under === 'fence' ? ' and takeover needs a confirmed fence' : ''
  const last = lost.failures.at(-1)
  const failed = last ? ` (last failure, by ${last.helper}: ${last.reason})` : ''
  const busy = lost.helper ? `: ${lost.helper} is fencing it` : ''
  // Whoever is about to confirm that its host is off has to know that it is heard (F5, S-17).
  const heard = node.heardBy.length > 0 ? `, still heard by ${node.heardBy.join(', ')}` : ''
  return `${name} is unreachable${heard}${needs}${busy}${failed}`
}

export function fenceRemedy(node: NodeView): string {
  const confirm = `If its host is surely off: holdfast fence confirm ${node.name}`
  switch (node.lost?.waitsFor) {
    case 'lease':
      return 'Its groups are taken over when its lease has surely ended; nothing has to be done.'
    case 'fence':
      return `It is being fenced, or will be tried again: holdfast fence list. ${confirm}`
    default:
      return `Bring it back, or confirm that it is over. ${confirm}`
  }
}
