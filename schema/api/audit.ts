/**
 * The audit log: who has changed what. Each cluster has a chain of entries, and so has each organisation.
 * An entry holds the hash of the one before it, so that nothing can be changed, left out, moved or put in
 * later on without every hash behind it being another.
 */
import * as z from 'zod'
import { canonicalJson } from '../canonical.ts'
import { instantMs } from '../ids.ts'
import { LIMITS } from '../limits.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/)

/** What the first entry of a chain follows. */
export const CHAIN_START = { n: 0, hash: '0'.repeat(64) } as const

const who = z.strictObject({
  /** `node`: a host by itself, for whoever is at work on it. */
  kind: z.enum(['key', 'person', 'joinToken', 'node']),
  id: z.string(),
  name: z.string(),
})
export type AuditWho = z.infer<typeof who>

/** What it is about; where it was refused before anything was looked up, what the caller called it. */
const about = z.strictObject({
  kind: z.string(),
  id: z.string().nullable(),
  name: z.string().nullable(),
})
export type AuditAbout = z.infer<typeof about>

/** One record. Of one that was changed: the fields that are not what they were. */
const change = z.strictObject({
  table: z.string(),
  id: z.string(),
  name: z.string().nullable(),
  /** Null: it was not there, or is not any more. */
  before: z.json(),
  after: z.json(),
})
export type AuditChange = z.infer<typeof change>

const auditEntry = z.strictObject({
  /** GUID of the cluster or organisation whose chain it is. */
  chain: z.string(),
  /** From 1, without a gap. */
  n: z.int().positive(),
  /** Hash of entry n − 1. */
  prev: hash,
  /** On the clock of the control plane. */
  atMs: instantMs,
  who,
  /** The caller's address, where the platform vouches for it. */
  from: z.string().nullable(),
  /** Id of the request: the one that its answer has. */
  request: z.string(),
  /** Name of the route (docs/api-routes.md); `session` for what a host has asked for on its session. */
  route: z.string(),
  /** What was carried out; null where it was refused. */
  action: z.string().nullable(),
  about: about.nullable(),
  /** With what. */
  asked: z.record(z.string(), z.json()),
  changes: z.array(change),
  /** There were more changes than one entry holds: the next one goes on with them. */
  continues: z.boolean(),
  /** Code of the refusal; null: it was carried out. */
  refused: z.string().nullable(),
  /** Further refusals of the same caller are left out for up to an hour. */
  furtherLeftOut: z.boolean(),
})
export type AuditEntry = z.infer<typeof auditEntry>

export const auditLine = auditEntry.extend({ hash })
export type AuditLine = z.infer<typeof auditLine>

/** A place in a chain: the number of an entry, and its hash. */
const chainPlace = z.strictObject({ n: z.int().nonnegative(), hash })
export type ChainPlace = z.infer<typeof chainPlace>

export const auditQuery = z.strictObject({
  /** Only entries behind this number, oldest first; without it the newest ones. */
  after: z.coerce.number().int().nonnegative().optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.pageSizeMax).optional(),
  sinceMs: z.coerce.number().int().nonnegative().optional(),
  /** Name or GUID of who asked. */
  by: z.string().max(LIMITS.emailLengthMax).optional(),
  route: z.string().max(LIMITS.nameLengthMax).optional(),
})
export type AuditQuery = z.output<typeof auditQuery>

export const auditPage = z.object({
  chain: z.string(),
  /** Oldest first. */
  entries: z.array(auditLine),
  /** The `after` of the next page; null: there is nothing behind this one yet. */
  next: z.int().nullable(),
  /** The last entry that was removed, so that the first one that is left can be judged. */
  base: chainPlace,
  /** The newest entry that there is, by which an export can be judged. */
  head: chainPlace,
})
export type AuditPage = z.infer<typeof auditPage>

/** What `?dry_run=true` of a write is answered with: what would be changed, as the audit log tells it. */
export const dryRun = z.object({
  dryRun: z.literal(true),
  /** Version of the hive that was looked at; null: it is not about a hive. */
  seq: z.int().nonnegative().nullable(),
  changes: z.array(change),
})

/** The first line of an export. */
export const auditHeader = z.strictObject({
  format: z.literal('holdfast-audit-1'),
  chain: z.string(),
  base: chainPlace,
  head: chainPlace,
})
export type AuditHeader = z.infer<typeof auditHeader>

/** SHA-256 of a text in UTF-8, hex: each surface has one of its own. */
type HashOf = (text: string) => string

/** @param entry as JSON would give it back: nothing in it is undefined */
export const sealed = (entry: AuditEntry, hashOf: HashOf): AuditLine => ({
  ...entry,
  hash: hashOf(canonicalJson(entry)),
})

/** @returns what is wrong with the line, as it follows `before`; null: nothing */
export function faultOf(
  { hash: said, ...entry }: AuditLine,
  chain: string,
  before: ChainPlace,
  hashOf: HashOf,
): string | null {
  if (hashOf(canonicalJson(entry)) !== said) return 'it is not what was written'
  if (entry.chain !== chain) return 'it is of another chain'
  if (entry.n !== before.n + 1)
    return `it comes where entry ${before.n + 1} belongs: entries were removed, put in or moved`
  if (entry.prev !== before.hash) return `it was not written behind this entry ${before.n}`
  return null
}
