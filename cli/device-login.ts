/** Device login (RFC 8628): a code is shown, somebody lets it in with a browser, and a session comes of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { HoldfastError } from '../schema/errors.ts'

const CLIENT = 'holdfast-cli'
const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const TIMEOUT_MS = 30_000

const codeAnswer = z.object({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: z.url(),
  expires_in: z.number(),
  interval: z.number(),
})
const tokenAnswer = z.object({ access_token: z.string(), expires_in: z.number() })
const refusal = z.object({ error: z.string() })
const problem = z.object({ code: z.string(), detail: z.string(), remedy: z.string().optional() })

export interface DeviceLogin {
  readonly url: string
  readonly signal: AbortSignal
  /** Shows somebody the code, and where it is to be typed. */
  show(code: string, page: string, minutes: number): void
}

/** @throws {HoldfastError} refused, or nobody has come */
export async function deviceLogin({ url, signal, show }: DeviceLogin) {
  const asked = await post(url, 'code', { client_id: CLIENT }, signal)
  const made = codeAnswer.parse(asked.body)
  show(made.user_code, made.verification_uri, Math.round(made.expires_in / 60))
  const grant = { grant_type: GRANT, device_code: made.device_code, client_id: CLIENT }
  for (let pauseMs = made.interval * 1_000; ; ) {
    await sleep(pauseMs, undefined, { signal })
    const { ok, body } = await post(url, 'token', grant, signal)
    if (ok) return tokenAnswer.parse(body)
    const { error } = refusal.parse(body)
    if (error === 'slow_down') pauseMs += 5_000
    else if (error !== 'authorization_pending') throw notLetIn(error)
  }
}

async function post(url: string, what: string, form: Record<string, string>, signal: AbortSignal) {
  const { ok, body } = await fetched(url, what, form, signal)
  const said = problem.safeParse(body)
  if (ok || !said.success) return { ok, body }
  const { code, detail: message, remedy } = said.data
  const known = code === 'RATE_LIMITED' ? code : 'UNAVAILABLE'
  throw new HoldfastError({ code: known, message, ...(remedy && { remedy }) })
}

async function fetched(
  url: string,
  what: string,
  form: Record<string, string>,
  signal: AbortSignal,
) {
  try {
    const response = await fetch(new URL(`/v1/auth/device/${what}`, url), {
      method: 'POST',
      body: new URLSearchParams(form),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    return { ok: response.ok, body: (await response.json()) as unknown }
  } catch (cause) {
    if (signal.aborted) throw cause
    throw new HoldfastError(
      {
        code: 'UNAVAILABLE',
        message: `the control plane at ${url} does not answer`,
        why: String((cause as Error).cause ?? cause),
        remedy: 'Check the address, then try again: holdfast login --url ADDRESS',
      },
      { cause },
    )
  }
}

function notLetIn(error: string): HoldfastError {
  const was = error === 'access_denied' ? 'refused' : 'not decided in time'
  return new HoldfastError({
    code: 'UNAUTHENTICATED',
    message: `the login was ${was}`,
    why: `The control plane says ${error}.`,
    remedy: 'Run it again, and let it in on the page that it names: holdfast login',
  })
}
