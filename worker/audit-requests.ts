/** What an operator's request comes to, for the audit log of its cluster. */
import type { AuditAbout } from '../schema/api/audit.ts'
import type { Request } from '../schema/event.ts'
import type { Hive } from '../schema/hive.ts'
import { recordOf, type Update } from '../schema/update.ts'
import { type Changed, nameIn, type Told } from './audit.ts'

/** @param hive as it was before the updates */
export function toldOf(request: Request, updates: readonly Update[], hive: Hive): Told {
  const { type: action, ...rest } = request
  const changes = changesOf(updates, hive)
  const asked = 'requests' in rest ? { requests: rest.requests.length } : rest
  return { action, about: aboutOf(request, changes, hive), asked, changes }
}

function changesOf(updates: readonly Update[], hive: Hive): Changed[] {
  const now = new Map<string, unknown>()
  return updates.map(({ change }) => {
    const { table, id, value: after } = change
    const key = `${table} ${id}`
    const before = now.has(key) ? now.get(key) : recordOf(hive, change)
    now.set(key, after)
    return { table, id, before: before ?? null, after }
  })
}

const SUBJECTS = [
  ['resource', 'resourceId'],
  ['node', 'nodeId'],
  ['rule', 'ruleId'],
  ['group', 'groupId'],
  ['type', 'resourceType'],
] as const

/** The most particular thing that a request names; else the cluster. */
export function aboutOf(said: object, changes: readonly Changed[], hive: Hive): AuditAbout {
  const fields = said as Record<string, unknown>
  const named = (kind: string, id: string): AuditAbout => {
    const record = changes.find((one) => one.table === kind && one.id === id)
    const name = nameIn(record?.after) ?? nameIn(record?.before) ?? nameOf(hive, kind, id)
    return { kind, id, name }
  }
  const { type, scope, id: subject } = fields
  if (type === 'setMaintenance') return named(String(scope), String(subject))
  for (const [kind, field] of SUBJECTS) {
    const id = fields[field]
    if (typeof id === 'string') return named(kind, id)
  }
  const id = hive.cluster?.id ?? (fields['clusterId'] as string)
  return { kind: 'cluster', id, name: hive.cluster?.name ?? nameIn(said) }
}

function nameOf(hive: Hive, kind: string, id: string): string | null {
  if (kind === 'cluster') return hive.cluster?.name ?? null
  const table = { resource: hive.resources, node: hive.nodes, rule: hive.rules, group: hive.groups }
  return nameIn(table[kind as keyof typeof table]?.get(id))
}
