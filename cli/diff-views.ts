/** What changed between two screens, one sentence each: `status --watch` without a terminal. */
import type { ClusterView, GroupView, NodeView, ResourceView } from '../schema/api/bodies.ts'

export function diffViews(before: ClusterView, after: ClusterView): string[] {
  return [
    ...changes(before.nodes, after.nodes, 'node', nodeText),
    ...changes(before.groups, after.groups, 'group', groupText),
    ...changes(members(before), members(after), 'resource', resourceText),
    ...(before.health === after.health ? [] : [`cluster ${after.name}: ${after.health}`]),
  ]
}

const members = (view: ClusterView) => view.groups.flatMap((group) => group.resources)

const nodeText = (node: NodeView) =>
  `${node.state}${heldBack(node)}${node.connected ? '' : ', no session'}`

/** Why a node takes no groups, as it is added to its state. */
export const heldBack = (node: NodeView) =>
  (node.draining ? ', drained' : node.paused ? ', paused' : '') +
  (node.quarantinedUntilMs === null ? '' : ', quarantined')

const groupText = (group: GroupView) =>
  `${group.state} on ${group.owner ?? 'no node'}, epoch ${group.epoch}` +
  (group.movingTo ? `, moving to ${group.movingTo}` : '')

const resourceText = (one: ResourceView) =>
  `${one.status}${one.detail ? ` (${one.detail})` : ''}, wanted ${one.persistentState === 1 ? 'online' : 'offline'}`

function changes<T extends { id: string; name: string }>(
  before: readonly T[],
  after: readonly T[],
  kind: string,
  text: (one: T) => string,
): string[] {
  const old = new Map(before.map((one) => [one.id, text(one)]))
  const left = new Set(after.map((one) => one.id))
  return [
    ...after
      .filter((one) => old.get(one.id) !== text(one))
      .map((one) => `${kind} ${one.name}: ${text(one)}`),
    ...before.filter((one) => !left.has(one.id)).map((one) => `${kind} ${one.name}: removed`),
  ]
}
