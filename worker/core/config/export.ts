/** The configuration of a cluster as a document: what differs from defaults, and nothing that happens. */
import type { ConfigText } from '../../../schema/api/config.ts'
import { canonicalJson } from '../../../schema/canonical.ts'
import type { Hive, Resource } from '../../../schema/hive.ts'
import type { MaintenanceScope } from '../../../schema/maintenance.ts'
import { STARTS_PER_NODE } from '../../../schema/placement.ts'
import {
  DEFAULT_FAILOVER_PERIOD_MS,
  DEFAULT_RESTART,
  typeInfo,
} from '../../../schema/resource-types/index.ts'
import {
  clusterForm,
  type Form,
  groupForm,
  type Json,
  maintenanceForm,
  pollForm,
  resourceForm,
  restartForm,
  ruleForm,
} from './forms.ts'

const GROUP_DEFAULTS: Form = {
  ...{ preferredOwners: [], failback: 'off', failoverThreshold: null, priority: 0, needs: {} },
  ...{ after: [], onlyWhile: [] },
  failoverPeriod: `${DEFAULT_FAILOVER_PERIOD_MS / 3_600_000}h`,
}

const CLUSTER_DEFAULTS: Form = { startsPerNode: STARTS_PER_NODE }

/** Applied to the cluster it comes from it changes nothing. */
export function exportConfig(hive: Hive): ConfigText {
  const byName = <T extends { name: string }>(all: Iterable<T>) =>
    [...all].sort((a, b) => (a.name < b.name ? -1 : 1))
  const members = Map.groupBy(hive.resources.values(), (r) => r.groupId)
  const nodes = [...hive.nodes.values()]
    .sort((a, b) => a.position - b.position)
    .filter(
      ({ id, capacity, faultDomain }) =>
        capacity || faultDomain || maintenanceForm(hive, 'node', id) !== null,
    )
  const document = {
    // Policies are said even where they are the default: a file is read by people.
    cluster: hive.cluster
      ? {
          ...without(clusterForm(hive.cluster), CLUSTER_DEFAULTS),
          ...maintenanceText(hive, 'cluster', hive.cluster.id),
        }
      : {},
    nodes: Object.fromEntries(
      nodes.map(({ id, name, capacity, faultDomain }) => [
        name,
        {
          ...(capacity && { capacity }),
          ...(faultDomain && { faultDomain }),
          ...maintenanceText(hive, 'node', id),
        },
      ]),
    ),
    groups: Object.fromEntries(
      byName(hive.groups.values()).map((group) => [
        group.name,
        {
          ...without(groupForm(hive, group), GROUP_DEFAULTS),
          ...maintenanceText(hive, 'group', group.id),
          resources: Object.fromEntries(
            byName(members.get(group.id) ?? []).map((r) => [r.name, resourceText(hive, r)]),
          ),
        },
      ]),
    ),
    rules: Object.fromEntries(
      byName(hive.rules.values()).map((rule) => [rule.name, ruleForm(hive, rule)]),
    ),
  }
  return document as ConfigText
}

function maintenanceText(hive: Hive, scope: MaintenanceScope, id: string): Form {
  const maintenance = maintenanceForm(hive, scope, id)
  return maintenance === null ? {} : { maintenance }
}

function resourceText(hive: Hive, resource: Resource): Json {
  const poll = typeInfo(hive.types, resource.type)?.poll
  const defaults: Form = {
    ...{ properties: {}, state: 'online', dependsOn: [], possibleOwners: null },
    ...{ separateMonitor: false, ...restartForm(DEFAULT_RESTART), ...(poll && pollForm(poll)) },
  }
  const form = nested(without(resourceForm(hive, resource), defaults)) as Form
  return { ...form, ...maintenanceText(hive, 'resource', resource.id) }
}

const without = (form: Form, defaults: Form): Form =>
  Object.fromEntries(
    Object.entries(form).filter(
      ([field, value]) =>
        defaults[field] === undefined || canonicalJson(defaults[field]) !== canonicalJson(value),
    ),
  )

/** `restart.period` is a key of `restart`. */
function nested(form: Form): Json {
  const out: Record<string, Json> = {}
  for (const [field, value] of Object.entries(form)) {
    const [above = '', below] = field.split('.')
    if (below === undefined) out[above] = value
    else out[above] = { ...(out[above] as Record<string, Json> | undefined), [below]: value }
  }
  return out
}
