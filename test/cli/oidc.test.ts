/** A login by a real provider (oidc-provider, certified for OpenID Connect), with a control plane that knows it by its settings alone. */
import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Provider from 'oidc-provider'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ControlPlane, startControlPlane } from '../../demo/control-plane.ts'
import { createClient } from '../../schema/api/client.ts'

const [CLIENT_ID, CLIENT_SECRET] = ['holdfast', 'a secret of the two that is long enough']
let folder: string
let control: ControlPlane
let server: Server
let issuer: string

/** The control plane has to know the provider before it starts, and the provider where that is. */
async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-oidc-'))
  const port = await freePort()
  issuer = `http://127.0.0.1:${port}`
  const accounts = {
    ...{ OIDC_ISSUER: issuer, OIDC_CLIENT_ID: CLIENT_ID, OIDC_CLIENT_SECRET: CLIENT_SECRET },
    SIGN_UP: 'open',
  }
  control = await startControlPlane({ folder: join(folder, 'control'), port: 0, accounts })
  const provider = new Provider(issuer, {
    clients: [
      {
        ...{ client_id: CLIENT_ID, client_secret: CLIENT_SECRET },
        redirect_uris: [`${control.url}/account`],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: true, name: 'Olga' }),
    }),
    cookies: { keys: ['of the test'] },
  })
  server = provider.listen(port, '127.0.0.1') as Server
}, 60_000)
afterAll(async () => {
  await control?.stop()
  server?.closeAllConnections()
  server?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What a browser does: it follows, keeps cookies, and sends the forms that it is shown. */
class Browser {
  readonly #cookies = new Map<string, string>()

  /** @returns where it was led that is not the provider's */
  async go(to: string, form?: URLSearchParams): Promise<URL> {
    const url = new URL(to)
    if (url.origin !== issuer) return url
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, {
      ...{ redirect: 'manual', headers: { cookie } },
      ...(form && { method: 'POST', body: form }),
    })
    for (const one of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(one) ?? []
      this.#cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (location) return this.go(new URL(location, url).href)
    const page = await response.text()
    expect(response.status, page).toBe(200)
    const action = /<form[^>]*action="([^"]+)"/.exec(page)?.[1] ?? ''
    const hidden = [...page.matchAll(/name="([^"]+)" value="([^"]*)"/g)]
    const filled = new URLSearchParams(
      hidden.map(([, name = '', value = '']) => [name, value] as [string, string]),
    )
    if (page.includes('name="password"')) {
      filled.set('login', 'olga')
      filled.set('password', 'any')
    }
    return this.go(new URL(action, url).href, filled)
  }
}

test('there and back: the session is that of whom the provider has verified', async () => {
  const api = createClient({ url: control.url })
  expect(await api('authInfo')).toMatchObject({ oidc: { name: '127.0.0.1' } })
  const { url, flow } = await api('beginOidc')
  const back = await new Browser().go(url)
  expect(back.origin + back.pathname).toBe(`${control.url}/account`)
  const answer = Object.fromEntries(back.searchParams) as { code: string; state: string }
  const { token, person } = await api('finishOidc', { body: { flow, ...answer } })
  expect(person).toMatchObject({ email: 'olga@example.com', name: 'Olga' })
  const mine = createClient({ url: control.url, key: token })
  expect((await mine('listSessions')).sessions).toHaveLength(1)
  // Its code is good once.
  await expect(api('finishOidc', { body: { flow, ...answer } })).rejects.toThrow(
    'you are not logged in by the provider',
  )
})
