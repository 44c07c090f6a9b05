/** Who asks, for which cluster, and whether they may: before anything else of a request is looked at. */
import type { Context } from 'hono'
import type { Access, Role } from '../schema/api/access.ts'
import { HoldfastError } from '../schema/errors.ts'
import { ApiKeys, type ClusterRow, unknownKey } from './api-keys.ts'
import { notFound } from './calls.ts'
import { type Principal, requireRole, roleIn } from './principal.ts'
import type { Bindings } from './requests.ts'

export interface Admitted {
  /** Null where nobody has to say who they are. */
  readonly principal: Principal | null
  /** What the path names, where it names one. */
  readonly cluster: ClusterRow | null
}

/** Who asks, and what its path names: whether it may is another question. */
interface Identified extends Admitted {
  readonly principal: Principal
  readonly secret: string
  /** When the key or this secret of it ends; null: it is not known to. */
  readonly validUntilMs: number | null
}

/** @throws {HoldfastError} UNAUTHENTICATED, NOT_FOUND, FORBIDDEN */
export async function admit(c: Context<Bindings>, access: Access): Promise<Admitted> {
  if (access === 'anyone' || access === 'joinToken') return { principal: null, cluster: null }
  const identified = await identify(c)
  permit(c, access, identified)
  return identified
}

/**
 * A cluster that the key has no scope for is none here.
 *
 * @throws {HoldfastError} UNAUTHENTICATED
 */
export async function identify(c: Context<Bindings>): Promise<Identified> {
  const keys = new ApiKeys(c.env.DB)
  const secret = presented(c)
  const reference = c.req.param('cluster') ?? null
  const { principal, cluster, noteUse, validUntilMs } = await keys.identify(secret, reference)
  if (noteUse) c.executionCtx.waitUntil(keys.noteUse(principal.id))
  const known = cluster && roleIn(principal, cluster.id) !== null
  return { principal, cluster: known ? cluster : null, secret, validUntilMs }
}

/**
 * A cluster of somebody else, and one that the key is not for, are answered as one that does not exist.
 *
 * @throws {HoldfastError} NOT_FOUND, FORBIDDEN
 */
export function permit(
  c: Context<Bindings>,
  access: Role | 'anyKey',
  { principal, cluster }: Identified,
): void {
  const reference = c.req.param('cluster')
  if (reference !== undefined && !cluster) throw notFound('cluster', reference)
  if (access !== 'anyKey') requireRole(principal, access, cluster)
}

function presented(c: Context<Bindings>): string {
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
