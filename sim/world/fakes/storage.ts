/**
 * The storage of a Durable Object on SQLite in memory, as far as the product uses it: `sql.exec`,
 * `transactionSync`, `sync`, one alarm. It outlives instances, and only the current one may write:
 * that is where the platform enforces uniqueness.
 */
import {
  DatabaseSync,
  type SQLInputValue,
  type SQLOutputValue,
  type StatementSync,
} from 'node:sqlite'
import { actorNow } from '../kernel.ts'

/** What is left when an instance goes: rows and the alarm. */
export class Disk {
  readonly db = new DatabaseSync(':memory:')
  readonly #statements = new Map<string, Prepared>()
  readonly #looks = new Map<string, StatementSync>()
  alarmMs: number | null = null
  /** Grows with each instance; an older one may not touch storage. */
  instance = 0
  onAlarm: () => void = () => {}
  /** Told after each transaction that wrote something. */
  onCommit: () => void = () => {}
  /** Told when an instance dies right behind a commit: nothing of it leaves. */
  onDeath: () => void = () => {}
  /** Told when somebody waits for what it has just written; may say how long that takes. */
  onSync: () => number | null = () => null
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

  /** For those who look: rows as objects. */
  prepared(query: string): { readonly statement: StatementSync } {
    let statement = this.#looks.get(query)
    if (!statement) {
      statement = this.db.prepare(query)
      this.#looks.set(query, statement)
    }
    return { statement }
  }

  /** For the object: rows as the platform has them, made into something only when it is asked for. */
  ofObject(query: string): Prepared {
    let known = this.#statements.get(query)
    if (!known) {
      const statement = this.db.prepare(query)
      statement.setReturnArrays(true)
      const columns = statement.columns().map((c) => c.name)
      known = { statement, columns, reads: /^\s*select/i.test(query) }
      this.#statements.set(query, known)
    }
    return known
  }
}

interface Prepared {
  readonly statement: StatementSync
  readonly columns: string[]
  readonly reads: boolean
}

function run(statement: StatementSync, columns: string[], bindings: SQLInputValue[]): Cursor {
  if (columns.length > 0)
    return new Cursor(statement.all(...bindings) as unknown as SQLOutputValue[][], columns)
  statement.run(...bindings)
  return new Cursor([], [])
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
  readonly #rows: SQLOutputValue[][]
  readonly columnNames: string[]

  constructor(rows: SQLOutputValue[][], columnNames: string[]) {
    this.#rows = rows
    this.columnNames = columnNames
  }

  toArray() {
    return this.#rows.map((row) =>
      Object.fromEntries(this.columnNames.map((name, n) => [name, row[n]])),
    )
  }

  one() {
    return this.toArray()[0]
  }

  raw() {
    return { toArray: () => this.#rows, [Symbol.iterator]: () => this.#rows[Symbol.iterator]() }
  }

  [Symbol.iterator]() {
    return this.toArray()[Symbol.iterator]()
  }
}

/** What the platform does about an instance whose write cannot be committed. */
export interface Gate {
  /** From now on nothing of it leaves (A3); it is reset once the commit has failed. */
  shut(afterMs: number): void
}

export class FakeStorage {
  readonly #disk: Disk
  readonly #instance: number
  /** How long a write takes to be durable, in milliseconds. */
  readonly syncMs: () => number
  readonly #gate: Gate
  #depth = 0

  constructor(disk: Disk, instance: number, syncMs: () => number, gate: Gate) {
    this.#disk = disk
    this.#instance = instance
    this.syncMs = syncMs
    this.#gate = gate
  }

  get #isCurrent(): boolean {
    return this.#disk.instance === this.#instance
  }

  #mine(): void {
    if (actorNow()?.alive === false) throw new Superseded()
  }

  readonly sql = {
    exec: (query: string, ...bindings: SQLInputValue[]) => {
      this.#mine()
      const { statement, columns, reads } = this.#disk.ofObject(query)
      if (reads || this.#depth > 0 || this.#isCurrent) return run(statement, columns, bindings)
      // It sees its own write, and nobody else ever does.
      return this.#inVain(() => run(statement, columns, bindings))
    },
  }

  transactionSync<T>(work: () => T): T {
    this.#mine()
    if (this.#depth > 0) return this.#savepoint(work)
    if (!this.#isCurrent) return this.#inVain(work)
    const result = this.#savepoint(() => {
      const done = work()
      if (this.#fails()) throw new CommitFailed()
      return done
    })
    this.#committed()
    return result
  }

  #savepoint<T>(work: () => T, keep = true): T {
    const name = `sp${this.#depth}`
    this.#depth += 1
    this.#disk.prepared(`SAVEPOINT ${name}`).statement.run()
    try {
      const result = work()
      if (!keep) this.#disk.prepared(`ROLLBACK TO ${name}`).statement.run()
      return result
    } catch (error) {
      this.#disk.prepared(`ROLLBACK TO ${name}`).statement.run()
      throw error
    } finally {
      this.#disk.prepared(`RELEASE ${name}`).statement.run()
      this.#depth -= 1
    }
  }

  /** A superseded instance goes on as if it had written, until the platform finds out. */
  #inVain<T>(work: () => T): T {
    this.#gate.shut(this.syncMs())
    try {
      return this.#savepoint(work, false)
    } catch {
      // It ran into what the current instance has written.
      throw new Superseded()
    }
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
    const durable = this.#isCurrent
    const syncMs = this.#disk.onSync() ?? this.syncMs()
    await new Promise<void>((resolve) => {
      if (!durable) return
      if (actor) actor.after(syncMs, resolve)
      else resolve()
    })
  }

  async setAlarm(atMs: number): Promise<void> {
    this.#mine()
    if (!this.#isCurrent) return this.#gate.shut(this.syncMs())
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
