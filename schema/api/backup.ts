/**
 * The backup of a cluster as a file: JSON Lines, of which the first says what it is, the second has the hive,
 * the others the journal, oldest first, and the last one the checksum of all before it.
 */
import * as z from 'zod'
import { canonicalJson } from '../canonical.ts'
import { HoldfastError } from '../errors.ts'
import { type HiveDocument, hiveDocument, sha256 } from '../hive.ts'
import { guid, instantMs, name } from '../ids.ts'
import { profileName } from '../timing.ts'
import { update } from '../update.ts'

export const BACKUP_FORMAT = 'holdfast-backup-1'
/** Of any version: by this a newer one is told from what is no backup. */
const ANY_FORMAT = /^holdfast-backup-\d{1,4}$/

const count = z.int().nonnegative()

export const backupHeader = z.strictObject({
  t: z.literal('header'),
  format: z.literal(BACKUP_FORMAT),
  /** Version of the control plane that made it. */
  version: z.string().max(32),
  madeAtMs: instantMs,
  cluster: z.strictObject({ id: guid, name, profile: profileName }),
  /** Version of the hive, and the hash of the chain of updates up to it. */
  seq: z.int().positive(),
  hash: sha256,
  /** SHA-256 of the hive as canonical JSON. */
  hiveSha256: sha256,
  /** Numbers of the updates and of the entries of the journal that follow, without a gap; 0 to 0: none. */
  updates: z.strictObject({ from: count, to: count }),
  entries: z.strictObject({ from: count, to: count }),
  /** What is kept for the cluster and is not in the file. */
  withheld: z.array(z.string().max(200)).max(20),
})
export type BackupHeader = z.infer<typeof backupHeader>

/** What a backup leaves out: it is no way to get at secrets, and nothing that a new cluster could use. */
export const WITHHELD = [
  'signing secrets of webhooks, API keys, join tokens',
  'private keys of nodes: they never leave their hosts',
  'keys of peers, numbers of sessions, kept answers of writes',
  'the cluster log, messages of webhooks, the audit log (holdfast audit export)',
] as const

const updateLine = z.strictObject({ t: z.literal('update'), hash: sha256, update })
const entryLine = z.strictObject({
  t: z.literal('entry'),
  id: z.int().positive(),
  atMs: instantMs,
  firstSeq: count,
  event: z.record(z.string(), z.json()),
})
const endLine = z.strictObject({ t: z.literal('end'), lines: count, sha256 })

type Json = z.infer<ReturnType<typeof z.json>>

export interface Backup {
  readonly header: BackupHeader
  readonly hive: HiveDocument
  /** As it stands there, which is what its checksum is of. */
  readonly hiveJson: Json
  readonly updates: number
  readonly entries: number
}

/**
 * @param hashOf SHA-256 of a text, hex
 * @throws {HoldfastError} BACKUP_UNREADABLE, and what is wrong with it
 */
export function readBackup(text: string, hashOf: (text: string) => string): Backup {
  const lines = text.split('\n')
  const header = readHeader(json(lines[0] ?? '', 1))
  if (lines.pop() !== '') throw unreadable('it ends within a line: it was cut off')
  const last = endLine.safeParse(json(lines.at(-1) ?? '', lines.length))
  if (!last.success) throw unreadable('its last line is missing: it was cut off')
  const { lines: told, sha256: sum } = last.data
  const body = text.slice(0, text.length - (lines.at(-1)?.length ?? 0) - 1)
  if (told !== lines.length - 1 || hashOf(body) !== sum)
    throw unreadable('its checksum does not fit: it was damaged or edited')
  const hiveJson = hiveOf(json(lines[1] ?? '', 2))
  const hive = readHive(header, hiveJson, hashOf)
  const updates = runOf(lines.slice(2, -1), 'update')
  const entries = runOf(lines.slice(2 + updates.length, -1), 'entry')
  if (2 + updates.length + entries.length !== lines.length - 1)
    throw unreadable('it has lines that belong to no backup')
  inRow(updates, updateLine, (line) => line.update.seq, header.updates, 'update')
  inRow(entries, entryLine, (line) => line.id, header.entries, 'entry of the journal')
  return { header, hive, hiveJson, updates: updates.length, entries: entries.length }
}

