/** Entries of audit logs, made from what is committed with them. */
import { createHash } from 'node:crypto'
import {
  type AuditAbout,
  type AuditChange,
  type AuditEntry,
  type AuditLine,
  type ChainPlace,
  sealed,
} from '../schema/api/audit.ts'
import type { Refusal } from '../schema/errors.ts'
import type { Write } from './write.ts'

/** What a write has done, or what it was refused for. */
export interface Told {
  readonly action: string | null
  readonly about: AuditAbout | null
  readonly asked: Record<string, unknown>
  readonly changes: readonly Changed[]
  readonly refused?: Refusal['code']
  readonly furtherLeftOut?: boolean
}

export interface Changed {
  readonly table: string
  readonly id: string
  readonly before: unknown
  readonly after: unknown
}

/** A row holds 2 MB; one change has two records of at most 256 kB. */
const CHANGES_LENGTH = 256 * 1024
/** What was asked for is in the changes as well: of more than this only how much it was. */
const ASKED_LENGTH = 4 * 1024

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The next entries of a chain: one, or as many as hold all the changes. */
export function auditLines(
  chain: string,
  last: ChainPlace,
  atMs: number,
  { who, from, request, route }: Write,
  told: Told,
): AuditLine[] {
  const { action, about, refused = null, furtherLeftOut = false } = told
  const portions = inPortions(told.changes.map(shortened))
  const lines: AuditLine[] = []
  portions.forEach((changes, i) => {
    const { n, hash: prev } = lines.at(-1) ?? last
    const entry: AuditEntry = {
      ...{ chain, n: n + 1, prev, atMs, who, from, request, route, action, about },
      ...{ asked: bounded(told.asked), changes, continues: i < portions.length - 1 },
      ...{ refused, furtherLeftOut },
    }
    lines.push(sealed(entry, hashOf))
  })
  return lines
}

/** What was refused says what the caller has called it, and nothing of what it has sent. */
export const refusedTold = ({ about }: Write, { code }: Refusal): Told => ({
  ...{ action: null, about, asked: {}, changes: [], refused: code },
})

/** Of a record that was there before and still is: the fields that are not what they were. */
export function shortened({ table, id, before: was, after: is }: Changed): AuditChange {
  const [before, after] = [plain(was), plain(is)]
  const name = nameIn(after) ?? nameIn(before)
  if (!isRecord(before) || !isRecord(after)) return { table, id, name, before, after }
  const same = (key: string) => JSON.stringify(before[key]) === JSON.stringify(after[key])
  const differs = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => !same(key),
  )
  const only = (record: JsonRecord) =>
    Object.fromEntries(differs.filter((key) => key in record).map((key) => [key, record[key]]))
  return { table, id, name, before: only(before) as Json, after: only(after) as Json }
}

function bounded(asked: Record<string, unknown>): JsonRecord {
  const text = JSON.stringify(asked)
  return text.length <= ASKED_LENGTH ? JSON.parse(text) : { length: text.length }
}

function inPortions(changes: readonly AuditChange[]): AuditChange[][] {
  const portions: AuditChange[][] = [[]]
  let length = 0
  for (const change of changes) {
    const size = JSON.stringify(change).length
    if (length > 0 && length + size > CHANGES_LENGTH) {
      portions.push([])
      length = 0
    }
    portions.at(-1)?.push(change)
    length += size
  }
  return portions
}

type Json = AuditChange['before']
type JsonRecord = Record<string, Json>

/** As JSON gives it back, which is what is hashed. */
const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value ?? null))

const isRecord = (value: Json): value is JsonRecord =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

export function nameIn(record: unknown): string | null {
  const name = (record as { name?: unknown } | null)?.name
  return typeof name === 'string' ? name : null
}
