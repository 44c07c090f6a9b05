/** Changes of owner, read from the updates and the journal. */
import { and, asc, desc, gte, like, lte, or, sql } from 'drizzle-orm'
import type { TimelineView } from '../schema/api/timeline.ts'
import type { Event } from '../schema/event.ts'
import { LIMITS } from '../schema/limits.ts'
import { journal, updates } from '../schema/tables/durable.ts'
import type { Update } from '../schema/update.ts'
import type { ClusterState } from './core/decision.ts'
import { type Around, type Episode, episodesOf, type Seen, timelineOf } from './core/timeline.ts'
import type { HiveStore } from './hive-store.ts'
import { firstEntryFrom, lastEntryUntil } from './journal-places.ts'
import { eventView } from './why-reads.ts'

export interface TimelineAsk {
  readonly groupId?: string | undefined
  readonly id?: string | undefined
  readonly limit?: number | undefined
}

/** How far before a decision, and behind a placement, statuses are looked at. */
const AROUND_MS = 10 * 60_000
const UPDATES_LOOKED_AT = 2_000
const REPORTS_LOOKED_AT = 2_000
/** Reports that name none of these are not read: most name others. */
const MEMBERS_LOOKED_FOR = 50
/** What is expected is the median of so many. */
const OUTAGES_LOOKED_AT = 5
/** Who asks for one mostly means the newest. */
const DEFAULT_LIMIT = 20

/** Newest first. */
export function readTimelines(
  store: HiveStore,
  state: ClusterState,
  ask: TimelineAsk,
): TimelineView[] {
  const byGroup = Map.groupBy(groupUpdates(store, ask.groupId), (u) => u.change.id)
  const all = [...byGroup].flatMap(([id, trail]) => episodesOf(id, trail))
  const wanted = all.filter((episode) => ask.id === undefined || episode.cause === ask.id)
  const began = ({ updates: [first] }: Episode) => first?.seq ?? 0
  return wanted
    .sort((a, b) => began(b) - began(a))
    .slice(0, Math.min(ask.limit ?? DEFAULT_LIMIT, LIMITS.timelinesMax))
    .map((episode) => viewOf(store, state, episode))
}

/** Oldest first. */
function groupUpdates(store: HiveStore, groupId: string | undefined): Update[] {
  const isGroup = sql`json_extract(${updates.body}, '$.change.table') = 'group'`
  const isIt =
    groupId === undefined
      ? undefined
      : sql`json_extract(${updates.body}, '$.change.id') = ${groupId}`
  const rows = store.db
    .select({ body: updates.body })
    .from(updates)
    .where(and(isGroup, isIt))
    .orderBy(desc(updates.seq))
    .limit(UPDATES_LOOKED_AT)
    .all()
  return rows.map((row) => JSON.parse(row.body) as Update).reverse()
}

function viewOf(store: HiveStore, state: ClusterState, episode: Episode): TimelineView {
  const { hive } = state
  const members = [...hive.resources.values()].filter(
    (r) => r.groupId === episode.groupId && r.persistentState === 1,
  )
  const nodes = nodeUpdates(store, episode.cause)
  const around: Around = {
    nodes,
    members,
    seen: statuses(store, episode, new Set(members.map((r) => r.id))),
    name: (id) => (id === null ? null : (hive.nodes.get(id)?.name ?? id)),
  }
  const trail = [...nodes, ...episode.updates].sort((a, b) => a.seq - b.seq)
  return {
    ...timelineOf(episode, around),
    group: hive.groups.get(episode.groupId)?.name ?? episode.groupId,
    events: trail.map((u) => eventView(u, state)),
  }
}

function nodeUpdates(store: HiveStore, cause: string): Update[] {
  const isNode = sql`json_extract(${updates.body}, '$.change.table') = 'node'`
  const isOfCause = sql`json_extract(${updates.body}, '$.correlationId') = ${cause}`
  const rows = store.db
    .select({ body: updates.body })
    .from(updates)
    .where(and(isNode, isOfCause))
    .orderBy(asc(updates.seq))
    .limit(10)
    .all()
  return rows.map((row) => JSON.parse(row.body) as Update)
}

/** What owners reported of its members around it, oldest first. */
function statuses(store: HiveStore, episode: Episode, members: ReadonlySet<string>): Seen[] {
  const { updates: trail, owned } = episode
  const fromMs = (trail[0]?.atMs ?? 0) - AROUND_MS
  const toMs = (owned?.atMs ?? Number.MAX_SAFE_INTEGER - AROUND_MS) + AROUND_MS
  const rows = store.db
    .select({ atMs: journal.atMs, event: journal.event })
    .from(journal)
    .where(
      and(
        gte(journal.id, firstEntryFrom(store.db, fromMs)),
        lte(journal.id, lastEntryUntil(store.db, toMs)),
        like(journal.event, '{"type":"resourceReported"%'),
        or(
          ...[...members].slice(0, MEMBERS_LOOKED_FOR).map((id) => like(journal.event, `%${id}%`)),
        ),
      ),
    )
    .orderBy(asc(journal.id))
    .limit(REPORTS_LOOKED_AT)
    .all()
  return rows.flatMap(({ atMs, event }) => {
    const { items } = JSON.parse(event) as Extract<Event, { type: 'resourceReported' }>
    return items
      .filter((item) => members.has(item.resourceId))
      .map(({ resourceId, epoch, status }) => ({
        ...{ atMs, resourceId, epoch },
        status: status === 'stopped' ? ('offline' as const) : status,
      }))
  })
}

/** How long a group was away when it changed its owner lately, newest first. */
export function outagesOf(store: HiveStore, state: ClusterState, name: string): readonly number[] {
  const group = [...state.hive.groups.values()].find((one) => one.name === name)
  if (!group) return []
  return readTimelines(store, state, { groupId: group.id, limit: OUTAGES_LOOKED_AT }).flatMap(
    ({ outage }) => (outage?.is === 'measured' ? [outage.ms] : []),
  )
}
