/** Metrics of one cluster, from what it shows of itself and what has been counted. */
import {
  type ClusterView,
  type GroupView,
  groupState,
  type NodeView,
  type ResourceView,
} from '../../schema/api/bodies.ts'
import { LIMITS } from '../../schema/limits.ts'
import { FAILOVER_BOUNDS } from '../../schema/metrics.ts'
import {
  type Family,
  gauge,
  histogram,
  oneOf,
  type Sample,
  total,
} from '../../schema/open-metrics.ts'
import { status } from '../../schema/status.ts'
import { PROFILES } from '../../schema/timing.ts'

/** What the shell knows beyond the view. */
export interface MetricFacts {
  readonly counted: readonly { parts: readonly string[]; value: number }[]
  /** By id of the node: updates that its session has not been sent, and the version of its probe. */
  readonly sessions: ReadonlyMap<string, { behind: number; version: string }>
  readonly databaseBytes: number
  /** Of the journal, between its oldest and its newest. */
  readonly journalEntries: number
  /** Sessions that were begun, ever. */
  readonly sessionsBegun: number
  /** Since when this instance of the object is in memory. */
  readonly awakeSinceMs: number
}

type Labels = Sample['labels']
interface Place {
  readonly view: ClusterView
  readonly facts: MetricFacts
  /** What every sample has. */
  readonly of: Labels
}

/** @param each false: nothing of single nodes, groups and resources, for who looks at many clusters */
export function clusterMetrics(view: ClusterView, facts: MetricFacts, each: boolean): Family[] {
  const place: Place = { view, facts, of: { cluster: view.name } }
  const whole = [...ofCluster(place), ...ofStates(place), ...ofTimes(place)]
  if (!each) return whole
  const groups = first(view.groups, LIMITS.metricGroupsMax)
  const resources = first(
    groups.flatMap((g) => g.resources),
    LIMITS.metricResourcesMax,
  )
  return [
    ...whole,
    ...ofNodes(place),
    ...ofHistories(place),
    ...ofGroups(place, groups),
    ...ofResources(place, resources),
    family('gauge', 'metrics_omitted', OMITTED, [
      gauge(view.groups.length - groups.length, { ...place.of, kind: 'group' }),
      gauge(allResources(view).length - resources.length, { ...place.of, kind: 'resource' }),
    ]),
  ]
}

const OMITTED =
  'Groups and resources beyond the limit, without series of their own. What counts all is complete.'

const family = (
  type: Family['type'],
  name: string,
  help: string,
  samples: readonly Sample[],
): Family => {
  const unit = /_(seconds|bytes)$/.exec(name)?.[1] as Family['unit']
  return { name: `holdfast_${name}`, type, help, samples, ...(unit && { unit }) }
}

const allResources = (view: ClusterView): ResourceView[] => view.groups.flatMap((g) => g.resources)

const first = <T extends { name: string }>(all: readonly T[], most: number): T[] =>
  [...all].sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, most)

function ofCluster({ view, facts, of }: Place): Family[] {
  const health = oneOf(['healthy', 'warning', 'outage'], view.health, of)
  return [
    family('info', 'cluster', 'The cluster, and how it is set.', [
      {
        suffix: '_info',
        labels: { ...of, id: view.id, profile: view.profile, takeover: view.takeover },
        value: 1,
      },
    ]),
    family('gauge', 'cluster_health', 'Health in one word: the state that is 1.', health),
    family('gauge', 'cluster_problems', 'Problems that holdfast status lists.', [
      gauge(view.problems.length, of),
    ]),
    family('gauge', 'manager_up', 'Whether a manager of the control plane does its work.', [
      ...view.managers.map(({ manager, ok }) => gauge(ok, { ...of, manager })),
    ]),
    family('counter', 'cluster_updates', 'Global updates: the number of the last one.', [
      total(view.seq, of),
    ]),
    family('counter', 'cluster_sessions', 'Sessions of hosts that were begun.', [
      total(facts.sessionsBegun, of),
    ]),
    family('gauge', 'cluster_database_bytes', 'Size of the database of the cluster.', [
      gauge(facts.databaseBytes, of),
    ]),
    family('gauge', 'cluster_journal_entries', 'Events that the journal reaches back.', [
      gauge(facts.journalEntries, of),
    ]),
    family(
      'gauge',
      'cluster_awake_since_timestamp_seconds',
      'When the object was last woken into memory. It changes with each wake, that by a scrape included.',
      [gauge(facts.awakeSinceMs / 1_000, of)],
    ),
  ]
}

