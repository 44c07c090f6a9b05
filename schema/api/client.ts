/** The one client of the API, made from the route table. Works in Node.js, browsers and workerd. */
import type * as z from 'zod'
import { ERRORS, type ErrorCode, HoldfastError } from '../errors.ts'
import { dryRun } from './audit.ts'
import { problem } from './bodies.ts'
import {
  type Body,
  type Params,
  type Query,
  type Response,
  type RouteName,
  routes,
} from './routes.ts'

export interface ClientOptions {
  /** Base address of the control plane, e.g. `http://127.0.0.1:8787`. */
  readonly url: string
  /** API key (`hfk_…`); none for `join` and `health`. */
  readonly key?: string | undefined
  readonly fetch?: typeof fetch | undefined
  /** A call that takes longer is given up; default 30 s (long polls add their wait). */
  readonly timeoutMs?: number | undefined
}

export interface CallInput<N extends RouteName> {
  params?: Params<N>
  query?: Query<N>
  body?: Body<N>
  signal?: AbortSignal
  /** Of a write about a cluster: only if its hive is still at this update (`seq`); else PRECONDITION_FAILED. */
  ifMatch?: number
}

export type Client = <N extends RouteName>(name: N, input?: CallInput<N>) => Promise<Response<N>>

/**
 * @throws {HoldfastError} the control plane refused (its code), or cannot be reached (UNAVAILABLE)
 */
export function createClient(options: ClientOptions): Client {
  return async (name, input = {}) => {
    const route = routes[name]
    const text = await send(options, name, input)
    if ('produces' in route) return text as never
    return readAnswer(route.response, text, options.url) as never
  }
}

/** What a write would change, as the audit log would tell it. */
export type DryRun = z.output<typeof dryRun>

/**
 * A write that is only tried: the same checks and decision, and nothing is changed (`?dry_run=true`).
 *
 * @throws {HoldfastError} what the write itself would be refused with; BAD_REQUEST where it cannot be tried
 */
export async function dryRunOf<N extends RouteName>(
  options: ClientOptions,
  name: N,
  input: CallInput<N> = {},
): Promise<DryRun> {
  const text = await send(options, name, input, { dry_run: 'true' })
  return readAnswer(dryRun, text, options.url) as DryRun
}

async function send<N extends RouteName>(
  options: ClientOptions,
  name: N,
  input: CallInput<N>,
  more: Record<string, string> = {},
): Promise<string> {
  const route = routes[name]
  const url = new URL(
    route.path.replaceAll(/:([a-z]+)/g, (_, key: string) =>
      encodeURIComponent((input.params as Record<string, string> | undefined)?.[key] ?? ''),
    ),
    options.url,
  )
  for (const [key, value] of Object.entries({ ...(input.query as object | undefined), ...more }))
    if (value !== undefined) url.searchParams.set(key, String(value))
  const body = 'body' in route ? JSON.stringify(input.body ?? {}) : undefined
  const waitMs = Number((input.query as { waitMs?: number } | undefined)?.waitMs ?? 0)
  const { method } = route
  const { signal, ifMatch } = input
  return ask(options, url, { method, body, signal, waitMs, ifMatch })
}

export interface RawCall {
  readonly method: string
  /** Path with query, from the root. */
  readonly path: string
  readonly body?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** As that of `CallInput`. */
  readonly ifMatch?: number | undefined
}

/** Any call, its answer as text. @throws {HoldfastError} as the client does */
export async function callRaw(options: ClientOptions, call: RawCall): Promise<string> {
  return ask(options, new URL(call.path, options.url), call)
}

interface Ask extends Omit<RawCall, 'path'> {
  readonly waitMs?: number
}

/** A write whose connection was lost is sent again so often, with these pauses. */
const AGAIN_MS = [200, 500, 1_000, 2_000]

/** Who asks too often is told how long to wait; a longer time is for the caller to decide on. */
const LIMITED_MAX_S = 10

/** Refused because of a rate limit, nothing was done: when to ask again. */
function waitsMs(error: unknown): number | null {
  if (!(error instanceof HoldfastError) || error.refusal.code !== 'RATE_LIMITED') return null
  const { retryAfterS } = error.refusal
  return retryAfterS !== undefined && retryAfterS <= LIMITED_MAX_S ? retryAfterS * 1_000 : null
}

