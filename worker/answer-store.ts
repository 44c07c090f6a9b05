import { and, asc, desc, eq } from 'drizzle-orm'
import type { DrizzleSqliteDODatabase } from 'drizzle-orm/durable-sqlite'
import { LIMITS } from '../schema/limits.ts'
import { answers } from '../schema/tables/durable.ts'
import type { Answer, Once } from './write.ts'

/** Each write that is kept makes room for itself; more than one row only where a long answer came. */
const REMOVED_AT_ONCE = 100

/** Answers of writes in the object's SQLite, in the transaction of whoever calls. */
export class AnswerStore {
  readonly #db: DrizzleSqliteDODatabase

  constructor(db: DrizzleSqliteDODatabase) {
    this.#db = db
  }

  find({ keyId, name }: Once, nowMs: number) {
    const row = this.#db.select().from(answers).where(named(keyId, name)).get()
    return row && row.atMs > nowMs - LIMITS.answersKeptMs ? row : null
  }

  /** In place of what is there of it; `status` 0 for what has only begun. */
  put(once: Once, { status, body: text, request }: Answer, nowMs: number): void {
    const { keyId, name, fingerprint } = once
    const body = text.length > LIMITS.answerLengthMax ? '' : text
    this.forget(once)
    const total = (this.#newest()?.total ?? 0) + body.length
    const row = { keyId, name, fingerprint, request, atMs: nowMs, status, body, total }
    const { id } = this.#db.insert(answers).values(row).returning({ id: answers.id }).get()
    this.#makeRoom(id, total, nowMs)
  }

  forget({ keyId, name }: Once): void {
    this.#db.delete(answers).where(named(keyId, name)).run()
  }

  #newest() {
    return this.#db
      .select({ total: answers.total })
      .from(answers)
      .orderBy(desc(answers.id))
      .limit(1)
      .get()
  }

  #makeRoom(newest: number, total: number, nowMs: number): void {
    for (let removed = 0; removed < REMOVED_AT_ONCE; removed++) {
      const oldest = this.#db
        .select({ id: answers.id, atMs: answers.atMs, total: answers.total })
        .from(answers)
        .orderBy(asc(answers.id))
        .limit(1)
        .get()
      const goes =
        oldest &&
        oldest.id !== newest &&
        (oldest.atMs <= nowMs - LIMITS.answersKeptMs ||
          oldest.id <= newest - LIMITS.answersKept ||
          oldest.total <= total - LIMITS.answersLengthMax)
      if (!goes) return
      this.#db.delete(answers).where(eq(answers.id, oldest.id)).run()
    }
  }
}

const named = (keyId: string, name: string) => and(eq(answers.keyId, keyId), eq(answers.name, name))
