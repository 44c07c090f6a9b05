/** Letting commands in (RFC 8628): what a command asks for, and what its person says to it. */
import { lte } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { type Context, Hono } from 'hono'
import * as z from 'zod'
import type * as a from '../../schema/api/accounts.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import { deviceCodes } from '../../schema/tables/accounts.ts'
import type { Call } from '../calls.ts'
import { addressOf, agentOf, type Bindings } from '../requests.ts'
import { presentedSession } from '../secrets.ts'
import { countToken, countTry } from './attempts.ts'
import { authOf } from './auth.ts'
import { accountPage } from './page.ts'
import { tellOfPerson } from './personal-audit.ts'
import { askingPerson } from './sessions.ts'
import { publicUrl } from './setting.ts'

const client = z.string().min(1).max(64)
const codeRequest = z.strictObject({ client_id: client })
const tokenRequest = z.strictObject({
  grant_type: z.literal('urn:ietf:params:oauth:grant-type:device_code'),
  device_code: z.string().regex(/^[A-Za-z0-9]{40}$/),
  client_id: client,
})

type Asked = Context<Bindings>

/** In the words of OAuth 2.0, as clients of it expect: forms or JSON in, `error` out. */
export const deviceRoutes = new Hono<Bindings>()
  .get('/account', () => accountPage())
  .post('/v1/auth/device/code', (c) =>
    answered(c, codeRequest, async (auth, { client_id }) => {
      await drizzle(c.env.DB).delete(deviceCodes).where(lte(deviceCodes.expiresAt, new Date()))
      const made = await auth.api.deviceCode({ body: { client_id } })
      // Behind `#`: the code is sent nowhere but to who types it.
      const uri = `${publicUrl(c.env, c.req.url)}/account#device=${made.user_code}`
      return { ...made, verification_uri: uri, verification_uri_complete: uri }
    }),
  )
  .post('/v1/auth/device/token', (c) =>
    answered(c, tokenRequest, async (auth, body) => {
      const { access_token, ...made } = await auth.api.deviceToken({ body })
      return { ...made, access_token: presentedSession(access_token) }
    }),
  )

const NO_STORE = { 'cache-control': 'no-store', pragma: 'no-cache' }
/** Of RFC 6749 and 8628: what else may go wrong is ours, and said as everywhere. */
const CODES =
  /^(?:invalid_(?:request|client|grant)|authorization_pending|slow_down|expired_token|access_denied)$/

async function answered<T>(
  c: Asked,
  schema: z.ZodType<T>,
  work: (auth: Awaited<ReturnType<typeof authOf>>, body: T) => Promise<object>,
): Promise<Response> {
  const parsed = schema.safeParse(await readForm(c))
  const refused = (error: string) => c.json({ error }, 400, NO_STORE)
  if (!parsed.success) return refused('invalid_request')
  const asker = { address: addressOf(c), agent: agentOf(c) }
  const later = (work: Promise<unknown>) => c.executionCtx.waitUntil(work)
  const auth = await authOf({ env: c.env, url: c.req.url, asker, later, presented: null })
  await countToken(c.env.DB, asker.address)
  try {
    return c.json(await work(auth, parsed.data), 200, NO_STORE)
  } catch (error) {
    const code = auth.codeOf(error)
    if (code === null || !CODES.test(code)) throw error
    return refused(code)
  }
}

async function readForm(c: Asked): Promise<unknown> {
  const text = new TextDecoder().decode(await c.req.arrayBuffer())
  if (text.length > LIMITS.bodyBytesMax) return null
  if (!c.req.header('content-type')?.includes('json')) {
    const all = [...new URLSearchParams(text)]
    // Twice the same is not said once.
    return new Set(all.map(([name]) => name)).size === all.length ? Object.fromEntries(all) : null
  }
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

export const deviceHandlers = {
  decideDevice: async (call: Call<z.output<typeof a.decideDevice>>) => {
    const { env, asker, body } = call
    const person = askingPerson(call)
    const { email } = person
    const { api, headers, codeOf } = await authOf(call)
    await countTry(env.DB, asker.address, `device of ${email}`)
    const { code: userCode, approve } = body
    try {
      // Whoever looks at it first is the one who may let it in.
      await api.deviceVerify({ query: { user_code: userCode }, headers })
      await tellOfPerson(call, person, approve ? 'letCommandIn' : 'refuseCommand')
      const decided = { body: { userCode }, headers }
      await (approve ? api.deviceApprove(decided) : api.deviceDeny(decided))
    } catch (error) {
      if (codeOf(error) === null) throw error
      throw new HoldfastError(
        {
          code: 'TOKEN_INVALID',
          message: 'no command waits with this code',
          why: 'It is unknown, has expired, or somebody has decided already.',
          remedy: 'Start again: holdfast login',
        },
        { cause: error },
      )
    }
    return { approved: approve }
  },
}
