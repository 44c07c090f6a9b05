/** The configuration of a cluster as a document: what differs from defaults, and nothing that happens. */
import type { ConfigText } from '../../../schema/api/config.ts'
import { canonicalJson } from '../../../schema/canonical.ts'
import type { Hive, Resource } from '../../../schema/hive.ts'
import {
  DEFAULT_FAILOVER_PERIOD_MS,
  DEFAULT_RESTART,
  typeInfo,
} from '../../../schema/resource-types/index.ts'
import {
  type Form,
  groupForm,
  type Json,
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

/** Applied to the cluster it comes from it changes nothing. */
export function exportConfig(hive: Hive): ConfigText {
  const byName = <T extends { name: string }>(all: Iterable<T>) =>
    [...all].sort((a, b) => (a.name < b.name ? -1 : 1))
  const members = Map.groupBy(hive.resources.values(), (r) => r.groupId)
  const nodes = [...hive.nodes.values()]
    .sort((a, b) => a.position - b.position)
    .filter((node) => node.capacity || node.faultDomain)
  const document = {
    cluster: {
      takeover: hive.cluster?.takeover ?? 'lease',
      placement: hive.cluster?.placement ?? 'list',
    },
    nodes: Object.fromEntries(
      nodes.map(({ name, capacity, faultDomain }) => [
        name,
        { ...(capacity && { capacity }), ...(faultDomain && { faultDomain }) },
      ]),
    ),
    groups: Object.fromEntries(
      byName(hive.groups.values()).map((group) => [
        group.name,
        {
          ...without(groupForm(hive, group), GROUP_DEFAULTS),
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

function resourceText(hive: Hive, resource: Resource): Json {
  const poll = typeInfo(hive.types, resource.type)?.poll
  const defaults: Form = {
    ...{ properties: {}, state: 'online', dependsOn: [], possibleOwners: null },
    ...{ separateMonitor: false, ...restartForm(DEFAULT_RESTART), ...(poll && pollForm(poll)) },
  }
  return nested(without(resourceForm(hive, resource), defaults))
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
