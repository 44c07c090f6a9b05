import { createHash } from 'node:crypto'
import { appendFileSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonicalJson } from '../../schema/canonical.ts'
import { emptyHive, fromDocument, type Hive, hiveDocument, toDocument } from '../../schema/hive.ts'
import { applyUpdate, type Update } from '../../schema/update.ts'

/** Writes are gathered for this long: a replica is knowledge, and a lost tail is caught up. */
const WRITE_DELAY_MS = 200

/** S-77: a file that is not as it was written is put right within this time. */
const LOOK_MS = 1_000

/**
 * The node's read-only copy of the hive (S-04, Q7): a fold of the updates in their order, with the
 * same chain of hashes. It never gives permission to start anything (U1).
 */
export class Replica {
  readonly #path: string
  /** What has come since the file was written: one line for each frame of updates. */
  readonly #logPath: string
  #timer: NodeJS.Timeout | null = null
  #parts: string[] = []
  /** The file as it was written last, or null before. */
  #written: string | null = null
  hive: Hive = emptyHive()
  hash = '0'.repeat(64)
  /** Last update that this host has ever known of: it outlives a replica that is fetched anew. */
  knownSeq = 0

  /** State folder of this host. */
  readonly folder: string
  /** It has been brought up to a welcome: it is not older than any grant. */
  current = false

  constructor(folder: string) {
    this.folder = folder
    this.#path = join(folder, 'hive.json')
    this.#logPath = join(folder, 'hive.log')
    try {
      const file = JSON.parse(readFileSync(this.#path, 'utf8'))
      // The chain of hashes says which updates it has seen, not that the rows are still what they
      // made of it: that says the sum.
      if (file.sum !== sumOf(String(file.hash), JSON.stringify(file.hive))) return
      this.hive = fromDocument(hiveDocument.parse(file.hive))
      this.hash = String(file.hash)
      this.#readLog()
    } catch {
      // None yet, or damaged: the control plane sends a snapshot.
    }
    this.knownSeq = this.hive.seq
  }

  /** What had come before the last process ended: an agent must not act on less than it knew (G8). */
  #readLog(): void {
    let text = ''
    try {
      text = readFileSync(this.#logPath, 'utf8')
    } catch {
      return
    }
    for (const line of text.split('\n').filter(Boolean)) {
      const { updates, hash } = parsedLine(line) ?? {}
      // The last line may be half of one.
      if (!updates) return
      if ((updates.at(-1)?.seq ?? 0) <= this.hive.seq) continue
      // It does not follow: what is here cannot be told from damage.
      if (!this.#fold(updates, hash ?? '')) return this.forget()
    }
  }

  /** @returns false when they do not follow on what is here (U3): a new session has to be made */
  apply(updates: readonly Update[], hash: string): boolean {
    if (!this.#fold(updates, hash)) return false
    try {
      appendFileSync(this.#logPath, `${JSON.stringify({ updates, hash })}\n`, { mode: 0o600 })
    } catch {
      // No room: the file is written when there is.
    }
    this.#write()
    return true
  }

  #fold(updates: readonly Update[], hash: string): boolean {
    for (const u of updates) {
      if (u.seq <= this.hive.seq) continue
      try {
        applyUpdate(this.hive, u)
      } catch {
        return false
      }
      this.hash = createHash('sha256').update(this.hash).update(canonicalJson(u)).digest('hex')
    }
    this.knownSeq = Math.max(this.knownSeq, this.hive.seq)
    return this.hash === hash
  }

  /** @returns true once all parts are there and the snapshot is in place */
  snapshotPart(part: number, parts: number, text: string, hash: string): boolean {
    if (part !== this.#parts.length) this.#parts = []
    if (part === this.#parts.length) this.#parts.push(text)
    if (this.#parts.length < parts) return false
    const document = hiveDocument.parse(JSON.parse(this.#parts.join('')))
    this.#parts = []
    this.hive = fromDocument(document)
    this.hash = hash
    this.knownSeq = Math.max(this.knownSeq, this.hive.seq)
    this.flush()
    return true
  }

  forget(): void {
    this.hive = emptyHive()
    this.hash = '0'.repeat(64)
    this.current = false
  }

  #write(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.flush()
    }, WRITE_DELAY_MS)
  }

  /** Looks after the file for as long as this process lives: it is for the next one to begin with. */
  keepFile(): void {
    setInterval(() => {
      if (this.#written !== null && this.#written !== this.#stamp()) this.flush()
    }, LOOK_MS).unref()
  }

  flush(): void {
    const hive = JSON.stringify(toDocument(this.hive))
    const text = `{"hash":${JSON.stringify(this.hash)},"sum":"${sumOf(this.hash, hive)}","hive":${hive}}`
    try {
      writeFileSync(`${this.#path}.new`, text, { mode: 0o600 })
      renameSync(`${this.#path}.new`, this.#path)
      this.#written = this.#stamp()
      // All of it is in the file now; what stays of it is skipped by its numbers.
      writeFileSync(this.#logPath, '', { mode: 0o600 })
    } catch (error) {
      process.stderr.write(`holdfast agent: the replica cannot be written: ${error}\n`)
    }
  }

  /** Changes with every write by anybody; cheap, so that it can be looked at every second. */
  #stamp(): string {
    try {
      const { ino, size, mtimeMs, ctimeMs } = statSync(this.#path)
      return `${ino} ${size} ${mtimeMs} ${ctimeMs}`
    } catch {
      return 'gone'
    }
  }
}

function parsedLine(line: string): { updates: Update[]; hash: string } | null {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

const sumOf = (hash: string, hive: string) =>
  createHash('sha256').update(hash).update(hive).digest('hex')
