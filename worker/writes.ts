import { ERRORS, type Refusal } from '../schema/errors.ts'
import { LIMITS } from '../schema/limits.ts'
import { AnswerStore } from './answer-store.ts'
import { refusedTold, type Told } from './audit.ts'
import { AuditStore } from './audit-store.ts'
import type { ClusterState } from './core/decision.ts'
import type { HiveStore } from './hive-store.ts'
import { problemOf } from './problem.ts'
import type { Before, Once, Write } from './write.ts'

/**
 * Writes of the API in a cluster's object. Each is carried out once, however often it is sent with the same
 * Idempotency-Key, and told in the audit log: answer and entry are committed with what it does.
 */
export class Writes {
  readonly #storage: DurableObjectStorage
  readonly #state: () => ClusterState
  readonly #answers: AnswerStore
  readonly #audit: AuditStore
  /** What is under way, and since when. Whatever it commits is also the end of this: losing it is harmless. */
  readonly #running = new Map<string, { fingerprint: string; sinceMs: number }>()

  constructor(storage: DurableObjectStorage, store: HiveStore, state: () => ClusterState) {
    this.#storage = storage
    this.#state = state
    this.#answers = new AnswerStore(store.db)
    this.#audit = new AuditStore(store.db)
  }

  /** Whether it may be carried out: its answer, if it was; a refusal, if nobody can tell. */
  begin({ once }: Write): Before {
    if (!once) return null
    const nowMs = Date.now()
    const kept = this.#answers.find(once, nowMs)
    if (kept && kept.fingerprint !== once.fingerprint) return { refused: reused(once) }
    if (kept && kept.body !== '') return { answer: kept }
    const running = this.#running.get(placeOf(once))
    if (running && isUnderWay(running.sinceMs, nowMs)) {
      if (running.fingerprint !== once.fingerprint) return { refused: reused(once) }
      return { refused: underWay(once) }
    }
    if (kept) return { refused: unknownEnd(kept) }
    this.#expire(nowMs)
    this.#running.set(placeOf(once), { fingerprint: once.fingerprint, sinceMs: nowMs })
    return null
  }

  /**
   * Whoever was let in at the same time has committed it, or let it leave. The id of the request does not
   * tell them apart: callers may give one and the same to all their tries.
   */
  overtaken({ once }: Write): Refusal | null {
    return once && this.#answers.find(once, Date.now()) ? underWay(once) : null
  }

  /** Why it is not carried out: it was already, or the hive is not what its caller has seen. */
  hindrance(write: Write): Refusal | null {
    const { seq } = this.#state().hive
    const { ifMatch } = write
    const isStale = ifMatch !== undefined && ifMatch !== seq
    return this.overtaken(write) ?? (isStale ? stale(ifMatch, seq) : null)
  }

  /** Within the transaction of what it does: the two of them are there, or neither. */
  commit(write: Write, told: Told, body: unknown): void {
    this.enter(write, told)
    this.#put(write, body)
  }

  /** The same of what had nothing to do. */
  nothing(write: Write, told: Told, body: unknown): void {
    this.#storage.transactionSync(() => this.commit(write, told, body))
  }

  /** An entry in the audit log, within the transaction of what it tells of. */
  enter(write: Write, told: Told): void {
    this.#audit.append(this.#clusterId(told), write, told)
  }

  /**
   * Before something leaves that cannot be taken back, nor be seen to have happened.
   *
   * @returns null: it may leave
   */
  attempt(write: Write, told: Told): Refusal | null {
    const hindered = this.hindrance(write)
    if (hindered) return hindered
    const { once, request } = write
    this.#storage.transactionSync(() => {
      this.enter(write, told)
      if (once) this.#answers.put(once, { status: 0, body: '', request }, Date.now())
    })
    return null
  }

  /** The answer of what has committed nothing, or of what has gone on behind its commit. */
  keep(write: Write, body: unknown): void {
    const kept = write.once && this.#answers.find(write.once, Date.now())
    if (kept && kept.request !== write.request) return
    this.#storage.transactionSync(() => this.#put(write, body))
  }

  #put({ once, status, request }: Write, body: unknown): void {
    if (!once) return
    this.#answers.put(once, { status, body: JSON.stringify(body), request }, Date.now())
    this.#running.delete(placeOf(once))
  }

  /**
   * Nothing was changed. What may go better the next time is entered, and its answer is not kept: unless it
   * has left for a host, where it may have been done.
   */
  refused(write: Write, refusal: Refusal): void {
    const { once, request } = write
    const status = ERRORS[refusal.code].http
    const left = this.#audit.refusalsLeft(write.who.id)
    const told = { ...refusedTold(write, refusal), furtherLeftOut: left <= 1 }
    this.#storage.transactionSync(() => {
      if (left > 0) this.enter(write, told)
      const kept = once && this.#answers.find(once, Date.now())
      // What is committed stands, whatever has come behind it.
      if (!once || (kept && (kept.request !== request || kept.status !== 0))) return
      if (status >= 500 && !kept) return
      const body = JSON.stringify(problemOf(refusal, request))
      this.#answers.put(once, { status, body, request }, Date.now())
    })
    if (once) this.#running.delete(placeOf(once))
  }

  /** The first request of a cluster is the one that forms it. */
  #clusterId(told?: Told): string {
    const id = this.#state().hive.cluster?.id ?? told?.asked['clusterId']
    if (typeof id !== 'string') throw new Error('an audit log without a cluster')
    return id
  }

  #expire(nowMs: number): void {
    for (const [place, { sinceMs }] of this.#running) {
      if (isUnderWay(sinceMs, nowMs)) return
      this.#running.delete(place)
    }
  }
}

/** Also if the clock has been put back in between: then by no more than that. */
const isUnderWay = (sinceMs: number, nowMs: number): boolean =>
  Math.abs(nowMs - sinceMs) < LIMITS.writeRunsMs

const stale = (seen: number, seq: number): Refusal => ({
  code: 'PRECONDITION_FAILED',
  message: `the cluster is at version ${seq}, and no longer at ${seen}`,
  why: 'The write came with If-Match, and something was changed since then. Nothing was changed by this one.',
  remedy: 'Read again, decide anew, and send it with the version of then.',
  seq,
})

const placeOf = ({ keyId, name }: Once): string => `${keyId} ${name}`

export const reused = ({ name }: Once): Refusal => ({
  code: 'IDEMPOTENCY_KEY_REUSED',
  message: `Idempotency-Key "${name}" was sent with another write before`,
  why: 'Route, query or body were different. Nothing was changed by this one.',
  remedy: 'Use a new key (a UUID) for each write, and the same one only to repeat the same write.',
})

export const underWay = ({ name }: Once): Refusal => ({
  code: 'IDEMPOTENCY_KEY_IN_USE',
  message: `the first write with Idempotency-Key "${name}" is still being carried out`,
  why: 'Nothing was changed by this one.',
  remedy: 'Try again in a moment, with the same key: then it has an answer.',
})

/** @param kept what is there of it, without an answer */
const unknownEnd = (kept: { name: string; atMs: number; status: number }): Refusal => ({
  code: 'IDEMPOTENCY_KEY_IN_USE',
  message: `the write with Idempotency-Key "${kept.name}" was begun, and its answer is not there`,
  why:
    kept.status === 0
      ? `It was begun at ${new Date(kept.atMs).toISOString()}; it is not done yet, or the control plane was restarted before it was. Nothing was changed by this one.`
      : `It was carried out at ${new Date(kept.atMs).toISOString()}, and its answer was too long to be kept. Nothing was changed by this one.`,
  remedy: 'Look at what is there. To do it again, send it with a new key.',
})
