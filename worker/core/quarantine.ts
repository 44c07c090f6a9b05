/**
 * Quarantine: a node that is lost again and again takes no groups for a while, unless nobody else
 * can. Each of its losses costs every group on it a lease wait, so others are better homes; but a
 * group that waits for hours while a node could run it is worse than one that is interrupted now
 * and then.
 */
import type { Node } from '../../schema/hive.ts'
import type { Draft } from './draft.ts'

/** Lost so often within the period: for so long it is asked last. */
export const QUARANTINE = { losses: 3, periodMs: 3_600_000, forMs: 7_200_000 } as const

/** It was declared Down without having said goodbye: its lease ran out, or a fence ended its boot. */
export function withLoss(node: Node, nowMs: number): Node {
  const recent = (node.losses ?? []).filter((atMs) => atMs > nowMs - QUARANTINE.periodMs)
  const losses = [...recent, nowMs].slice(-QUARANTINE.losses)
  if (losses.length < QUARANTINE.losses) return { ...node, losses }
  return { ...node, losses, quarantinedUntilMs: nowMs + QUARANTINE.forMs }
}

/** What came before counts no more. */
export function withoutQuarantine(node: Node): Node {
  const { losses: _, quarantinedUntilMs: __, ...rest } = node
  return rest
}

export const isQuarantined = (node: Node, nowMs: number): boolean =>
  node.quarantinedUntilMs !== undefined && nowMs < node.quarantinedUntilMs

export const quarantineText = (node: Node): string =>
  `quarantined until ${utcTime(node.quarantinedUntilMs ?? 0)}: lost ${node.losses?.length ?? 0} times within an hour`

/** A deadline that has passed is taken in the step that sees it. */
export function endQuarantines(draft: Draft): void {
  // As they are committed: few are ever in quarantine, and every step asks.
  for (const { id, quarantinedUntilMs } of draft.census.nodes) {
    const node = quarantinedUntilMs === undefined ? undefined : draft.node(id)
    if (node?.quarantinedUntilMs !== undefined && !isQuarantined(node, draft.nowMs))
      draft.put(
        { table: 'node', id: node.id, value: withoutQuarantine(node) },
        { manager: 'NM', code: 'quarantineEnded' },
      )
  }
}

/** Hours, minutes and seconds of an instant in UTC. */
function utcTime(atMs: number): string {
  const seconds = Math.floor(atMs / 1_000)
  const two = (value: number) => String(value).padStart(2, '0')
  const hours = Math.floor(seconds / 3_600) % 24
  return `${two(hours)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}Z`
}