function ofStates({ view, of }: Place): Family[] {
  const { nodes, groups } = view
  const resources = allResources(view)
  const counted = (states: readonly string[], are: readonly string[]) =>
    states.map((state) => gauge(are.filter((one) => one === state).length, { ...of, state }))
  const nodeStates = counted(
    ['up', 'down', 'leaving'],
    nodes.map((n) => n.state),
  )
  const groupStates = counted(
    groupState.options,
    groups.map((g) => g.state),
  )
  const resourceStates = counted(
    status.options,
    resources.map((r) => r.status),
  )
  return [
    family('gauge', 'nodes', 'Nodes by state.', nodeStates),
    family('gauge', 'groups', 'Groups by state.', groupStates),
    family('gauge', 'resources', 'Resources by observed state.', resourceStates),
    family('gauge', 'resources_degraded', 'Resources online, and not as they should be.', [
      gauge(resources.filter((r) => r.degraded).length, of),
    ]),
  ]
}

/** How long groups were away, by why they left. Not by group: that would be a dozen series for each. */
function ofTimes({ facts, of }: Place): Family[] {
  const counts = new Map<string, number[]>()
  const sums = new Map<string, number>()
  for (const { parts, value } of facts.counted) {
    const [what, reason = '', bucket] = parts
    if (what === 'awayMs') sums.set(reason, value)
    if (what !== 'away') continue
    const buckets = counts.get(reason) ?? FAILOVER_BOUNDS.map(() => 0).concat(0)
    buckets[Number(bucket)] = value
    counts.set(reason, buckets)
  }
  return [
    family(
      'histogram',
      'failover_duration_seconds',
      'From the decision, or the last answer of a host that was lost, until all that is wanted of the group is online.',
      [...counts].flatMap(([reason, buckets]) =>
        histogram(FAILOVER_BOUNDS, buckets, (sums.get(reason) ?? 0) / 1_000, { ...of, reason }),
      ),
    ),
  ]
}

function ofNodes({ view, facts, of }: Place): Family[] {
  const { ttlMs } = PROFILES[view.profile]
  const named = (n: NodeView): Labels => ({ ...of, node: n.name })
  const each = (value: (n: NodeView) => number | boolean | null | undefined): Sample[] =>
    view.nodes.flatMap((n) => {
      const is = value(n)
      return is === null || is === undefined ? [] : [gauge(is, named(n))]
    })
  const leaseLeft = (n: NodeView) =>
    n.connected && n.lastAnswerAgoMs !== null
      ? Math.max(0, ttlMs - n.lastAnswerAgoMs) / 1_000
      : null
  return [
    family('gauge', 'node_up', 'Whether the cluster counts on the node.', [
      ...each((n) => n.state === 'up'),
    ]),
    family('gauge', 'node_connected', 'Whether a session of it is open.', [
      ...each((n) => n.connected),
    ]),
    family('gauge', 'node_paused', 'Whether it takes no new groups.', [...each((n) => n.paused)]),
    family('gauge', 'node_quarantined', 'Whether it was lost too often.', [
      ...each((n) => n.quarantinedUntilMs !== null),
    ]),
    family('gauge', 'node_fence_awaited', 'Whether its groups wait until it is fenced.', [
      ...each((n) => n.lost !== null),
    ]),
    family('gauge', 'node_heard_by', 'Other nodes that hear it.', [
      ...each((n) => n.heardBy.length),
    ]),
    family('gauge', 'node_groups', 'Groups that it owns.', [...each((n) => n.groups)]),
    family(
      'gauge',
      'node_lease_remaining_seconds',
      'At least so long it may go on without being heard, as far as the control plane has answered.',
      each(leaseLeft),
    ),
    family(
      'gauge',
      'node_updates_behind',
      'Updates that it has not been sent.',
      each((n) => facts.sessions.get(n.id)?.behind),
    ),
    family(
      'gauge',
      'node_clock_offset_seconds',
      'How far its clock is ahead of that of the control plane.',
      each((n) => n.clock && n.clock.offsetMs / 1_000),
    ),
  ]
}

