/** The one client of the API, made from the route table. Works in Node.js, browsers and workerd. */
import type * as z from 'zod'
import { ERRORS, type ErrorCode, HoldfastError } from '../errors.ts'
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
}

export type Client = <N extends RouteName>(name: N, input?: CallInput<N>) => Promise<Response<N>>

/**
 * @throws {HoldfastError} the control plane refused (its code), or cannot be reached (UNAVAILABLE)
 */
export function createClient(options: ClientOptions): Client {
  return async (name, input = {}) => {
    const route = routes[name]
    const url = new URL(
      route.path.replaceAll(/:([a-z]+)/g, (_, key: string) =>
        encodeURIComponent((input.params as Record<string, string> | undefined)?.[key] ?? ''),
      ),
      options.url,
    )
    for (const [key, value] of Object.entries(input.query ?? {}))
      if (value !== undefined) url.searchParams.set(key, String(value))
    const body = 'body' in route ? JSON.stringify(input.body ?? {}) : undefined
    const waitMs = Number((input.query as { waitMs?: number } | undefined)?.waitMs ?? 0)
    const { method } = route
    const text = await ask(options, url, { method, body, signal: input.signal, waitMs })
    if ('produces' in route) return text as never
    return readAnswer(route.response, text, options.url) as never
  }
}

export interface RawCall {
  readonly method: string
  /** Path with query, from the root. */
  readonly path: string
  readonly body?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Any call, its answer as text. @throws {HoldfastError} as the client does */
export async function callRaw(options: ClientOptions, call: RawCall): Promise<string> {
  return ask(options, new URL(call.path, options.url), call)
}

interface Ask extends Omit<RawCall, 'path'> {
  readonly waitMs?: number
}

async function ask(options: ClientOptions, url: URL, call: Ask): Promise<string> {
  const { method, body, waitMs = 0 } = call
  const headers: Record<string, string> = { accept: 'application/json' }
  if (options.key) headers['authorization'] = `Bearer ${options.key}`
  if (body !== undefined) headers['content-type'] = 'application/json'
  const timeout = AbortSignal.timeout((options.timeoutMs ?? 30_000) + waitMs)
  const signal = call.signal ? AbortSignal.any([call.signal, timeout]) : timeout
  let answer: globalThis.Response
  try {
    const send = options.fetch ?? fetch
    answer = await send(url, { method, headers, signal, ...(body !== undefined && { body }) })
  } catch (cause) {
    if (call.signal?.aborted) throw cause
    throw new HoldfastError(
      {
        code: 'UNAVAILABLE',
        message: `the control plane at ${options.url} does not answer`,
        why: cause instanceof Error ? String(cause.cause ?? cause.message) : String(cause),
        remedy: 'Check the address and that it runs (npm start), then try again.',
      },
      { cause },
    )
  }
  const text = await answer.text()
  if (!answer.ok) throw refusalOf(answer.status, text)
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

function refusalOf(status: number, text: string): HoldfastError {
  const parsed = problem.safeParse(parseJson(text))
  if (!parsed.success)
    return new HoldfastError({
      code: 'UNAVAILABLE',
      message: `the control plane answered ${status}`,
      why: text.slice(0, 200),
    })
  const p = parsed.data
  return new HoldfastError({
    code: (p.code in ERRORS ? p.code : 'INTERNAL') as ErrorCode,
    message: p.detail,
    ...(p.why && { why: p.why }),
    ...(p.remedy && { remedy: p.remedy }),
    ...(p.errors && { errors: p.errors }),
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
