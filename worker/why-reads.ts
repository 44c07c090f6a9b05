import { and, desc, lte, sql } from 'drizzle-orm'
import type { EventView } from '../schema/api/bodies.ts'
import type { WhyKind, WhyView } from '../schema/api/why.ts'
import { updates } from '../schema/tables/durable.ts'
import type { Update } from '../schema/update.ts'
import type { ClusterState } from './core/decision.ts'
import { explain } from './core/explain.ts'
import type { Sessions } from './core/view.ts'
import { whyGroup, whyNode, whyResource } from './core/why.ts'
import type { HiveStore } from './hive-store.ts'

/** How far back the journal is looked through, and how much of it is shown. */
const UPDATES_LOOKED_AT = 200
const CHAIN_SHOWN = 20

export function eventView(u: Update, state: ClusterState): EventView {
  const { seq, atMs, because, correlationId } = u
  return { seq, atMs, ...explain(u, state.hive), because, correlationId }
}

export interface WhyAsk {
  readonly kind: WhyKind
  readonly id: string
  /** As it was then; absent: now. */
  readonly atMs?: number | undefined
}

/** Null when there is no such thing, or was none. */
export function readWhy(
  store: HiveStore,
  state: ClusterState,
  sessions: Sessions,
  { kind, id, atMs }: WhyAsk,
): WhyView | null {
  const { hive } = state
  const nowMs = atMs ?? Date.now()
  const trail = trailOf(store, kind, id, nowMs)
  const chain = trail.map((u) => eventView(u, state))
  const common = { kind, id, sinceMs: trail.at(-1)?.atMs ?? null, chain }
  if (kind === 'group') {
    const group = hive.groups.get(id)
    return group ? { ...common, name: group.name, ...whyGroup(state, group, trail, nowMs) } : null
  }
  if (kind === 'node') {
    const node = hive.nodes.get(id)
    return node ? { ...common, name: node.name, ...whyNode(state, node, trail, sessions) } : null
  }
  const resource = hive.resources.get(id)
  if (!resource) return null
  return { ...common, name: resource.name, ...whyResource(state, resource, trail, nowMs) }
}

/**
 * The last update that changed what `why` is asked about (ownership, state of a node, what is
 * wanted), and for a group all that came from the same cause (S-82), oldest first.
 */
function trailOf(store: HiveStore, kind: WhyKind, id: string, untilMs: number): Update[] {
  const isOwn = sql`json_extract(${updates.body}, '$.change.id') = ${id}`
  const own = select(store, and(isOwn, lte(updates.atMs, untilMs)))
  const last = own.find((u, i) => own[i + 1] === undefined || aspect(u) !== aspect(own[i + 1]))
  if (!last) return []
  if (kind !== 'group') return [last]
  const cause = sql`json_extract(${updates.body}, '$.correlationId') = ${last.correlationId}`
  const isOf = sql`json_extract(${updates.body}, '$.change.table') in ('node', 'group')`
  return select(store, and(cause, isOf))
    .filter((u) => u.seq <= last.seq && (u.change.table === 'node' || u.change.id === id))
    .slice(0, CHAIN_SHOWN)
    .reverse()
}

/** Newest first. */
function select(store: HiveStore, where: ReturnType<typeof and>): Update[] {
  return store.db
    .select({ body: updates.body })
    .from(updates)
    .where(where)
    .orderBy(desc(updates.seq))
    .limit(UPDATES_LOOKED_AT)
    .all()
    .map((row) => JSON.parse(row.body) as Update)
}

/** What of a record `why` is about: two updates with the same one differ in something else. */
function aspect(u: Update | undefined): string {
  const change = u?.change
  if (!change?.value) return 'none'
  switch (change.table) {
    case 'group': {
      const { phase, owner, epoch } = change.value.ownership
      return `${phase} ${owner} ${epoch}`
    }
    case 'node':
      return `${change.value.state} ${change.value.paused} ${change.value.quarantinedUntilMs}`
    case 'resource':
      return `${change.value.persistentState}`
    case 'cluster':
      return change.value.name
    case 'type':
      return change.value.versions.map((v) => v.sha256).join(' ')
    case 'rule':
      return change.value.name
  }
}
