import { Hono } from 'hono'
import type * as z from 'zod'
import { writes } from '../schema/api/route-errors.ts'
import { type RouteName, routes } from '../schema/api/routes.ts'
import { operationStreamPath, streamPath } from '../schema/api/stream.ts'
import { deviceRoutes } from './accounts/device.ts'
import { admit, guessing, underRates } from './admission.ts'
import type { Call } from './calls.ts'
import { carryOut } from './carry-out.ts'
import { servePage, serveStyle } from './docs/serve.ts'
import { eventStream, operationStream, socketStream } from './event-streams.ts'
import { handlers } from './handlers.ts'
import { personalWrite } from './personal-writes.ts'
import { problemResponse, refusalOf } from './problem.ts'
import { type Bindings, parseCall, requestId } from './requests.ts'
import { wantsEvents } from './sse.ts'
import { serveBadge, serveStatusPage, serveStatusStyle } from './status-page/serve.ts'

/** The HTTP side: every route of the table, validated by its schema, behind an API key. */
export const app = new Hono<Bindings>()

/** One id for a request: in its answer, and in whatever is written because of it. */
app.use(async (c, next) => {
  c.set('request', requestId(c))
  await next()
})

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

/** Behind the session path: hosts that reconnect are not held back. */
app.use(underRates)

/** The same path as a page of events; what it is answered with, the header says. */
app.get(routes.listEvents.path, (c, next) =>
  wantsEvents(c.req.header('accept')) ? eventStream(c) : next(),
)

app.route('/', deviceRoutes)

for (const name of Object.keys(routes) as RouteName[]) {
  const route = routes[name]
  app.on(route.method, route.path, async (c) => {
    if (writes(name)) return carryOut(c, name)
    const admitted = await admit(c, route.access)
    const { write, replayed, keep } = await personalWrite(c, name, admitted)
    if (replayed) return replayed
    const call = await parseCall(c, name, admitted, { write, accounts: null })
    const handler = handlers[name] as (call: Call) => Promise<unknown>
    const answer = await guessing(c, () => handler(call))
    await keep(answer)
    const headers = { 'x-request-id': write.request }
    if ('produces' in route)
      return c.body(answer as string | ReadableStream, 200, {
        ...headers,
        'content-type': route.produces,
      })
    const etag = 'versioned' in route ? { etag: `"${(answer as { seq: number }).seq}"` } : {}
    // For who looks at the status alone.
    const isIll = name === 'health' && !(answer as z.output<typeof routes.health.response>).ok
    return c.json(answer as object, isIll ? 503 : 200, { ...headers, ...etag })
  })
}

app.get('/status/style.css', serveStatusStyle)
app.get('/status/:page', (c) => serveStatusPage(c.env, c.req.param('page')))
app.get('/status/:page/badge.svg', (c) => serveBadge(c.env, c.req.param('page')))

app.get('/docs', servePage)
app.get('/docs/style.css', serveStyle)

app.get(streamPath, socketStream)
app.get(operationStreamPath, operationStream)

app.notFound((c) =>
  problemResponse(
    { code: 'NOT_FOUND', message: `there is nothing at ${c.req.method} ${c.req.path}` },
    c.get('request'),
  ),
)

app.onError((error, c) => problemResponse(refusalOf(error), c.get('request')))
