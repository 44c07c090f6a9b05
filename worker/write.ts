/** A call that changes something, on its way to where it is committed. */
import type { AuditAbout, AuditChange, AuditWho } from '../schema/api/audit.ts'
import type { Refusal } from '../schema/errors.ts'
import type { Quotas } from '../schema/quotas.ts'

/** Plain data: it goes from the Worker to the object with each request. */
export interface Write {
  readonly who: AuditWho
  /** The caller's address, where the platform vouches for it. */
  readonly from: string | null
  /** Id of the HTTP request. */
  readonly request: string
  /** Name of the route. */
  readonly route: string
  /** What the caller calls the thing that it is about; null: it names none. */
  readonly about: AuditAbout | null
  /** Of its answer when it is carried out. */
  readonly status: 200 | 202
  /** Null: it came without an Idempotency-Key, and its answer is not kept. */
  readonly once: Once | null
  /** What its organisation may have; absent where nothing can become more by it. */
  readonly quotas?: Quotas
  /** The version of the hive that the caller has seen: refused if it is another by now. Absent: any. */
  readonly ifMatch?: number
  /** Decided like any other, and nothing is committed or sent. */
  readonly dryRun?: true
}

/** What makes it the same write as one before. */
export interface Once {
  /** GUID of the API key: what others call theirs is theirs. */
  readonly keyId: string
  /** The Idempotency-Key as it was sent. */
  readonly name: string
  /** SHA-256 of method, path with query, and body. */
  readonly fingerprint: string
}

/** An answer as it was given, and the id of the request that it was given to. */
export interface Answer {
  readonly status: number
  readonly body: string
  readonly request: string
}

/** Null: it is the first, and may be carried out. */
export type Before = { answer: Answer } | { refused: Refusal } | null

/** `operation`: the id of what has begun; null: nothing was changed. */
export interface Asked {
  seq: number
  operation: string | null
  /** Of a dry run: what would be changed, as JSON (AuditChange[]): records of any depth are no types of a call. */
  dry?: string
}

/** What an answer has besides what the commit gives, said before it so that both are committed together. */
export interface Reply<F extends object = object> {
  /** Whether it says which operation has begun. */
  readonly begins?: true
  readonly fields: F
}

/** What a dry run of a write has come to. */
export interface Dry {
  /** Version of the hive that was looked at; null: it is not about a hive. */
  seq: number | null
  changes: AuditChange[]
}

export const replyBody = <F extends object>({ seq, operation }: Asked, reply: Reply<F>) => ({
  seq,
  ...(reply.begins && { operation }),
  ...reply.fields,
})