/** What changes something with an API key has an Idempotency-Key: sent again it is not done again. */
async function ask(options: ClientOptions, url: URL, call: Ask): Promise<string> {
  const once = call.method === 'GET' || !options.key ? null : crypto.randomUUID()
  for (let sent = 0; ; sent++) {
    try {
      return await askOnce(options, url, call, once)
    } catch (error) {
      const pause = AGAIN_MS[sent]
      if (pause === undefined) throw error
      const limitedMs = waitsMs(error)
      if (limitedMs === null && (once === null || !isWorthAgain(error, sent))) throw error
      await new Promise((done) => setTimeout(done, limitedMs ?? pause))
      if (call.signal?.aborted) throw error
    }
  }
}

/** Nobody there at the first try: nothing was sent. Lost on the way, it may have been carried out. */
function isWorthAgain(error: unknown, sent: number): boolean {
  if (error instanceof Lost) return sent > 0 || !error.unreached
  const code = error instanceof HoldfastError ? error.refusal.code : null
  return sent > 0 && code === 'IDEMPOTENCY_KEY_IN_USE'
}

/** No answer came. */
class Lost extends HoldfastError {
  /** It never got there, or waiting for it has taken all the time there was: to try again is no use. */
  readonly unreached: boolean

  constructor(url: string, cause: unknown) {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    super(
      {
        code: 'UNAVAILABLE',
        message: `the control plane at ${url} does not answer`,
        why: String(error.cause ?? error.message),
        remedy: 'Check the address and that it runs (npm start), then try again.',
      },
      { cause },
    )
    const { code } = (error.cause ?? {}) as { code?: unknown }
    const nobody = code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN'
    this.unreached = nobody || error.name === 'TimeoutError'
  }
}

async function askOnce(
  options: ClientOptions,
  url: URL,
  call: Ask,
  once: string | null,
): Promise<string> {
  const { method, body, waitMs = 0, ifMatch } = call
  const headers: Record<string, string> = { accept: 'application/json' }
  if (options.key) headers['authorization'] = `Bearer ${options.key}`
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (once !== null) headers['idempotency-key'] = once
  if (ifMatch !== undefined) headers['if-match'] = `"${ifMatch}"`
  const timeout = AbortSignal.timeout((options.timeoutMs ?? 30_000) + waitMs)
  const signal = call.signal ? AbortSignal.any([call.signal, timeout]) : timeout
  const send = options.fetch ?? fetch
  let answer: globalThis.Response
  let text: string
  try {
    answer = await send(url, { method, headers, signal, ...(body !== undefined && { body }) })
    text = await answer.text()
  } catch (cause) {
    if (call.signal?.aborted) throw cause
    throw new Lost(options.url, cause)
  }
  if (!answer.ok) throw refusalOf(answer, text)
  return text
}

function readAnswer(
  schema: { safeParse(value: unknown): z.ZodSafeParseResult<unknown> },
  text: string,
  url: string,
) {
  const parsed = schema.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  throw new HoldfastError({
    code: 'INTERNAL',
    message: `the control plane at ${url} gave an answer that this client does not understand`,
    why: parsed.error.issues[0]?.message ?? '',
    remedy: 'Use a client of the same version as the control plane.',
  })
}

function refusalOf({ status, headers }: globalThis.Response, text: string): HoldfastError {
  const parsed = problem.safeParse(parseJson(text))
  if (!parsed.success)
    return new HoldfastError({
      code: 'UNAVAILABLE',
      message: `the control plane answered ${status}`,
      why: text.slice(0, 200),
    })
  const p = parsed.data
  const retryAfterS = Number(headers.get('retry-after'))
  return new HoldfastError({
    code: (p.code in ERRORS ? p.code : 'INTERNAL') as ErrorCode,
    message: p.detail,
    ...(p.why && { why: p.why }),
    ...(p.remedy && { remedy: p.remedy }),
    ...(p.errors && { errors: p.errors }),
    ...(Number.isInteger(retryAfterS) && retryAfterS > 0 && { retryAfterS }),
    request: p.request,
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
