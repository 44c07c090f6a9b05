import type { Event } from '../../schema/event.ts'
import type { Node } from '../../schema/hive.ts'
import type { Draft } from './draft.ts'

type Of<T extends Event['type']> = Extract<Event, { type: T }>

/** Whether the event comes from the node's latest accepted session (S2). */
export function isCurrent(draft: Draft, event: { nodeId: string; session: number }): boolean {
  const node = draft.node(event.nodeId)
  return node !== undefined && node.state !== 'down' && node.session === event.session
}

/** The ordered list of nodes that may take groups (S-02), for a Failover Manager. */
export function availableNodes(draft: Draft): Node[] {
  return draft.nodes().filter((node) => node.state === 'up' && !node.paused)
}

/** What a node could host is known before any offer: it publishes it when it changes. */
export function nodeTypesChanged(draft: Draft, event: Of<'nodeTypesChanged'>): void {
  const node = draft.node(event.nodeId)
  if (!node) return
  const value: Node = { ...node, types: event.types }
  draft.put(
    { table: 'node', id: node.id, value },
    { manager: 'NM', code: 'typesPublished', evidence: { types: typesText(value) } },
  )
}

export const typesText = (node: Node): string => node.types.map((t) => t.type).join(', ') || 'none'
