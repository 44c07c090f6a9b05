import { createHash } from 'node:crypto'
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
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
  #timer: NodeJS.Timeout | null = null
  #parts: string[] = []
  /** The file as it was written last, or null before. */
  #written: string | null = null
  hive: Hive = emptyHive()
  hash = '0'.repeat(64)

  constructor(folder: string) {
    this.#path = join(folder, 'hive.json')
    try {
      const file = JSON.parse(readFileSync(this.#path, 'utf8'))
      // The chain of hashes says which updates it has seen, not that the rows are still what they
      // made of it: that says the sum.
      if (file.sum !== sumOf(JSON.stringify(file.hive))) return
      this.hive = fromDocument(hiveDocument.parse(file.hive))
      this.hash = String(file.hash)
    } catch {
      // None yet, or damaged: the control plane sends a snapshot.
    }
  }

  /** @returns false when they do not follow on what is here (U3): a new session has to be made */
  apply(updates: readonly Update[], hash: string): boolean {
    for (const u of updates) {
      if (u.seq <= this.hive.seq) continue
      try {
        applyUpdate(this.hive, u)
      } catch {
        return false
      }
      this.hash = createHash('sha256').update(this.hash).update(canonicalJson(u)).digest('hex')
    }
    if (this.hash !== hash) return false
    this.#write()
    return true
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
    this.#write()
    return true
  }

  forget(): void {
    this.hive = emptyHive()
    this.hash = '0'.repeat(64)
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
    const text = `{"hash":${JSON.stringify(this.hash)},"sum":"${sumOf(hive)}","hive":${hive}}`
    try {
      writeFileSync(`${this.#path}.new`, text, { mode: 0o600 })
      renameSync(`${this.#path}.new`, this.#path)
      this.#written = this.#stamp()
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

const sumOf = (text: string) => createHash('sha256').update(text).digest('hex')
