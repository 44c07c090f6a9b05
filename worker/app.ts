import { type Context, Hono } from 'hono'
import { type RouteName, routes } from '../schema/api/routes.ts'
import { streamAccess, streamPath, streamQuery } from '../schema/api/stream.ts'
import { HoldfastError } from '../schema/errors.ts'
import { LIMITS } from '../schema/limits.ts'
import { type Admitted, admit } from './admission.ts'
import { type Call, open } from './calls.ts'
import { handlers } from './handlers.ts'
import { problemResponse, refusalOf } from './problem.ts'
import { Tenants } from './tenants.ts'
import { WATCH_PATH } from './watchers.ts'

type Bindings = { Bindings: Env }

/** The HTTP side: every route of the table, validated by its schema, behind an API key. */
export const app = new Hono<Bindings>()

/** The session path is Worker → object only: D1 being away hurts no session. */
app.get('/v1/sessions/:object', async (c) => {
  let id: DurableObjectId
  try {
    id = c.env.CLUSTER.idFromString(c.req.param('object'))
  } catch {
    return c.text('no such session endpoint', 404)
  }
  return c.env.CLUSTER.get(id).fetch(c.req.raw)
})

for (const name of Object.keys(routes) as RouteName[]) {
  const route = routes[name]
  app.on(route.method, route.path, async (c) => {
    const call = await parseCall(c, name, await admit(c, route.access))
    const answer = await (handlers[name] as (call: Call) => Promise<unknown>)(call)
    if ('produces' in route)
      return c.body(answer as string, 200, { 'content-type': route.produces })
    return c.json(answer as object, 'status' in route ? route.status : 200)
  })
}

/** The event stream: a WebSocket to the object, opened with the API key and read only. */
app.get(streamPath, async (c) => {
  const { cluster } = await admit(c, streamAccess)
  const { after } = parse(streamQuery, c.req.query(), 'query') as { after?: number }
  if (c.req.header('upgrade')?.toLowerCase() !== 'websocket')
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: 'the event stream is a WebSocket, and this request does not ask for one',
      why: 'The header `Upgrade: websocket` did not arrive; some proxies remove it.',
      remedy: 'Open it as a WebSocket, or ask GET …/events with waitMs (long poll).',
    })
  const { row } = open({ env: c.env, cluster })
  const object = c.env.CLUSTER.get(c.env.CLUSTER.idFromString(row.objectId))
  const url = `https://cluster${WATCH_PATH}${after === undefined ? '' : `?after=${after}`}`
  return object.fetch(url, { headers: { upgrade: 'websocket', 'x-request-id': requestId(c) } })
})

app.notFound((c) =>
  problemResponse(
    { code: 'NOT_FOUND', message: `there is nothing at ${c.req.method} ${c.req.path}` },
    requestId(c),
  ),
)

app.onError((error, c) => problemResponse(refusalOf(error), requestId(c)))

async function parseCall(c: Context<Bindings>, name: RouteName, admitted: Admitted): Promise<Call> {
  const route = routes[name]
  const body =
    'body' in route
      ? parse(
          route.body,
          await readBody(c, 'bytesMax' in route ? route.bytesMax : undefined),
          'body',
        )
      : undefined
  const query = 'query' in route ? parse(route.query, c.req.query(), 'query') : undefined
  const tenants = new Tenants(c.env.DB)
  const by = admitted.principal?.name ?? ''
  return { env: c.env, tenants, ...admitted, by, params: c.req.param() as never, body, query }
}

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

function parse(schema: Parser, value: unknown, where: 'body' | 'query'): unknown {
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

function requestId(c: Context<Bindings>): string {
  return c.req.header('x-request-id')?.slice(0, 64) ?? crypto.randomUUID()
}
