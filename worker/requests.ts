/** A request of the API as its handler takes it: parsed by the schemas of its route. */
import type { Context } from 'hono'
import { nothing } from '../schema/api/bodies.ts'
import type { Route } from '../schema/api/route.ts'
import { type RouteName, routes } from '../schema/api/routes.ts'
import { HoldfastError } from '../schema/errors.ts'
import { LIMITS } from '../schema/limits.ts'
import type { Admitted } from './admission.ts'
import type { Call } from './calls.ts'
import type { Left } from './rates.ts'
import { Tenants } from './tenants.ts'

export type Bindings = { Bindings: Env; Variables: { request: string; left: Left | null } }

/** @throws {HoldfastError} BAD_REQUEST, TOO_LARGE */
export async function parseCall(
  c: Context<Bindings>,
  name: RouteName,
  admitted: Admitted,
  { write, accounts }: Pick<Call, 'write' | 'accounts'>,
): Promise<Call> {
  const route = routes[name]
  const body =
    'body' in route
      ? parse(
          route.body,
          await readBody(c, 'bytesMax' in route ? route.bytesMax : undefined),
          'body',
        )
      : undefined
  const query = queryOf(c, route)
  const tenants = new Tenants(c.env.DB)
  const by = admitted.principal?.name ?? ''
  const params = c.req.param() as never
  const { principal, person, cluster, secret: presented } = admitted
  const asker = { address: write.from, agent: agentOf(c) }
  const later = (work: Promise<unknown>) => c.executionCtx.waitUntil(work)
  return {
    ...{ env: c.env, tenants, principal, person, presented, asker, later, url: c.req.url },
    ...{ cluster, by, write, accounts, params, body, query },
    dry: { seq: null, changes: [] },
  }
}

/** What changes something is refused if it says anything that is not known; `dry_run` has been looked at. */
function queryOf(c: Context<Bindings>, { method, access, query }: Route): unknown {
  const { dry_run: dry, ...said } = c.req.query()
  const isWrite = method !== 'GET' && (access === 'operate' || access === 'admin')
  const all = isWrite || dry === undefined ? said : { ...said, dry_run: dry }
  if (query) return parse(query, all, 'query')
  if (method !== 'GET') parse(nothing, all, 'query')
  return undefined
}

/** What a caller calls its program: nothing that could hide in a list. */
export const agentOf = (c: Context<Bindings>): string | null =>
  c.req
    .header('user-agent')
    ?.replace(/[^\x20-\x7e]+/g, ' ')
    .slice(0, 120) ?? null

async function readBody(
  c: Context<Bindings>,
  bytesMax: number = LIMITS.bodyBytesMax,
): Promise<unknown> {
  const text = await c.req.text()
  if (text.length > bytesMax)
    throw new HoldfastError({
      code: 'TOO_LARGE',
      message: `the body has ${text.length} bytes; the limit is ${bytesMax}`,
    })
  if (text === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: 'the body is not JSON',
      remedy: 'Send one JSON object with content-type application/json.',
    })
  }
}

interface Parser {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: unknown }
    | { success: false; error: { issues: { path: PropertyKey[]; message: string }[] } }
}

export function parse(schema: Parser, value: unknown, where: 'body' | 'query'): unknown {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.slice(0, 20).map((i) => ({
    pointer: `/${i.path.map(String).join('/')}`,
    message: i.message,
  }))
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: `the ${where} does not fit: ${errors[0]?.pointer} ${errors[0]?.message}`,
    remedy: 'Correct the places that are named in `errors`.',
    errors,
  })
}

/** Said by who asks, where it can stand in any log; else made here. */
export function requestId(c: Context<Bindings>): string {
  const said = c.req.header('x-request-id') ?? ''
  return /^[A-Za-z0-9._:-]{1,64}$/.test(said) ? said : crypto.randomUUID()
}

/** The caller's address, as the platform's edge says it: elsewhere anybody could write anything there. */
export const addressOf = (c: Context<Bindings>): string | null => {
  const { ADDRESS_HEADER: header } = c.env
  return (header && c.req.header(header)?.slice(0, 64)) || null
}
