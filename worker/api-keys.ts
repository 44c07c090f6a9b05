import { and, asc, desc, eq, gt, isNull, or, sql } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import * as z from 'zod'
import { role } from '../schema/api/access.ts'
import { HoldfastError } from '../schema/errors.ts'
import { LIMITS } from '../schema/limits.ts'
import { apiKeySecrets, apiKeys, clusters, organisations } from '../schema/tables/tenants.ts'
import type { Statement } from './account-writes.ts'
import { textOf } from './d1-errors.ts'
import { type FoundKey, KnownKeys } from './known-keys.ts'
import type { Principal, Scope } from './principal.ts'
import { newKey, PREFIX_LENGTH, sameHash, sha256 } from './secrets.ts'

export type ClusterRow = typeof clusters.$inferSelect
type KeyRow = typeof apiKeys.$inferSelect

const lately = new KnownKeys()

/** It was revoked here: it is looked up anew. */
export const forgetKey = (id: string): void => lately.forget(id)

/** API keys in D1. */
export class ApiKeys {
  readonly #db: DrizzleD1Database

  constructor(d1: D1Database) {
    this.#db = drizzle(d1)
  }

  /**
   * Whose key it is, and the cluster of that organisation that is asked for, at the same time.
   *
   * @param reference name or GUID of a cluster
   * @param looks it changes nothing: what was known a moment ago will do
   * @throws {HoldfastError} UNAUTHENTICATED
   */
  async identify(presented: string, reference: string | null, looks = false) {
    const nowMs = Date.now()
    const hash = await sha256(presented)
    const known = looks ? lately.get(hash, reference, nowMs) : null
    const found = known ?? (await this.#find(presented, reference))
    // Compared with something in any case: that a beginning is known takes no other time.
    if (!sameHash(hash, found?.secret.hash ?? NO_HASH) || !found) throw unknownKey()
    checkValid(found.key, found.secret.expiresAtMs, nowMs)
    const principal = known?.principal ?? principalOf(found.key, found.organisation)
    if (!known) lately.add(hash, reference, { ...found, principal }, nowMs)
    return {
      principal,
      cluster: found.cluster,
      validUntilMs: earlier(found.key.expiresAtMs, found.secret.expiresAtMs),
      /** Whether it is time to note that it is used. */
      noteUse: !known && nowMs - (found.key.lastUsedAtMs ?? 0) >= LIMITS.keyUseNotedMs,
    }
  }

  async #find(presented: string, reference: string | null): Promise<FoundKey | undefined> {
    const named = or(eq(clusters.id, reference ?? ''), eq(clusters.name, reference ?? ''))
    return this.#db
      .select({
        ...{ secret: apiKeySecrets, key: apiKeys, organisation: organisations },
        cluster: clusters,
      })
      .from(apiKeySecrets)
      .innerJoin(apiKeys, eq(apiKeySecrets.keyId, apiKeys.id))
      .innerJoin(organisations, eq(apiKeys.organisationId, organisations.id))
      .leftJoin(clusters, and(eq(clusters.organisationId, apiKeys.organisationId), named))
      .where(eq(apiKeySecrets.prefix, presented.slice(0, PREFIX_LENGTH)))
      .orderBy(desc(eq(clusters.id, reference ?? '')))
      .limit(1)
      .get()
  }

  async noteUse(id: string): Promise<void> {
    await this.#db.update(apiKeys).set({ lastUsedAtMs: Date.now() }).where(eq(apiKeys.id, id))
  }

