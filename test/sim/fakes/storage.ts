/**
 * The storage of a Durable Object on SQLite in memory, as far as the product uses it: `sql.exec`,
 * `transactionSync`, `sync`, one alarm. It outlives instances, and only the current one may write:
 * that is where the platform enforces uniqueness.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { actorNow } from '../kernel.ts'

/** What is left when an instance goes: rows and the alarm. */
export class Disk {
  readonly db = new DatabaseSync(':memory:')
  readonly #statements = new Map<string, Prepared>()
  alarmMs: number | null = null
  /** Grows with each instance; an older one may not touch storage. */
  instance = 0
  onAlarm: () => void = () => {}
  /** Told after each transaction that wrote something. */
  onCommit: () => void = () => {}
  /** Told when an instance dies right behind a commit: nothing of it leaves. */
  onDeath: () => void = () => {}
  /** So many of the next transactions fail. */
  failCommits = 0
  dieAfterCommit = false

  #complete = false
  /** The migrations have run. */
  get hasTables(): boolean {
    this.#complete ||=
      this.db.prepare("select 1 from sqlite_master where name = 'updates'").get() !== undefined
    return this.#complete
  }

  prepared(query: string): Prepared {
    let known = this.#statements.get(query)
    if (!known) {
      const statement = this.db.prepare(query)
      known = { statement, columns: statement.columns().map((c) => c.name) }
      this.#statements.set(query, known)
    }
    return known
  }
}

interface Prepared {
  readonly statement: StatementSync
  readonly columns: string[]
}

export class Superseded extends Error {
  constructor() {
    super('this instance was superseded: its storage is gone')
  }
}

/** The machine is gone in the middle of an event. */
export class Died extends Error {
  constructor() {
    super('this instance is gone')
  }
}

/** A transaction that the platform did not get onto its disks. */
export class CommitFailed extends Error {
  constructor() {
    super('the storage failed')
  }
}

class Cursor {
  readonly #rows: Record<string, unknown>[]
  readonly columnNames: string[]

  constructor(rows: Record<string, unknown>[], columnNames: string[]) {
    this.#rows = rows
    this.columnNames = columnNames
  }

  toArray() {
    return this.#rows
  }

  one() {
    return this.#rows[0]
  }

  raw() {
    const rows = this.#rows.map((row) => this.columnNames.map((name) => row[name]))
    return { toArray: () => rows, [Symbol.iterator]: () => rows[Symbol.iterator]() }
  }

  [Symbol.iterator]() {
    return this.#rows[Symbol.iterator]()
  }
}

export class FakeStorage {
  readonly #disk: Disk
  readonly #instance: number
  /** How long a write takes to be durable, in milliseconds. */
  readonly syncMs: () => number
  #depth = 0

  constructor(disk: Disk, instance: number, syncMs: () => number) {
    this.#disk = disk
    this.#instance = instance
    this.syncMs = syncMs
  }

  #mine(): void {
    if (this.#disk.instance !== this.#instance || actorNow()?.alive === false)
      throw new Superseded()
  }

  readonly sql = {
    exec: (query: string, ...bindings: SQLInputValue[]) => {
      this.#mine()
      const { statement, columns } = this.#disk.prepared(query)
      if (columns.length === 0) {
        statement.run(...bindings)
        return new Cursor([], [])
      }
      return new Cursor(statement.all(...bindings) as Record<string, unknown>[], columns)
    },
  }

  transactionSync<T>(work: () => T): T {
    this.#mine()
    const outermost = this.#depth === 0
    const name = `sp${this.#depth}`
    this.#depth += 1
    this.#disk.db.exec(`SAVEPOINT ${name}`)
    let result: T
    try {
      result = work()
      if (outermost && this.#fails()) throw new CommitFailed()
      this.#disk.db.exec(`RELEASE ${name}`)
    } catch (error) {
      this.#disk.db.exec(`ROLLBACK TO ${name}`)
      this.#disk.db.exec(`RELEASE ${name}`)
      throw error
    } finally {
      this.#depth -= 1
    }
    if (outermost) this.#committed()
    return result
  }

  #fails(): boolean {
    if (this.#disk.failCommits === 0) return false
    this.#disk.failCommits -= 1
    return true
  }

  #committed(): void {
    this.#disk.onCommit()
    if (!this.#disk.dieAfterCommit) return
    this.#disk.dieAfterCommit = false
    this.#disk.onDeath()
    throw new Died()
  }

  /** Resolves once everything written before is durable; never for a superseded instance. */
  async sync(): Promise<void> {
    const actor = actorNow()
    await new Promise<void>((resolve) => {
      if (actor) actor.after(this.syncMs(), resolve)
      else resolve()
    })
    this.#mine()
  }

  async setAlarm(atMs: number): Promise<void> {
    this.#mine()
    this.#disk.alarmMs = atMs
    this.#disk.onAlarm()
  }

  async getAlarm(): Promise<number | null> {
    return this.#disk.alarmMs
  }

  async deleteAlarm(): Promise<void> {
    this.#disk.alarmMs = null
  }
}
