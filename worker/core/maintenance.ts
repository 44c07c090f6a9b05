/** Maintenance (S-70 to S-85 are suspended by it): observed, and nothing is done because of health. */
import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import type { Cluster, Group, Ownership } from '../../schema/hive.ts'
import { instantText } from '../../schema/instant-text.ts'
import { LIMITS } from '../../schema/limits.ts'
import { type Maintenance, maintenanceOf } from '../../schema/maintenance.ts'
import type { Draft } from './draft.ts'
import { limitReached, notFound } from './refusals.ts'

type Of<T extends Request['type']> = Extract<Request, { type: T }>
type Free = Extract<Ownership, { phase: 'free' }>

/** What a group is under, if it is: its own, that of the node that has or had it, or the cluster's. */
export function maintenanceOfGroup(
  cluster: Pick<Cluster, 'maintenance'> | null,
  { id, ownership }: Group,
): Maintenance | undefined {
  if (!cluster?.maintenance) return undefined
  const nodeId = ownership.phase === 'free' ? ownership.lastOwner : ownership.owner
  return maintenanceOf(cluster.maintenance, { nodeId, groupId: id })
}

/** Nothing is done to it by itself: no repair, no failover, no failback. */
export const isLeftAlone = (draft: Draft, group: Group): boolean =>
  maintenanceOfGroup(draft.cluster, group) !== undefined

/** A free one that nobody has said a word about stays free: what freed it is a matter of health. */
export function staysFree(draft: Draft, group: Group, free: Free): boolean {
  if (free.reason === 'created' || free.to !== null) return false
  const why = maintenanceOfGroup(draft.cluster, group)
  if (!why) return false
  if (draft.offer(group.id)) draft.observe({ table: 'offer', id: group.id, value: null })
  const reason = maintenanceText(why)
  const known = draft.waiting(group.id)
  if (known?.epoch === free.epoch && known.reasons[0]?.reason === reason) return true
  const reasons = draft.nodes().map(({ name: node }) => ({ node, reason }))
  const value = { epoch: free.epoch, sinceMs: draft.nowMs, retryAtMs: null, reasons }
  draft.observe({ table: 'waiting', id: group.id, value })
  const { correlationId } = free
  const message = `group ${group.name} is left where it is, on no node: ${reason}`
  draft.log({ component: 'FM', groupId: group.id, correlationId, message })
  return true
}

/** As a reason: `maintenance of the node (disks are changed)`. */
export const maintenanceText = ({ scope, reason }: Maintenance): string =>
  `maintenance of the ${scope} (${reason})`

export function setMaintenance(draft: Draft, r: Of<'setMaintenance'>, by: string): Refusal | null {
  const { cluster } = draft
  if (!cluster) return null
  const { scope, id } = r
  if (!subject(draft, scope, id)) return notFound(scope === 'cluster' ? 'node' : scope, id)
  const refused = refuseEnd(draft, r.on)
  if (refused) return refused
  const others = (cluster.maintenance ?? []).filter((m) => m.scope !== scope || m.id !== id)
  const before = cluster.maintenance?.find((m) => m.scope === scope && m.id === id)
  if (!r.on && !before) return null
  if (others.length >= LIMITS.maintenancesMax && r.on)
    return limitReached('things in maintenance', LIMITS.maintenancesMax)
  const one = r.on && {
    scope,
    id,
    by,
    sinceMs: before?.sinceMs ?? draft.nowMs,
    ...ends(draft, r.on),
  }
  put(draft, cluster, one ? [...others, one] : others, r.on ? 'maintenanceOn' : 'maintenanceOff', {
    ...{ by, of: nameOf(draft, { scope, id }) },
    ...(one && { reason: one.reason, forMs: one.untilMs - draft.nowMs }),
  })
  return null
}

const ends = (draft: Draft, on: NonNullable<Of<'setMaintenance'>['on']>) => ({
  reason: on.reason,
  untilMs: 'forMs' in on ? draft.nowMs + on.forMs : on.untilMs,
})

/** An end that was said as an instant. */
function refuseEnd(draft: Draft, on: Of<'setMaintenance'>['on']): Refusal | null {
  if (!on || 'forMs' in on) return null
  const leftMs = on.untilMs - draft.nowMs
  if (leftMs > 0 && leftMs <= LIMITS.maintenanceMaxMs) return null
  return {
    code: 'BAD_REQUEST',
    message: `a maintenance cannot end at ${instantText(on.untilMs)}`,
    why: leftMs > 0 ? 'That is more than 30 days from now.' : 'That is over.',
    remedy: 'Give it an end within the next 30 days.',
  }
}

/** A deadline that has passed is taken in the step that sees it. What is gone needs none. */
export function endMaintenances(draft: Draft): void {
  const all = draft.cluster?.maintenance
  if (!all) return
  const over = all.filter((one) => one.untilMs <= draft.nowMs || !subject(draft, one.scope, one.id))
  for (const one of over) {
    const { cluster } = draft
    if (!cluster) return
    const rest = (cluster.maintenance ?? []).filter((other) => other !== one)
    put(draft, cluster, rest, 'maintenanceOver', { of: nameOf(draft, one), by: one.by })
  }
}

function put(
  draft: Draft,
  { maintenance: _, ...cluster }: Cluster,
  all: readonly Maintenance[],
  code: string,
  evidence: Record<string, string | number>,
): void {
  const value = { ...cluster, ...(all.length > 0 && { maintenance: [...all] }) }
  draft.put({ table: 'cluster', id: cluster.id, value }, { manager: 'FM', code, evidence })
}

function subject(draft: Draft, scope: Maintenance['scope'], id: string) {
  if (scope === 'cluster') return draft.cluster?.id === id ? draft.cluster : undefined
  if (scope === 'node') return draft.node(id)
  return scope === 'group' ? draft.group(id) : draft.resource(id)
}

const nameOf = (draft: Draft, { scope, id }: Pick<Maintenance, 'scope' | 'id'>): string =>
  `${scope} ${subject(draft, scope, id)?.name ?? id}`
