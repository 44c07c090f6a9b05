import { and, asc, between, count, desc, eq, gt, gte, inArray, lte, ne, or, sql } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import {
  type AuditChange,
  type AuditPage,
  type AuditQuery,
  CHAIN_START,
  type ChainPlace,
} from '../schema/api/audit.ts'
import type { RouteName } from '../schema/api/routes.ts'
import { ERRORS, HoldfastError, type Refusal } from '../schema/errors.ts'
import { LIMITS } from '../schema/limits.ts'
import { answers, audit, auditBases } from '../schema/tables/tenants.ts'
import { auditLines, refusedTold, shortened, type Told } from './audit.ts'
import { pageOf } from './audit-store.ts'
import { textOf } from './d1-errors.ts'
import { problemOf } from './problem.ts'
import { opened, sealedWith } from './sealing.ts'
import type { Before, Once, Write } from './write.ts'
import { reused, underWay } from './writes.ts'

export type Statement = Parameters<DrizzleD1Database['batch']>[0][number]

/** Of those who write behind the same entry one is first, and the others go again. */
/** The one route whose refusals are told although nobody had to be known for it. */
const LOGIN: RouteName = 'logIn'

const TRIES = 20
/** Before the n-th of them at random up to n times this, so that they do not go all at once again. */
const PAUSE_MS = 10
/** Each write that is kept makes room for itself, and for some of what others have left. */
const EXPIRED_AT_ONCE = 100
const HOUR_MS = 3_600_000
const PAGE = 200

/**
 * Writes that are committed in D1: each with its entry in the audit log of its organisation and with its
 * answer, in one batch, which is one transaction.
 */
export class AccountWrites {
  readonly #db: DrizzleD1Database
  readonly #organisationId: string
  readonly #secret: string
  /** What a dry run would have changed. */
  readonly tried: AuditChange[] = []

  /** @param secret the API key that was presented: answers are for who has it */
  constructor(d1: D1Database, organisationId: string, secret: string) {
    this.#db = drizzle(d1)
    this.#organisationId = organisationId
    this.#secret = secret
  }

  async begin({ once }: Write): Promise<Before> {
    const kept = once && (await this.#find(once))
    if (!once || !kept) return null
    if (kept.fingerprint !== once.fingerprint) return { refused: reused(once) }
    const body = await opened(this.#secret, once.name, kept.sealed)
    if (body === null) return { refused: otherSecret(once) }
    return { answer: { status: kept.status, body, request: kept.request } }
  }

  /** @param body the answer, as it is given when this has been carried out */
  async commit(write: Write, told: Told, body: unknown, work: readonly Statement[]): Promise<void> {
    if (write.dryRun) return void this.tried.push(...told.changes.map(shortened))
    const text = JSON.stringify(body)
    const answer = write.once ? await this.#answerRows(write, write.once, write.status, text) : []
    await this.#inChain(write, told, [...work, ...answer])
  }

  /** Of what has been carried out already, by itself. */
  async keep(write: Write, body: unknown): Promise<void> {
    if (!write.once) return
    const rows = await this.#answerRows(write, write.once, write.status, JSON.stringify(body))
    const [first, ...more] = rows
    if (first) await this.#orUnderWay(write, () => this.#db.batch([first, ...more]))
  }

  async refused(write: Write, refusal: Refusal): Promise<void> {
    const left = await this.#refusalsLeft(write)
    const { http } = ERRORS[refusal.code]
    const { once, request } = write
    const text = JSON.stringify(problemOf(refusal, request))
    const keeps = once !== null && http < 500
    const answer = keeps ? await this.#answerRows(write, once, http, text) : []
    const told = { ...refusedTold(write, refusal), furtherLeftOut: left <= 1 }
    if (left > 0) return this.#inChain(write, told, answer)
    const [first, ...more] = answer
    if (first) await this.#orUnderWay(write, () => this.#db.batch([first, ...more]))
  }

  /** Whoever was let in at the same time has an answer already. */
  async #orUnderWay(write: Write, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (write.once && /UNIQUE constraint failed: answers\./.test(textOf(error)))
        throw new HoldfastError(underWay(write.once), { cause: error })
      throw error
    }
  }