  /** All keys of an organisation with the beginnings of their valid secrets, by name. */
  async list(organisationId: string) {
    const nowMs = Date.now()
    const rows = await this.#db
      .select({ key: apiKeys, prefix: apiKeySecrets.prefix })
      .from(apiKeys)
      .leftJoin(apiKeySecrets, and(eq(apiKeySecrets.keyId, apiKeys.id), notOver(nowMs)))
      .where(eq(apiKeys.organisationId, organisationId))
      .orderBy(asc(apiKeys.name), asc(apiKeys.createdAtMs), desc(apiKeySecrets.createdAtMs))
      .all()
    const keys = new Map<string, { key: KeyRow; scopes: readonly Scope[]; prefixes: string[] }>()
    for (const { key, prefix } of rows) {
      const known = keys.get(key.id) ?? { key, scopes: parseScopes(key.scopes), prefixes: [] }
      keys.set(key.id, known)
      if (prefix !== null && stateOf(key, nowMs) === 'valid') known.prefixes.push(prefix)
    }
    return [...keys.values()].map((one) => ({ ...one, state: stateOf(one.key, nowMs) }))
  }

  /** @throws {HoldfastError} NAME_TAKEN, LIMIT_REACHED */
  async create(by: Principal, { name, scopes, ttlMs }: Wanted, commit: Commit) {
    const { id: organisationId } = by.organisation
    const valid = (await this.list(organisationId)).filter((one) => one.state === 'valid')
    if (valid.length >= LIMITS.keysMax)
      throw new HoldfastError({
        code: 'LIMIT_REACHED',
        message: `the organisation has ${valid.length} keys, and may have no more`,
        remedy: 'Revoke keys that are no longer used: holdfast key list, holdfast key revoke NAME',
      })
    const { key, prefix } = newKey()
    const createdAtMs = Date.now()
    const row = {
      ...{ id: crypto.randomUUID(), organisationId, name, scopes: JSON.stringify(scopes) },
      ...{ createdAtMs, createdBy: by.name, revokedAtMs: null, lastUsedAtMs: null },
      expiresAtMs: ttlMs === undefined ? null : createdAtMs + ttlMs,
    }
    const secret = { prefix, keyId: row.id, hash: await sha256(key), createdAtMs }
    const made = this.#db.insert(apiKeys).values(row)
    const answer = { id: row.id, name, key, expiresAtMs: row.expiresAtMs }
    const after = { name, scopes, prefix, expiresAtMs: row.expiresAtMs }
    // All in one transaction: there is never a key without its secret.
    const work = [made, this.#db.insert(apiKeySecrets).values(secret)]
    await orNameTaken(name, () => commit({ id: row.id, name, before: null, after, answer, work }))
    return answer
  }

  /** By GUID or name; null where the organisation has none, or none any more. */
  async find(organisationId: string, reference: string): Promise<KeyRow | null> {
    const found = await this.#db
      .select()
      .from(apiKeys)
      .where(
        and(
          eq(apiKeys.organisationId, organisationId),
          isNull(apiKeys.revokedAtMs),
          or(eq(apiKeys.id, reference), eq(apiKeys.name, reference)),
        ),
      )
      .orderBy(desc(eq(apiKeys.id, reference)))
      .get()
    return found ?? null
  }

  /**
   * A new secret; the newest before it is valid for `overlapMs` yet, and any before that no longer. Their
   * hashes stay, so that nothing takes one of them for new.
   */
  async rotate(row: KeyRow, overlapMs: number, commit: Commit) {
    const { key, prefix } = newKey()
    const nowMs = Date.now()
    const overlapUntilMs = nowMs + overlapMs
    const overlaps = sql`case when ${apiKeySecrets.expiresAtMs} is null then ${overlapUntilMs} else min(${apiKeySecrets.expiresAtMs}, ${nowMs}) end`
    const { id, name, expiresAtMs } = row
    const answer = { id, name, expiresAtMs, key, overlapUntilMs }
    const work = [
      this.#db
        .update(apiKeySecrets)
        .set({ expiresAtMs: overlaps })
        .where(eq(apiKeySecrets.keyId, id)),
      this.#db
        .insert(apiKeySecrets)
        .values({ prefix, keyId: id, hash: await sha256(key), createdAtMs: nowMs }),
    ]
    const after = { ...shownOf(row), prefix, overlapUntilMs }
    await commit({ id, name, before: shownOf(row), after, answer, work })
    lately.forget(id)
    return answer
  }

  /** Its secrets stay, so that whoever uses one is told what has become of it. */
  async revoke(row: KeyRow, commit: Commit) {
    const { id, name } = row
    const revokedAtMs = Date.now()
    const valid = and(eq(apiKeys.id, id), isNull(apiKeys.revokedAtMs))
    const work = [this.#db.update(apiKeys).set({ revokedAtMs }).where(valid)]
    const answer = { id, name }
    const after = { ...shownOf(row), revokedAtMs }
    await commit({ id, name, before: shownOf(row), after, answer, work })
    lately.forget(id)
    return answer
  }
}

interface Wanted {
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly ttlMs: number | undefined
}

/** A change of a key as it is told, its answer, and what carries it out. */
export interface KeyChange {
  readonly id: string
  readonly name: string
  readonly before: object | null
  readonly after: object
  readonly answer: object
  readonly work: readonly Statement[]
}
type Commit = (change: KeyChange) => Promise<void>

/** Of a key, for who reads what was done: of its secrets never more than how they begin. */
const shownOf = ({ name, scopes, expiresAtMs, revokedAtMs }: KeyRow) => ({
  ...{ name, scopes: parseScopes(scopes), expiresAtMs, revokedAtMs },
})

const NO_HASH = '0'.repeat(64)

const storedScopes = z.array(z.object({ role, cluster: z.string().nullable() }))
export const parseScopes = (text: string): readonly Scope[] => storedScopes.parse(JSON.parse(text))

function principalOf(key: KeyRow, organisation: Principal['organisation']): Principal {
  const { id, name, expiresAtMs } = key
  return {
    ...{ kind: 'key', id, name, role: null, scopes: parseScopes(key.scopes), expiresAtMs },
    organisation: { id: organisation.id, name: organisation.name, quotas: organisation.quotas },
  }
}

const earlier = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b)

const notOver = (nowMs: number) =>
  or(isNull(apiKeySecrets.expiresAtMs), gt(apiKeySecrets.expiresAtMs, nowMs))

function stateOf(key: KeyRow, nowMs: number): 'valid' | 'expired' | 'revoked' {
  if (key.revokedAtMs !== null) return 'revoked'
  return key.expiresAtMs !== null && key.expiresAtMs <= nowMs ? 'expired' : 'valid'
}

/** Said only to who has the secret. */
function checkValid(key: KeyRow, secretExpiresAtMs: number | null, nowMs: number): void {
  const at = (ms: number) => new Date(ms).toISOString()
  if (key.revokedAtMs !== null) throw noLonger(key, `It was revoked at ${at(key.revokedAtMs)}.`)
  if (key.expiresAtMs !== null && key.expiresAtMs <= nowMs)
    throw noLonger(key, `It expired at ${at(key.expiresAtMs)}.`)
  if (secretExpiresAtMs !== null && secretExpiresAtMs <= nowMs)
    throw noLonger(
      key,
      `It was replaced by a newer secret, and valid until ${at(secretExpiresAtMs)}.`,
    )
}

const noLonger = (key: KeyRow, why: string) =>
  new HoldfastError({
    code: 'UNAUTHENTICATED',
    message: `API key "${key.name}" is no longer valid`,
    why,
    remedy: 'Use its newest secret, or another key. An admin makes one: holdfast key create NAME',
  })

export const unknownKey = () =>
  new HoldfastError({
    code: 'UNAUTHENTICATED',
    message: 'this API key is not valid',
    remedy: 'Send it as `Authorization: Bearer hfk_…`, or set HOLDFAST_API_KEY.',
  })

async function orNameTaken(name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    if (!/UNIQUE constraint failed: api_keys\.(?:organisation_id|name)/.test(textOf(cause)))
      throw cause
    throw new HoldfastError(
      {
        code: 'NAME_TAKEN',
        message: `a key named "${name}" exists already`,
        remedy: 'Choose another name, or rotate that key: holdfast key rotate NAME',
      },
      { cause },
    )
  }
}