/** What is only there once something has been said or has happened. */
function ofHistories({ view, facts, of }: Place): Family[] {
  const named = (n: NodeView): Labels => ({ ...of, node: n.name })
  return [
    family(
      'info',
      'probe',
      'The probe of the node.',
      view.nodes.flatMap((n): Sample[] => {
        const version = facts.sessions.get(n.id)?.version
        if (!version) return []
        return [{ suffix: '_info', labels: { ...named(n), version }, value: 1 }]
      }),
    ),
    family(
      'counter',
      'node_downs',
      'Times it was declared down, by reason.',
      countedOf(facts, 'downs', view.nodes).map(({ thing, last, value }) =>
        total(value, { ...named(thing), reason: last }),
      ),
    ),
    family(
      'counter',
      'node_fences',
      'Fences of it that ended, by outcome.',
      countedOf(facts, 'fences', view.nodes).map(({ thing, last, value }) =>
        total(value, { ...named(thing), outcome: last }),
      ),
    ),
  ]
}

/** Counters of one kind, of things that there are: with the last part of their keys. */
function countedOf<T extends { id: string }>(
  { counted }: MetricFacts,
  kind: string,
  things: readonly T[],
): { thing: T; last: string; value: number }[] {
  const byId = new Map(things.map((thing) => [thing.id, thing]))
  return counted.flatMap(({ parts, value }) => {
    const thing = parts[0] === kind ? byId.get(parts[1] ?? '') : undefined
    return thing ? [{ thing, last: parts[2] ?? '', value }] : []
  })
}

function ofGroups({ facts, of }: Place, groups: readonly GroupView[]): Family[] {
  const named = (g: GroupView): Labels => ({ ...of, group: g.name })
  return [
    family('gauge', 'group_state', 'State of the group: the one that is 1.', [
      ...groups.flatMap((g) => oneOf(groupState.options, g.state, named(g))),
    ]),
    family('gauge', 'group_degraded', 'Whether something of it is online and not well.', [
      ...groups.map((g) =>
        gauge(
          g.resources.some((r) => r.degraded),
          named(g),
        ),
      ),
    ]),
    family('gauge', 'group_maintenance', 'Whether it is observed only.', [
      ...groups.map((g) => gauge(g.maintenance !== null, named(g))),
    ]),
    family('gauge', 'group_recent_failovers', 'Failovers that count against its threshold.', [
      ...groups.map((g) => gauge(g.recentFailovers, named(g))),
    ]),
    family(
      'counter',
      'failovers',
      'Times the group left its node, by reason: moves that were asked for as well.',
      countedOf(facts, 'failovers', groups).map(({ thing, last, value }) =>
        total(value, { ...named(thing), reason: last }),
      ),
    ),
  ]
}

function ofResources({ facts, of }: Place, resources: readonly ResourceView[]): Family[] {
  const named = (r: ResourceView): Labels => ({ ...of, group: r.group, resource: r.name })
  const each = (value: (r: ResourceView) => boolean): Sample[] =>
    resources.map((r) => gauge(value(r), named(r)))
  return [
    family(
      'gauge',
      'resource_wanted',
      'Whether it is wanted online.',
      each((r) => r.persistentState === 1),
    ),
    family(
      'gauge',
      'resource_online',
      'Whether it is observed to be online.',
      each((r) => r.status === 'online'),
    ),
    family(
      'gauge',
      'resource_degraded',
      'Whether it is online, and not as it should be.',
      each((r) => r.degraded),
    ),
    family(
      'counter',
      'resource_restarts',
      'Restarts where it stood, as far as they were told.',
      countedOf(facts, 'restarts', resources).map(({ thing, value }) => total(value, named(thing))),
    ),
  ]
}
