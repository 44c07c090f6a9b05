/** What a write would change, for people: one line for each field of each thing. */
import type { AuditChange } from '../schema/api/audit.ts'
import type { DryRun } from '../schema/api/client.ts'

export function dryRunText({ changes, seq }: DryRun): string {
  const at = seq === null ? '' : ` (looked at update ${seq})`
  if (changes.length === 0) return `nothing would be changed${at}`
  return [`nothing was changed; this would be${at}:`, ...changes.flatMap(linesOf)].join('\n')
}

function linesOf({ table, id, name, before, after }: AuditChange): string[] {
  const called = `${table} ${name ?? id}`
  if (before === null) return [`  + ${called}`, ...fields(after, (_, value) => value)]
  if (after === null) return [`  - ${called}`]
  const was = before as Record<string, unknown>
  return [`  ~ ${called}`, ...fields(after, (field, value) => `${shown(was[field])} → ${value}`)]
}

const fields = (record: unknown, text: (field: string, value: string) => string): string[] =>
  Object.entries(record as Record<string, unknown>)
    .filter(([field]) => field !== 'id')
    .map(([field, value]) => `      ${field}: ${text(field, shown(value))}`)

const shown = (value: unknown): string => (value === undefined ? 'null' : JSON.stringify(value))
