/**
 * Writes of the API: each is carried out once, however often it is sent with the same Idempotency-Key, and
 * told in the audit log, also if it is refused.
 */
import type { Context } from 'hono'
import type { Role } from '../schema/api/access.ts'
import type { AuditWho } from '../schema/api/audit.ts'
import type { Route } from '../schema/api/route.ts'
import { writesHive } from '../schema/api/route-errors.ts'
import { type RouteName, routes } from '../schema/api/routes.ts'
import { HoldfastError, type Refusal } from '../schema/errors.ts'
import { LIMITS } from '../schema/limits.ts'
import { AccountWrites } from './account-writes.ts'
import { identify, permit } from './admission.ts'
import { type Call, stubOf } from './calls.ts'
import { sweepSometimes } from './doomed-objects.ts'
import { handlers } from './handlers.ts'
import { quotasFor } from './quotas.ts'
import { addressOf, type Bindings, parseCall } from './requests.ts'
import { sha256 } from './secrets.ts'
import type { Answer, Before, Dry, Once, Write } from './write.ts'

/** Where a write is committed: there is also kept what it was answered, and who has asked for it. */
interface Place {
  begin(write: Write): Promise<Before>
  refused(write: Write, refusal: Refusal): Promise<void>
}

/** @throws {HoldfastError} once the audit log has it */
export async function carryOut(c: Context<Bindings>, name: RouteName): Promise<Response> {
  const route: Route = routes[name]
  const identified = await identify(c)
  const { principal, cluster, secret } = identified
  const accounts = new AccountWrites(c.env.DB, principal.organisation.id, secret)
  const place: Place = cluster && !route.ofAccounts ? stubOf(c.env, cluster.objectId) : accounts
  const quotas = quotasFor(c.env, principal.organisation.quotas)
  let write: Write = { ...writeOf(c, name, principal), quotas }
  try {
    // What has ended the cluster that its path names is answered once more as it was.
    const mayBeOver = cluster === null && route.ofAccounts
    if (!mayBeOver) permit(c, route.access as Role, identified)
    const said = conditions(c, name)
    const first: Write = {
      ...write,
      ...said,
      once: said.dryRun ? null : await onceOf(c, principal.id),
    }
    if (first.dryRun) write = first
    const before = first.once && (await place.begin(first))
    if (before && 'refused' in before) throw new HoldfastError(before.refused)
    if (before) return replayed(before.answer)
    if (mayBeOver) permit(c, route.access as Role, identified)
    write = first
    const call = await parseCall(c, name, identified, { write, accounts })
    c.executionCtx.waitUntil(sweepSometimes(c.env).catch(() => {}))
    const answer = await (handlers[name] as (call: Call) => Promise<unknown>)(call)
    const headers = { 'x-request-id': write.request }
    if (write.dryRun) return c.json(triedOf(call.dry, accounts), 200, headers)
    const { seq } = answer as { seq?: number | null }
    const etag = typeof seq === 'number' && writesHive(name) ? { etag: `"${seq}"` } : {}
    return c.json(answer as object, write.status, { ...headers, ...etag })
  } catch (error) {
    // Of a fault nobody knows what it has left behind: what was committed is told where it was.
    // What was only tried was not refused to anybody.
    if (!(error instanceof HoldfastError) || write.dryRun) throw error
    const told = place.refused(write, error.refusal)
    c.executionCtx.waitUntil(told.catch(() => {}))
    await told
    throw error
  }
}

export function writeOf(c: Context<Bindings>, route: RouteName, who: AuditWho): Write {
  const { kind, id, name } = who
  // The last thing that the path names is what it is about.
  const thing = /:([a-z]+)[^:]*$/.exec(routes[route].path)?.[1]
  const called = thing && c.req.param(thing)
  const about =
    thing && called ? { kind: thing, id: null, name: called.slice(0, LIMITS.nameLengthMax) } : null
  return {
    ...{ who: { kind, id, name }, from: addressOf(c), request: c.get('request') },
    ...{ route, about, status: 'status' in routes[route] ? 202 : 200, once: null },
  }
}

const triedOf = ({ seq, changes }: Dry, { tried }: AccountWrites) => ({
  ...{ dryRun: true, seq, changes: [...changes, ...tried] },
})

/** On which version of the hive it may be done, and whether it is to be done at all. */
function conditions(c: Context<Bindings>, name: RouteName): Pick<Write, 'ifMatch' | 'dryRun'> {
  const match = c.req.header('if-match')
  const version = /^"(\d{1,15})"$/.exec(match ?? '')?.[1]
  if (match !== undefined && !writesHive(name))
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: 'this write takes no If-Match',
      why: 'It is not about the hive of a cluster, which is what has versions.',
      remedy: 'Send it without the header.',
    })
  if (match !== undefined && match !== '*' && version === undefined)
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: 'the If-Match cannot be used',
      why: 'It is the ETag of an answer of this cluster: a number in quotes.',
      remedy: 'Send it as it came: If-Match: "42"',
    })
  const dry = c.req.query('dry_run')
  const { noDryRun }: Route = routes[name]
  if (dry !== undefined && dry !== 'true' && dry !== 'false')
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: 'dry_run is true or false',
      remedy: 'Send ?dry_run=true to have nothing changed, and leave it out to have it done.',
    })
  if (dry === 'true' && noDryRun !== undefined)
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: 'this write cannot be tried without being done',
      why: `${noDryRun} Nothing was done.`,
      remedy: 'Send it without dry_run to have it done.',
    })
  return {
    ...(version !== undefined && { ifMatch: Number(version) }),
    ...(dry === 'true' && { dryRun: true as const }),
  }
}

const NAME = /^[\x21-\x7e]{8,128}$/

export async function onceOf(c: Context<Bindings>, keyId: string): Promise<Once | null> {
  const name = c.req.header('idempotency-key')
  if (name === undefined) return null
  if (!NAME.test(name))
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: 'the Idempotency-Key cannot be used',
      why: 'It has 8 to 128 printable ASCII characters, without spaces.',
      remedy: 'Send a new UUID with each write, and the same one to repeat the same write.',
    })
  const { pathname, search } = new URL(c.req.url)
  const match = c.req.header('if-match')
  const asked = `${c.req.method} ${pathname}${search}\n${match ? `${match}\n` : ''}${await c.req.text()}`
  return { keyId, name, fingerprint: await sha256(asked) }
}

export function replayed({ status, body, request }: Answer): Response {
  return new Response(body, {
    status,
    headers: {
      'content-type': status < 400 ? 'application/json' : 'application/problem+json',
      'idempotency-replayed': 'true',
      'x-request-id': request,
    },
  })
}
