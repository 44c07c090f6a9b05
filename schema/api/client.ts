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
  const send = options.fetch ?? fetch
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
    const headers: Record<string, string> = { accept: 'application/json' }
    if (options.key) headers['authorization'] = `Bearer ${options.key}`
    const body = 'body' in route ? JSON.stringify(input.body ?? {}) : undefined
    if (body !== undefined) headers['content-type'] = 'application/json'
    const wait = Number((input.query as { waitMs?: number } | undefined)?.waitMs ?? 0)
    const timeout = AbortSignal.timeout((options.timeoutMs ?? 30_000) + wait)
    const signal = input.signal ? AbortSignal.any([input.signal, timeout]) : timeout
    let answer: globalThis.Response
    try {
      answer = await send(url, { method: route.method, headers, signal, ...(body && { body }) })
    } catch (cause) {
      if (input.signal?.aborted) throw cause
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
    return readAnswer(route.response, text, options.url) as never
  }
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
