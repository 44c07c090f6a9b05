/**
 * What is configured, in the words of the configuration document: names for GUIDs, text for times. Two
 * things are equal when their forms are, whatever they were made from.
 */
import {
  type ConfigGroup,
  type ConfigResource,
  type ConfigRule,
  timeText,
} from '../../../schema/api/config.ts'
import { type Needs, needsOf, needsText } from '../../../schema/dependency.ts'
import { failbackText } from '../../../schema/failback.ts'
import type { Cluster, Group, Hive, Resource } from '../../../schema/hive.ts'
import { instantText } from '../../../schema/instant-text.ts'
import type { MaintenanceScope } from '../../../schema/maintenance.ts'
import { type Rule, STARTS_PER_NODE } from '../../../schema/placement.ts'
import {
  DEFAULT_FAILOVER_PERIOD_MS,
  DEFAULT_RESTART,
  typeInfo,
} from '../../../schema/resource-types/index.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
/** By dotted name of the field. */
export type Form = Readonly<Record<string, Json>>

const sorted = (amounts: Readonly<Record<string, number>> | undefined): Json =>
  Object.fromEntries(Object.entries(amounts ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)))

export const clusterForm = (cluster: Cluster): Form => ({
  takeover: cluster.takeover,
  placement: cluster.placement ?? 'list',
  startsPerNode: cluster.startsPerNode ?? STARTS_PER_NODE,
})

export function groupForm(hive: Hive, group: Group): Form {
  return {
    preferredOwners: nodeNames(hive, group.preferredOwners),
    failback: failbackText(group.failback ?? { when: 'off' }),
    failoverThreshold: group.failoverThreshold,
    failoverPeriod: timeText(group.failoverPeriodMs),
    priority: group.priority ?? 0,
    needs: sorted(group.needs),
    after: groupNames(hive, group.after),
    onlyWhile: groupNames(hive, group.onlyWhile),
  }
}

export const wantedGroupForm = (group: ConfigGroup): Form => ({
  preferredOwners: group.preferredOwners,
  failback: failbackText(group.failback),
  failoverThreshold: group.failoverThreshold,
  failoverPeriod: timeText(group.failoverPeriod ?? DEFAULT_FAILOVER_PERIOD_MS),
  priority: group.priority,
  needs: sorted(group.needs),
  after: [...new Set(group.after)].sort(),
  onlyWhile: [...new Set(group.onlyWhile)].sort(),
})

export function resourceForm(hive: Hive, resource: Resource): Form {
  const { restart, poll } = resource
  return {
    type: resource.type,
    properties: resource.properties as Json,
    state: resource.persistentState === 1 ? 'online' : 'offline',
    dependsOn: needsForm(
      needsOf(resource).map((some) => some.map((id) => hive.resources.get(id)?.name ?? id)),
    ),
    possibleOwners: resource.possibleOwners && nodeNames(hive, resource.possibleOwners).sort(),
    ...restartForm(restart),
    ...pollForm(poll),
    // One that the cluster has isolated is not configured so.
    separateMonitor: resource.separateMonitor && resource.isolated === undefined,
  }
}

/** @param now what it is, if it is there: what is wanted may be left open */
export function wantedResourceForm(hive: Hive, wanted: ConfigResource, now: Form | null): Form {
  const { restart } = wanted
  return {
    type: wanted.type,
    properties: wanted.properties as Json,
    state: wanted.state ?? now?.['state'] ?? 'online',
    dependsOn: needsForm(wanted.dependsOn),
    possibleOwners: wanted.possibleOwners && [...new Set(wanted.possibleOwners)].sort(),
    ...restartForm({
      attempts: restart.attempts ?? DEFAULT_RESTART.attempts,
      periodMs: restart.period ?? DEFAULT_RESTART.periodMs,
      delayMs: restart.delay ?? DEFAULT_RESTART.delayMs,
      retryAfterMs: restart.retryAfter ?? DEFAULT_RESTART.retryAfterMs,
    }),
    ...pollForm(pollOf(hive, wanted)),
    separateMonitor: wanted.separateMonitor,
  }
}

/** Of a type that there is not: what was given, and the request is refused for the type. */
export function pollOf(hive: Hive, { type, poll }: ConfigResource): Resource['poll'] {
  const of = typeInfo(hive.types, type)?.poll
  return {
    isAliveMs: poll.isAlive ?? of?.isAliveMs ?? 0,
    looksAliveMs: poll.looksAlive ?? of?.looksAliveMs ?? 0,
    pendingMs: poll.pending ?? of?.pendingMs ?? 0,
    deadlockMs: poll.deadlock ?? of?.deadlockMs ?? 0,
  }
}

/** Null: it is in none of its own. */
export function maintenanceForm(hive: Hive, scope: MaintenanceScope, id: string): Json {
  const one = hive.cluster?.maintenance?.find((m) => m.scope === scope && m.id === id)
  return one ? { reason: one.reason, until: instantText(one.untilMs) } : null
}

export const ruleForm = (hive: Hive, rule: Rule): Form => ({
  [rule.kind]: rule.groups.map((id) => hive.groups.get(id)?.name ?? id).sort(),
  hard: rule.hard,
})

export const wantedRuleForm = ({ keepApart, keepTogether, hard }: ConfigRule): Form => ({
  ...(keepApart && { keepApart: [...new Set(keepApart)].sort() }),
  ...(keepTogether && { keepTogether: [...new Set(keepTogether)].sort() }),
  hard,
})

export const restartForm = (restart: Resource['restart']): Form => ({
  'restart.attempts': restart.attempts,
  'restart.period': timeText(restart.periodMs),
  'restart.delay': timeText(restart.delayMs),
  'restart.retryAfter': timeText(restart.retryAfterMs),
})

export const pollForm = (poll: Resource['poll']): Form => ({
  'poll.isAlive': timeText(poll.isAliveMs),
  'poll.looksAlive': timeText(poll.looksAliveMs),
  'poll.pending': timeText(poll.pendingMs),
  'poll.deadlock': timeText(poll.deadlockMs),
})

const groupNames = (hive: Hive, ids: readonly string[] = []): string[] =>
  ids.map((id) => hive.groups.get(id)?.name ?? id).sort()

/** A list where all of it is needed, else words. */
function needsForm(needs: Needs): Json {
  if (needs.every((some) => some.length === 1)) return [...new Set(needs.flat())].sort()
  const inOrder = needs.map((some) => [...some].sort())
  return needsText(inOrder.sort((a, b) => (a.join() < b.join() ? -1 : 1)))
}

export const nodeNames = (hive: Hive, ids: readonly string[]): string[] =>
  ids.map((id) => hive.nodes.get(id)?.name ?? id)

export const amountsForm = (amounts: Readonly<Record<string, number>> | null | undefined): Json =>
  amounts ? sorted(amounts) : null
