/** An operator of the test: an API key in D1, and calls whose answers fit the route table. */
import { env, exports } from 'cloudflare:workers'
import { expect } from 'vitest'
import type { MemberRole, Role } from '../../schema/api/access.ts'
import { type ClusterView, type Problem, problem } from '../../schema/api/bodies.ts'
import { errorsOf } from '../../schema/api/route-errors.ts'
import { type RouteName, routes } from '../../schema/api/routes.ts'
import type { ProfileName } from '../../schema/timing.ts'
import { PREFIX_LENGTH, sha256, tokenOfSession } from '../../worker/secrets.ts'

export const KEY = 'hfk_test-key-of-the-suite'

/** The organisation of the suite, and its key that may do everything. */
export async function insertKey(): Promise<void> {
  await addOrganisation('suite')
  await addKey({ key: KEY, name: 'suite' })
}

export async function addOrganisation(name: string): Promise<void> {
  await env.DB.prepare(
    'insert or ignore into organisations (id, name, created_at_ms) values (?, ?, 0)',
  )
    .bind(`organisation-${name}`, name)
    .run()
}

interface KeyParts {
  key: string
  name: string
  organisation?: string
  scopes?: { role: Role; cluster: string | null }[]
  expiresAtMs?: number | null
}

export async function addKey(parts: KeyParts): Promise<void> {
  const { key, name, organisation = 'suite', expiresAtMs = null } = parts
  const scopes = parts.scopes ?? [{ role: 'admin', cluster: null }]
  const id = `key-${organisation}-${name}`
  await env.DB.batch([
    env.DB.prepare(
      "insert or ignore into api_keys (id, organisation_id, name, scopes, created_at_ms, created_by, expires_at_ms) values (?, ?, ?, ?, 0, 'suite', ?)",
    ).bind(id, `organisation-${organisation}`, name, JSON.stringify(scopes), expiresAtMs),
    env.DB.prepare(
      'insert or ignore into api_key_secrets (prefix, key_id, hash, created_at_ms) values (?, ?, ?, 0)',
    ).bind(key.slice(0, PREFIX_LENGTH), id, await sha256(key)),
  ])
}

interface SessionParts {
  token: string
  email: string
  /** Null: they belong to none. */
  organisation?: string | null
  role?: MemberRole | null
  grants?: { role: MemberRole; cluster: string }[]
  expiresAtMs?: number
}

/** A person with a session, made if they are not there, and so whatever has become of it. */
export async function addSession(parts: SessionParts): Promise<void> {
  const { token, email, organisation = 'suite', role = null, grants = [] } = parts
  const expiresAtMs = parts.expiresAtMs ?? Date.now() + 3_600_000
  const id = `person-${email}`
  await env.DB.batch([
    env.DB.prepare(
      "insert or ignore into persons (id, name, email, email_verified, created_at_ms, updated_at_ms) values (?, 'Somebody', ?, 1, 0, 0)",
    ).bind(id, email),
    env.DB.prepare(
      'insert or replace into sessions (id, person_id, token_hash, expires_at_ms, created_at_ms, updated_at_ms) values (?, ?, ?, ?, ?, 0)',
    ).bind(`session-${email}`, id, await sha256(tokenOfSession(token)), expiresAtMs, Date.now()),
  ])
  if (organisation === null) return
  await env.DB.prepare(
    "insert or ignore into members (organisation_id, person_id, role, grants, joined_at_ms, invited_by) values (?, ?, ?, ?, 0, 'suite')",
  )
    .bind(`organisation-${organisation}`, id, role, JSON.stringify(grants))
    .run()
}

export async function revokeKey(name: string): Promise<void> {
  await env.DB.prepare('update api_keys set revoked_at_ms = 1 where name = ?').bind(name).run()
}

let current = KEY

/** What is asked in `work` is asked with this key. */
export async function as<T>(key: string, work: () => Promise<T>): Promise<T> {
  current = key
  try {
    return await work()
  } finally {
    current = KEY
  }
}

export async function fetchApi(path: string, init: RequestInit = {}): Promise<Response> {
  return exports.default.fetch(`https://holdfast.test${path}`, {
    ...init,
    headers: { authorization: `Bearer ${current}`, ...init.headers },
  })
}

interface Parts {
  params?: Record<string, string>
  query?: Record<string, string>
  body?: unknown
}

async function call(name: RouteName, { params = {}, query = {}, body }: Parts): Promise<Response> {
  const route = routes[name]
  const path = route.path.replace(/:([a-z]+)/g, (_, key: string) => params[key] ?? '')
  const search = new URLSearchParams(query).toString()
  return fetchApi(search ? `${path}?${search}` : path, {
    method: route.method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

/** The answer of a call that is carried out, checked against the route table. */
export async function ok<T = Record<string, unknown>>(name: RouteName, parts: Parts = {}) {
  const response = await call(name, parts)
  const json = await response.json()
  const route = routes[name]
  const expected = 'status' in route ? route.status : 200
  expect(response.status, JSON.stringify(json)).toBe(expected)
  return routes[name].response.parse(json) as T
}

/** The problem of a call that is refused, with its status. */
export async function refused(name: RouteName, parts: Parts = {}): Promise<Problem> {
  const found = await problemOf(await call(name, parts))
  // Whatever a test of the suite is refused with, the OpenAPI document has told of.
  expect(errorsOf(name) as string[], `${name}: schema/api/route-errors.ts`).toContain(found.code)
  return found
}

export async function problemOf(response: Response): Promise<Problem> {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const found = problem.parse(await response.json())
  expect(found.status).toBe(response.status)
  expect(response.headers.get('x-request-id')).toBe(found.request)
  return found
}

let made = 0

export class TestCluster {
  readonly name: string
  readonly params: { cluster: string }
  id = ''

  private constructor(name: string) {
    this.name = name
    this.params = { cluster: name }
  }

  static async form(profile: ProfileName): Promise<TestCluster> {
    await insertKey()
    made += 1
    const cluster = new TestCluster(`c${made}-${crypto.randomUUID().slice(0, 8)}`)
    const { id } = await ok<{ id: string }>('createCluster', {
      body: { name: cluster.name, profile },
    })
    cluster.id = id
    return cluster
  }

  view(): Promise<ClusterView> {
    return ok<ClusterView>('getCluster', { params: this.params })
  }

  async group(name: string, preferredOwners?: string[]): Promise<string> {
    const body = { name, ...(preferredOwners && { preferredOwners }) }
    return (await ok<{ id: string }>('createGroup', { params: this.params, body })).id
  }

  async resource(group: string, name: string, more: object = {}): Promise<string> {
    const body = { name, group, type: 'process', properties: { command: '/bin/true' }, ...more }
    return (await ok<{ id: string }>('createResource', { params: this.params, body })).id
  }

  async stub() {
    const row = await env.DB.prepare('select object_id from clusters where id = ?')
      .bind(this.id)
      .first<{ object_id: string }>()
    if (!row) throw new Error('no such cluster')
    return env.CLUSTER.get(env.CLUSTER.idFromString(row.object_id))
  }

  /** Waits until the view is so. */
  async until(what: string, is: (view: ClusterView) => boolean, ms = 25_000): Promise<ClusterView> {
    const endMs = performance.now() + ms
    for (;;) {
      const view = await this.view()
      if (is(view)) return view
      if (performance.now() > endMs) throw new Error(`not ${what}: ${JSON.stringify(view)}`)
      await pause(20)
    }
  }
}

export const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))