  async read({ after, limit = PAGE, sinceMs, by, route }: AuditQuery): Promise<AuditPage> {
    const chain = this.#organisationId
    const where = and(
      eq(audit.organisationId, chain),
      after === undefined ? undefined : gt(audit.n, after),
      sinceMs === undefined ? undefined : gte(audit.atMs, sinceMs),
      by === undefined ? undefined : or(eq(audit.byId, by), eq(audit.byName, by)),
      route === undefined ? undefined : eq(audit.route, route),
    )
    const order = after === undefined ? desc(audit.n) : asc(audit.n)
    const fields = { n: audit.n, body: audit.body }
    // One batch sees one state: what is read fits the head and the base that are told with it.
    const [rows, newest, bases] = await this.#db.batch([
      this.#db.select(fields).from(audit).where(where).orderBy(order).limit(limit),
      this.#newest(),
      this.#bases(),
    ])
    const base = bases[0] ?? CHAIN_START
    return pageOf(chain, rows, { after, isAll: rows.length < limit }, base, newest[0] ?? base)
  }

  /** Whoever was faster has taken the place in the chain: all of it is tried again behind that. */
  async #inChain(write: Write, told: Told, work: readonly Statement[]): Promise<void> {
    for (let tried = 1; ; tried++) {
      const [newest, bases] = await this.#db.batch([this.#newest(), this.#bases()])
      const last = newest[0] ?? bases[0] ?? CHAIN_START
      const [first, ...more] = this.#entryRows(last, write, told)
      if (!first) throw new Error('a write without an entry in the audit log')
      try {
        // What an entry is about is there before it: it may be the organisation itself.
        const [begin = first, ...rest] = [...work, first, ...more]
        await this.#orUnderWay(write, () => this.#db.batch([begin, ...rest]))
        return
      } catch (error) {
        if (!/UNIQUE constraint failed: audit\./.test(textOf(error))) throw error
        if (tried === TRIES) throw new HoldfastError(crowded, { cause: error })
        await new Promise((done) => setTimeout(done, Math.random() * tried * PAUSE_MS))
      }
    }
  }

  #entryRows(last: ChainPlace, write: Write, told: Told): Statement[] {
    const organisationId = this.#organisationId
    const nowMs = Date.now()
    const lines = auditLines(organisationId, last, nowMs, write, told)
    const rows = lines.map((line) => {
      const { n, hash, route, who, refused } = line
      const by = { byId: who.id, byName: who.name, refused: refused === null ? 0 : 1 }
      const body = JSON.stringify(line)
      return this.#db
        .insert(audit)
        .values({ organisationId, n, atMs: nowMs, route, ...by, hash, body })
    })
    const over = last.n + lines.length - LIMITS.auditKept
    return over > 0 ? [...rows, ...this.#removal(over)] : rows
  }

  /** Entries up to this one go; what is left is judged by the hash of the last of them. */
  #removal(n: number): Statement[] {
    const id = this.#organisationId
    const fields = { organisationId: audit.organisationId, n: audit.n, hash: audit.hash }
    const last = this.#db
      .select(fields)
      .from(audit)
      .where(and(eq(audit.organisationId, id), eq(audit.n, n)))
    return [
      this.#db.delete(auditBases).where(eq(auditBases.organisationId, id)),
      this.#db.insert(auditBases).select(last),
      this.#db.delete(audit).where(and(eq(audit.organisationId, id), lte(audit.n, n))),
    ]
  }

  async #answerRows(write: Write, once: Once, status: number, text: string): Promise<Statement[]> {
    const { keyId, name, fingerprint } = once
    const atMs = Date.now()
    const ofKey = eq(answers.keyId, keyId)
    const row = { keyId, name, fingerprint, request: write.request, atMs, status }
    const newer = this.#db
      .select({ atMs: answers.atMs })
      .from(answers)
      .where(ofKey)
      .orderBy(desc(answers.atMs))
      .limit(1)
      .offset(LIMITS.answersOfKeyMax - 1)
    const isOver = lte(answers.atMs, atMs - LIMITS.answersKeptMs)
    const expired = this.#db
      .select({ rowid: sql`rowid` })
      .from(answers)
      .where(isOver)
      .limit(EXPIRED_AT_ONCE)
    return [
      // Of any key: who no longer writes leaves none behind for long.
      this.#db.delete(answers).where(inArray(sql`rowid`, expired)),
      this.#db.delete(answers).where(and(ofKey, or(isOver, lte(answers.atMs, newer)))),
      this.#db
        .insert(answers)
        .values({ ...row, sealed: await sealedWith(this.#secret, name, text) }),
    ]
  }

  async #find({ keyId, name }: Once) {
    const row = await this.#db
      .select()
      .from(answers)
      .where(and(eq(answers.keyId, keyId), eq(answers.name, name)))
      .get()
    return row && row.atMs > Date.now() - LIMITS.answersKeptMs ? row : null
  }

  /** How many more are told of this caller in this hour, here. Of logins apart: those are not only their own. */
  async #refusalsLeft({ who, route }: Write): Promise<number> {
    const nowMs = Date.now()
    const isLogin = route === LOGIN
    const lately = and(
      ...[
        sql`refused = 1`,
        eq(audit.byId, who.id),
        between(audit.atMs, nowMs - HOUR_MS + 1, nowMs),
      ],
      eq(audit.organisationId, this.#organisationId),
      isLogin ? eq(audit.route, LOGIN) : ne(audit.route, LOGIN),
    )
    const row = await this.#db.select({ seen: count() }).from(audit).where(lately).get()
    const most = isLogin ? LIMITS.auditLoginRefusalsPerHour : LIMITS.auditRefusalsPerHour
    return most - (row?.seen ?? 0)
  }

  #newest() {
    return this.#db
      .select({ n: audit.n, hash: audit.hash })
      .from(audit)
      .where(eq(audit.organisationId, this.#organisationId))
      .orderBy(desc(audit.n))
      .limit(1)
  }

  #bases() {
    return this.#db
      .select({ n: auditBases.n, hash: auditBases.hash })
      .from(auditBases)
      .where(eq(auditBases.organisationId, this.#organisationId))
  }
}

const crowded: Refusal = {
  code: 'UNAVAILABLE',
  message: 'too many writes of this organisation are under way',
  why: 'Each has its own place in the audit log, and others were faster. Nothing was changed by this one.',
  remedy: 'Try again in a moment.',
}

const otherSecret = ({ name }: Once): Refusal => ({
  code: 'IDEMPOTENCY_KEY_IN_USE',
  message: `the write with Idempotency-Key "${name}" was carried out, and its answer cannot be given again`,
  why: 'It was sent with another secret of the same API key, which has been rotated since. Nothing was changed by this one.',
  remedy: 'Look at what is there. To do it again, send it with a new key.',
})
