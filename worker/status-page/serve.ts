/**
 * Status pages and badges, for whoever has the link. What is shown is kept for some seconds in this isolate of the
 * Worker: however many look, the object of the cluster is asked once in that time.
 */
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { LIMITS } from '../../schema/limits.ts'
import { clusters, statusPages } from '../../schema/tables/tenants.ts'
import { stubOf } from '../calls.ts'
import { badge } from './badge.ts'
import { notFoundPage, STATUS_STYLE, statusPage } from './page.ts'
import { isPublicId } from './public-id.ts'
import { type PublicStatus, publicStatus, unknownStatus } from './public-status.ts'

export async function serveStatusPage(env: Env, publicId: string): Promise<Response> {
  const status = await statusOf(env, publicId)
  return status
    ? answer(200, 'text/html; charset=utf-8', statusPage(status))
    : answer(404, 'text/html; charset=utf-8', notFoundPage())
}

export async function serveBadge(env: Env, publicId: string): Promise<Response> {
  const status = await statusOf(env, publicId)
  return status
    ? answer(200, 'image/svg+xml; charset=utf-8', badge(status.overall))
    : answer(404, 'text/html; charset=utf-8', notFoundPage())
}

export const serveStatusStyle = (): Response =>
  answer(200, 'text/css; charset=utf-8', STATUS_STYLE, 3_600)

interface Kept {
  readonly atMs: number
  /** Null: there is no such page. */
  readonly status: Promise<PublicStatus | null>
}

const kept = new Map<string, Kept>()

/** What many ask for at the same time is looked up once. */
function statusOf(env: Env, publicId: string): Promise<PublicStatus | null> {
  if (!isPublicId(publicId)) return Promise.resolve(null)
  const nowMs = Date.now()
  const known = kept.get(publicId)
  if (known && Math.abs(nowMs - known.atMs) < LIMITS.statusPageKeptMs) return known.status
  const status = look(env, publicId, nowMs)
  kept.delete(publicId)
  kept.set(publicId, { atMs: nowMs, status })
  // D1 was away: nobody is told for longer than it was.
  status.catch(() => kept.delete(publicId))
  const [oldest] = kept.keys()
  if (kept.size > LIMITS.statusPagesKept && oldest !== undefined) kept.delete(oldest)
  return status
}

async function look(env: Env, publicId: string, nowMs: number): Promise<PublicStatus | null> {
  const found = await drizzle(env.DB)
    .select({ groups: statusPages.groups, objectId: clusters.objectId })
    .from(statusPages)
    .innerJoin(clusters, eq(clusters.id, statusPages.clusterId))
    .where(eq(statusPages.publicId, publicId))
    .get()
  if (!found) return null
  const named = found.groups === null ? null : (JSON.parse(found.groups) as string[])
  try {
    const { groups } = await stubOf(env, found.objectId).read({ what: 'cluster' })
    return publicStatus(groups, named, nowMs)
  } catch {
    return unknownStatus(nowMs)
  }
}

/** Nothing but its own style sheet: no script, no picture, no frame around it, nothing from elsewhere. */
const POLICY =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

function answer(status: number, type: string, body: string, maxAgeS?: number): Response {
  const ageS = maxAgeS ?? Math.round(LIMITS.statusPageKeptMs / 1_000)
  return new Response(body, {
    status,
    headers: {
      'content-type': type,
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      // Whoever has the link may pass it on; a search engine has no business with it.
      'x-robots-tag': 'noindex, nofollow',
      // A badge stands in pages of others.
      'cross-origin-resource-policy': 'cross-origin',
      'cache-control': `public, max-age=${ageS}`,
    },
  })
}
