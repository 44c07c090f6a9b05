/** Who asks, for which cluster, and whether they may: before anything else of a request is looked at. */
import type { Context } from 'hono'
import type { Access } from '../schema/api/access.ts'
import { HoldfastError } from '../schema/errors.ts'
import { ApiKeys, type ClusterRow, unknownKey } from './api-keys.ts'
import { notFound } from './calls.ts'
import { type Principal, requireRole, roleIn } from './principal.ts'

export interface Admitted {
  /** Null where nobody has to say who they are. */
  readonly principal: Principal | null
  /** What the path names, where it names one. */
  readonly cluster: ClusterRow | null
}

/**
 * A cluster of somebody else, and one that the key is not for, are answered as one that does not exist.
 *
 * @throws {HoldfastError} UNAUTHENTICATED, NOT_FOUND, FORBIDDEN
 */
export async function admit(c: Context<{ Bindings: Env }>, access: Access): Promise<Admitted> {
  if (access === 'anyone' || access === 'joinToken') return { principal: null, cluster: null }
  const keys = new ApiKeys(c.env.DB)
  const reference = c.req.param('cluster') ?? null
  const { principal, cluster, noteUse } = await keys.identify(presented(c), reference)
  if (noteUse) c.executionCtx.waitUntil(keys.noteUse(principal.id))
  if (reference !== null && (!cluster || roleIn(principal, cluster.id) === null))
    throw notFound('cluster', reference)
  if (access !== 'anyKey') requireRole(principal, access, cluster)
  return { principal, cluster }
}

function presented(c: Context): string {
  const said = c.req.header('authorization') ?? ''
  const key = /^Bearer (hfk_[A-Za-z0-9_-]{8,100})$/.exec(said)?.[1]
  if (key) return key
  if (said !== '') throw unknownKey()
  throw new HoldfastError({
    code: 'UNAUTHENTICATED',
    message: 'this needs an API key',
    remedy: 'Send it as `Authorization: Bearer hfk_…`, or set HOLDFAST_API_KEY.',
  })
}
