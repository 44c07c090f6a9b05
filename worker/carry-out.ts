/**
 * Writes of the API: each is carried out once, however often it is sent with the same Idempotency-Key, and
 * told in the audit log, also if it is refused.
 */
import type { Context } from 'hono'
import type { Role } from '../schema/api/access.ts'
import type { AuditWho } from '../schema/api/audit.ts'
import type { Route } from '../schema/api/route.ts'
import { type RouteName, routes } from '../schema/api/routes.ts'
import { HoldfastError, type Refusal } from '../schema/errors.ts'
import { LIMITS } from '../schema/limits.ts'
import { AccountWrites } from './account-writes.ts'
import { identify, permit } from './admission.ts'
import { type Call, stubOf } from './calls.ts'
import { handlers } from './handlers.ts'
import type { Principal } from './principal.ts'
import { quotasOf } from './quotas.ts'
import { addressOf, type Bindings, parseCall } from './requests.ts'
import { sha256 } from './secrets.ts'
import type { Answer, Before, Once, Write } from './write.ts'

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
  const quotas = quotasOf(c.env.QUOTAS, principal.organisation.quotas)
  let write: Write = { ...writeOf(c, name, principal), quotas }
  try {
    permit(c, route.access as Role, identified)
    const first: Write = { ...write, once: await onceOf(c, principal) }
    const before = first.once && (await place.begin(first))
    if (before && 'refused' in before) throw new HoldfastError(before.refused)
    if (before) return replayed(before.answer)
    write = first
    const call = await parseCall(c, name, identified, { write, accounts })
    const answer = await (handlers[name] as (call: Call) => Promise<unknown>)(call)
    return c.json(answer as object, write.status, { 'x-request-id': write.request })
  } catch (error) {
    // Of a fault nobody knows what it has left behind: what was committed is told where it was.
    if (!(error instanceof HoldfastError)) throw error
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

const NAME = /^[\x21-\x7e]{8,128}$/

async function onceOf(c: Context<Bindings>, principal: Principal): Promise<Once | null> {
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
  const asked = `${c.req.method} ${pathname}${search}\n${await c.req.text()}`
  return { keyId: principal.id, name, fingerprint: await sha256(asked) }
}

function replayed({ status, body, request }: Answer): Response {
  return new Response(body, {
    status,
    headers: {
      'content-type': status < 400 ? 'application/json' : 'application/problem+json',
      'idempotency-replayed': 'true',
      'x-request-id': request,
    },
  })
}
