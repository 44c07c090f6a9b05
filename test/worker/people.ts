/** People of the test: what they are mailed, and calls with their sessions, under settings of the test. */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, vi } from 'vitest'
import type { SessionMade } from '../../schema/api/accounts.ts'
import { errorsOf } from '../../schema/api/route-errors.ts'
import { type RouteName, routes } from '../../schema/api/routes.ts'
import { app } from '../../worker/app.ts'
import { problemOf } from './api.ts'

export const PASSWORD = 'correct horse battery'

export interface Asked {
  readonly params?: Record<string, string>
  readonly query?: Record<string, string>
  readonly body?: unknown
  /** A session or key; null: none. */
  readonly token?: string | null
  readonly headers?: Record<string, string>
  /** Settings of the control plane that differ from those of the suite. */
  readonly env?: Partial<Env>
}

/** Through the whole Worker; what it goes on with after its answer has ended as well. */
export async function send(name: RouteName, asked: Asked = {}): Promise<Response> {
  const { params = {}, query = {}, body, token = null, headers = {}, env: settings } = asked
  const { method, path } = routes[name]
  const filled = path.replace(/:([a-z]+)/g, (_, key: string) => params[key] ?? '')
  const search = new URLSearchParams(query).toString()
  const context = createExecutionContext()
  const response = await app.fetch(
    new Request(`https://holdfast.test${filled}${search && `?${search}`}`, {
      method,
      headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    }),
    { ...env, ...settings },
    context,
  )
  await waitOnExecutionContext(context)
  return response
}

export async function done<T = Record<string, unknown>>(name: RouteName, asked: Asked = {}) {
  const response = await send(name, asked)
  const json = await response.json()
  expect(response.status, JSON.stringify(json)).toBe(200)
  return routes[name].response.parse(json) as T
}

export async function refusedTo(name: RouteName, asked: Asked = {}) {
  const found = await problemOf(await send(name, asked))
  // Whatever a test of the suite is refused with, the OpenAPI document has told of.
  expect(errorsOf(name) as string[], `${name}: schema/api/route-errors.ts`).toContain(found.code)
  return found
}

/** What was mailed during `work`. */
export async function mailed(work: () => Promise<unknown>): Promise<string[]> {
  const said = vi.spyOn(console, 'warn').mockImplementation(() => {})
  try {
    await work()
    return said.mock.calls.map(String)
  } finally {
    said.mockRestore()
  }
}

/** The token in the link of a mail. */
export const tokenIn = (text = ''): string => /#[a-z]+=(hf[a-z]_\S+)/.exec(text)?.[1] ?? ''

let made = 0

/** Somebody who has signed up. */
export async function newcomer(name = 'Ana'): Promise<SessionMade & { email: string }> {
  made += 1
  const email = `${name.toLowerCase()}-${made}-${crypto.randomUUID().slice(0, 8)}@example.com`
  const [mail] = await mailed(() => done('signUp', { body: { email } }))
  const body = { token: tokenIn(mail), name, password: PASSWORD }
  return { ...(await done<SessionMade>('register', { body })), email }
}

/** The owner of an organisation of their own. */
export async function founder(name?: string) {
  const person = await newcomer(name)
  const named = `org-${crypto.randomUUID().slice(0, 8)}`
  const { organisation } = await done<{ organisation: { id: string; name: string } }>(
    'createOrganisation',
    { token: person.token, body: { name: named } },
  )
  return { ...person, organisation }
}