/** @throws {HoldfastError} BACKUP_UNREADABLE */
export function readHeader(value: unknown): BackupHeader {
  const format = (value as { format?: unknown } | null)?.format
  if (typeof format === 'string' && ANY_FORMAT.test(format) && format !== BACKUP_FORMAT)
    throw new HoldfastError({
      code: 'BACKUP_UNREADABLE',
      message: `the backup has the format ${format}; ${BACKUP_FORMAT} is known here`,
      why: 'It was made by another version of Holdfast. Nothing was changed.',
      remedy: 'Use that version, or a newer one, of the command and of the control plane.',
    })
  const parsed = backupHeader.safeParse(value)
  if (!parsed.success) throw unreadable(`its first line is not that of a backup: ${at(parsed)}`)
  return parsed.data
}

/**
 * The hive of a backup, if it is the one that the header was made with.
 *
 * @throws {HoldfastError} BACKUP_UNREADABLE
 */
export function readHive(
  header: BackupHeader,
  value: unknown,
  hashOf: (text: string) => string,
): HiveDocument {
  if (hashOf(canonicalJson(value)) !== header.hiveSha256)
    throw unreadable('the checksum of the hive does not fit: it was damaged or edited')
  const parsed = hiveDocument.safeParse(value)
  if (!parsed.success) throw unreadable(`its hive is not one of this version: ${at(parsed)}`)
  const { cluster, seq } = parsed.data
  if (cluster?.id !== header.cluster.id || seq !== header.seq)
    throw unreadable('its hive is that of another cluster, or of another version')
  return parsed.data
}

export const unreadable = (why: string): HoldfastError =>
  new HoldfastError({
    code: 'BACKUP_UNREADABLE',
    message: 'this is not a whole backup of a cluster',
    why: `What is wrong: ${why}. Nothing was changed.`,
    remedy: 'Use another copy of it; one is made by: holdfast cluster backup NAME',
  })

function json(line: string, n: number): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw unreadable(`line ${n} is no JSON`)
  }
}

function hiveOf(line: unknown): Json {
  const { t, hive } = (line ?? {}) as { t?: unknown; hive?: Json }
  if (t !== 'hive' || hive === undefined) throw unreadable('its second line is not the hive')
  return hive
}

function runOf(lines: readonly string[], t: 'update' | 'entry'): string[] {
  const start = `{"t":"${t}",`
  const end = lines.findIndex((line) => !line.startsWith(start))
  return lines.slice(0, end < 0 ? lines.length : end)
}

/** All of them, each once, in their order. */
function inRow<T>(
  lines: readonly string[],
  schema: z.ZodType<T>,
  numberOf: (line: T) => number,
  { from: first, to: last }: { from: number; to: number },
  what: string,
): void {
  if (lines.length !== (first === 0 ? 0 : last - first + 1))
    throw unreadable(`it should have each ${what}, ${first} to ${last}`)
  lines.forEach((line, i) => {
    const parsed = schema.safeParse(json(line, i))
    if (!parsed.success) throw unreadable(`${what} ${first + i} is none: ${at(parsed)}`)
    if (numberOf(parsed.data) !== first + i) throw unreadable(`${what} ${first + i} is not there`)
  })
}

const at = ({ error }: { error: z.ZodError }): string => {
  const [first] = error.issues
  return `/${first?.path.map(String).join('/')} ${first?.message}`
}

const restoredFrom = z.object({ cluster: z.string(), seq: count, madeAtMs: instantMs })

export const restoreCluster = z.strictObject({
  name: name.describe('Of the cluster that is made from it.'),
  header: z
    .record(z.string(), z.json())
    .describe('The first line of the backup, as it is: it says which version it needs.'),
  hive: z.json().describe('What the second line has as `hive`.'),
})

export const restored = z.object({
  id: z.string(),
  name: z.string(),
  profile: profileName,
  createdAtMs: instantMs,
  from: restoredFrom,
  groups: count,
  resources: count,
  /** Names of nodes: a host that joins by one of them takes the place that it had. */
  places: z.array(z.string()),
  /** Where the epochs of its groups begin: above all that were used before. */
  epoch: count,
})
export type Restored = z.infer<typeof restored>
