/** What of a decision is worth telling to who is not looking. Pure: it is told behind its commit. */
import type { Hive, Ownership } from '../../schema/hive.ts'
import type { Update } from '../../schema/update.ts'
import type { WebhookData, WebhookEventType } from '../../schema/webhook-events.ts'
import type { ClusterState, Decision } from '../core/decision.ts'
import { explain } from '../core/explain.ts'

/** What is read from the journal of a change of owner: only once somebody is told of it. */
type ReadLater = 'reason' | 'verdict' | 'outage' | 'phases'

export type Told = {
  [T in WebhookEventType]: {
    readonly type: T
    readonly group: string | null
    readonly data: T extends `${string}.completed`
      ? Omit<WebhookData<T>, ReadLater>
      : WebhookData<T>
  }
}[WebhookEventType]

/** A group has left its owner, and it is not told yet that it is online again. */
export interface Opened {
  readonly groupId: string
  readonly cause: string
  readonly planned: boolean
  readonly from: string | null
}

/** @param before the state that the decision was made on */
export function eventsOf(
  decision: Decision,
  { hive, observed }: ClusterState,
): { told: Told[]; opened: Opened[] } {
  const told: Told[] = []
  const opened: Opened[] = []
  for (const update of decision.updates) {
    if (update.change.table === 'node') told.push(...nodeEvents(update, hive))
    if (update.change.table !== 'group') continue
    const left = leaving(update, hive, opened)
    if (!left) continue
    opened.push(left.opened)
    told.push(left.told)
  }
  for (const { table, id, value } of decision.observations) {
    if (table === 'waiting') {
      const group = hive.groups.get(id)
      if (!value || !group || value.reasons.length === 0 || observed.waiting.has(id)) continue
      const data = { group: { id, name: group.name }, reasons: [...value.reasons] }
      told.push({ type: 'group.waiting', group: group.name, data })
    }
    if (table !== 'resource' || value?.status !== 'failed') continue
    const resource = hive.resources.get(id)
    const group = resource && hive.groups.get(resource.groupId)
    if (!resource || !group || observed.resources.get(id)?.status === 'failed') continue
    const data = {
      resource: { id, name: resource.name },
      group: { id: group.id, name: group.name },
      node: nameOf(hive, value.nodeId),
      status: value.status,
      detail: value.detail ?? null,
      restarts: value.restarts,
    }
    told.push({ type: 'resource.failed', group: group.name, data })
  }
  return { told, opened }
}

const nameOf = (hive: Hive, nodeId: string | null): string | null =>
  nodeId === null ? null : (hive.nodes.get(nodeId)?.name ?? nodeId)

function nodeEvents(update: Update, hive: Hive): Told[] {
  const { change, because } = update
  if (change.table !== 'node') return []
  const before = hive.nodes.get(change.id)
  const after = change.value
  const types: (
    | 'node.joined'
    | 'node.up'
    | 'node.down'
    | 'node.paused'
    | 'node.resumed'
    | 'node.removed'
    | 'fence.failed'
  )[] = []
  if (!after) types.push('node.removed')
  else if (!before) types.push('node.joined')
  else {
    if (before.state !== 'up' && after.state === 'up') types.push('node.up')
    if (before.state !== 'down' && after.state === 'down') types.push('node.down')
    if (!before.paused && after.paused) types.push('node.paused')
    if (before.paused && !after.paused) types.push('node.resumed')
    if (because.code === 'fenceFailed') types.push('fence.failed')
  }
  const node = { id: change.id, name: after?.name ?? before?.name ?? change.id }
  const { message } = types.length > 0 ? explain(update, hive) : { message: '' }
  const data = { node, reason: because.code, message, evidence: { ...because.evidence } }
  return types.map((type) => ({ type, group: null, data }))
}

/** Something has failed; all else was asked for, or is the policy. */
const unplanned = (left: Ownership): boolean =>
  (left.phase === 'releasing' && left.reason === 'failover') ||
  (left.phase === 'free' && (left.reason === 'nodeLost' || left.reason === 'missingFromReport'))

/** @param opened what the same decision has opened before */
function leaving(update: Update, hive: Hive, opened: readonly Opened[]) {
  const { change, because, correlationId: cause } = update
  if (change.table !== 'group' || !change.value) return null
  const before = hive.groups.get(change.id)?.ownership
  const { ownership, name } = change.value
  if (before?.phase !== 'owned' || ownership.phase === 'owned') return null
  if (opened.some(({ groupId }) => groupId === change.id)) return null
  const planned = !unplanned(ownership)
  const from = nameOf(hive, before.owner)
  const data = {
    group: { id: change.id, name },
    from,
    reason: because.code,
    message: explain(update, hive).message,
    evidence: { ...because.evidence },
    cause,
  }
  const type = planned ? ('group.move.started' as const) : ('group.failover.started' as const)
  return {
    opened: { groupId: change.id, cause, planned, from },
    told: { type, group: name, data },
  }
}
