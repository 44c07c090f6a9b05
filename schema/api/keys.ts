/** Bodies about API keys. */
import * as z from 'zod'
import { instantMs, name } from '../ids.ts'
import { LIMITS } from '../limits.ts'
import { memberRole, role } from './access.ts'
import { reference } from './reference.ts'

/** A role in one cluster, or in the whole organisation where none is named. */
const scope = z.strictObject({ role, cluster: reference.optional() })

const scopeView = z.object({
  role,
  /** Null: the whole organisation. */
  cluster: z.object({ id: z.string(), name: z.string() }).nullable(),
})
export type ScopeView = z.infer<typeof scopeView>

export const createKey = z.strictObject({
  /** Shown with everything that the key does. */
  name,
  scopes: z.array(scope).min(1).max(LIMITS.keyScopesMax),
  /** How long it is valid; for ever where nothing is said. */
  ttlMs: z.int().min(1_000).max(LIMITS.keyTtlMaxMs).optional(),
})

export const rotateKey = z.strictObject({
  /** How long the secret before is valid as well, so that it can be replaced where it is used. */
  overlapMs: z
    .int()
    .min(0)
    .max(LIMITS.keyOverlapMaxMs)
    .default(24 * 3_600_000),
})

export const keyView = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(scopeView),
  /** How its valid secrets begin, newest first. */
  prefixes: z.array(z.string()),
  createdAtMs: instantMs,
  createdBy: z.string(),
  expiresAtMs: instantMs.nullable(),
  /** Exact to a minute. */
  lastUsedAtMs: instantMs.nullable(),
  state: z.enum(['valid', 'expired', 'revoked']),
})
export type KeyView = z.infer<typeof keyView>

/** `key` is shown this once, and kept as a hash only. */
export const keyCreated = z.object({
  id: z.string(),
  name: z.string(),
  key: z.string(),
  expiresAtMs: instantMs.nullable(),
})

export const keyRotated = keyCreated.extend({
  /** Until when the secret before is valid. */
  overlapUntilMs: instantMs,
})

export const keyRevoked = z.object({ id: z.string(), name: z.string() })

export const whoami = z.object({
  kind: z.enum(['key', 'person']),
  id: z.string(),
  name: z.string(),
  organisation: z.object({ id: z.string(), name: z.string() }),
  /** Of a member of the whole organisation. */
  role: memberRole.nullable(),
  scopes: z.array(scopeView),
  expiresAtMs: instantMs.nullable(),
})
