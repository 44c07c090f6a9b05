/** The page that links lead to: its script, run with as much of a browser as it asks for. */
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { accountPage } from '../../worker/accounts/page.ts'

interface Element {
  id: string
  required?: boolean
  hidden: boolean
  textContent: string
  value: string
  disabled?: boolean
}
interface Sent {
  body: string
  headers: { authorization?: string }
  credentials: string
}
type Submit = (event: object) => Promise<void>

/**
 * Opened with what stands behind `#`, and with a control plane that gives these answers.
 *
 * @param search what stands behind `?`, where a provider has led back
 * @param kept what the tab has kept meanwhile
 */
async function opened(
  hash: string,
  answers: Record<string, { ok: boolean; body: object }>,
  search = '',
  kept = new Map<string, string>(),
) {
  const text = await (await accountPage()).text()
  const script = /<script>([\s\S]*)<\/script>/.exec(text)?.[1] ?? ''
  const elements = new Map(
    [...text.matchAll(/<(\w+)[^>]*\bid="([a-z-]+)"([^>]*)/g)].map(([, , id = '', rest = '']) => [
      id,
      { id, hidden: / hidden/.test(rest), textContent: '', value: '', focus() {} } as Element,
    ]),
  )
  let submit: Submit = async () => {}
  const form = elements.get('form') as Element & { addEventListener?: unknown }
  form.addEventListener = (_: string, run: Submit) => {
    submit = run
  }
  let toProvider: () => Promise<void> = async () => {}
  Object.assign(elements.get('other') as Element, {
    addEventListener: (_: string, run: () => Promise<void>) => {
      toProvider = run
    },
  })
  let gone = ''
  const calls: { path: string; body: unknown; token: string | undefined }[] = []
  let shown = `/account${search}#${hash}`
  const context = {
    ...{ decodeURIComponent, URLSearchParams },
    location: {
      ...{ hash: `#${hash}`, search, pathname: '/account', origin: 'https://holdfast.test' },
      assign: (url: string) => {
        gone = url
      },
    },
    sessionStorage: {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, value: string) => void kept.set(name, value),
      removeItem: (name: string) => void kept.delete(name),
    },
    history: {
      replaceState: (_state: null, _title: string, path: string) => {
        shown = path
      },
    },
    document: {
      title: '',
      getElementById: (id: string) => elements.get(id),
      querySelectorAll: () => [elements.get('go'), elements.get('no')],
    },
    fetch: async (path: string, sent?: Sent) => {
      if (!sent) return { json: async () => answers[path]?.body ?? { oidc: null } }
      const { body, headers, credentials } = sent
      expect(credentials).toBe('omit')
      calls.push({ path, body: JSON.parse(body), token: headers.authorization })
      const { ok, body: answer } = answers[path] ?? { ok: true, body: {} }
      return { ok, json: async () => answer }
    },
  }
  runInNewContext(script, context)
  // What it asks for by itself.
  await new Promise((resolve) => setImmediate(resolve))
  return {
    ...{ kept, gone: () => gone, toProvider: () => toProvider() },
    ...{ calls, shown: () => shown },
    visible: () => [...elements.values()].filter((one) => !one.hidden).map((one) => one.id),
    fill: (values: Record<string, string>) => {
      for (const [id, value] of Object.entries(values))
        Object.assign(elements.get(id) as Element, { value })
    },
    press: (id: string) => submit({ preventDefault() {}, submitter: { id } }),
    said: () => elements.get('said')?.textContent,
    text: (id: string) => elements.get(id)?.textContent,
  }
}

const LOGIN = { ok: true, body: { token: 'hfs_x', person: { email: 'ana@example.com' } } }

test('makes an account by an invitation, and keeps neither token nor session', async () => {
  const page = await opened('register=hfi_abc', { '/v1/auth/register': LOGIN })
  expect(page.shown()).toBe('/account')
  expect(page.visible()).toEqual(expect.arrayContaining(['name-field', 'password-field', 'go']))
  for (const hidden of ['email-field', 'code-field', 'no'])
    expect(page.visible()).not.toContain(hidden)
  page.fill({ name: 'Ana', password: 'a long password' })
  await page.press('go')
  const body = { token: 'hfi_abc', name: 'Ana', password: 'a long password' }
  expect(page.calls).toEqual([
    { path: '/v1/auth/register', body, token: undefined },
    { path: '/v1/auth/logout', body: {}, token: 'Bearer hfs_x' },
  ])
  expect(page.said()).toContain('There is an account for ana@example.com.')
  expect(page.said()).toContain('holdfast login --url https://holdfast.test')
})

test('asks the first owner for an address', async () => {
  const page = await opened('register=hfo_abc', { '/v1/auth/register': LOGIN })
  expect(page.visible()).toContain('email-field')
  page.fill({ email: 'ana@example.com', name: 'Ana', password: 'a long password' })
  await page.press('go')
  expect(page.calls[0]?.body).toMatchObject({ token: 'hfo_abc', email: 'ana@example.com' })
})

test('a new password; what is refused is said, and can be tried again', async () => {
  const detail = 'this token is not valid'
  const page = await opened('reset=hfr_abc', {
    '/v1/auth/password/reset': { ok: false, body: { detail, remedy: 'Ask for a new one.' } },
  })
  page.fill({ password: 'a long password' })
  await page.press('go')
  expect(page.said()).toBe(`${detail}\nAsk for a new one.`)
  expect(page.visible()).toContain('form')
})

test.each([
  ['go', true, 'It is let in.'],
  ['no', false, 'It was refused.'],
])('a command: %s; the session that decides is ended with it', async (id, approve, said) => {
  const page = await opened('device=BCDF2345', { '/v1/auth/login': LOGIN })
  expect(page.text('code')).toBe('BCDF2345')
  page.fill({ email: 'ana@example.com', password: 'a long password' })
  await page.press(id)
  const token = 'Bearer hfs_x'
  expect(page.calls.slice(1)).toEqual([
    { path: '/v1/auth/device/decide', body: { code: 'BCDF2345', approve }, token },
    { path: '/v1/auth/logout', body: {}, token },
  ])
  expect(page.said()).toContain(said)
})

test('a second factor: its code is asked for when the password was right', async () => {
  const answers = {
    '/v1/auth/login': { ok: false, body: { code: 'SECOND_FACTOR_NEEDED', detail: 'a code' } },
  }
  const page = await opened('device=BCDF2345', answers)
  expect(page.visible()).not.toContain('otp-field')
  page.fill({ email: 'ana@example.com', password: 'a long password' })
  await page.press('go')
  expect([page.said(), page.visible()]).toEqual(['a code', expect.arrayContaining(['otp-field'])])
  Object.assign(answers, { '/v1/auth/login': LOGIN })
  page.fill({ otp: '123456' })
  await page.press('go')
  expect(page.calls[1]?.body).toMatchObject({ code: '123456' })
  expect(page.said()).toContain('It is let in.')
})

test('by a provider and back, in the same tab: the command is let in without a password', async () => {
  const begun = { url: 'https://keys.example/auth?state=s1', flow: 'sealed' }
  const there = await opened('device=BCDF2345', {
    '/v1/auth': { ok: true, body: { oidc: { name: 'Keys' } } },
    '/v1/auth/oidc/begin': { ok: true, body: begun },
  })
  expect(there.text('other')).toBe('Log in with Keys')
  await there.toProvider()
  expect(there.gone()).toBe(begun.url)
  const answers = { '/v1/auth/oidc/finish': LOGIN }
  const search = '?code=c1&state=s1&iss=https%3A%2F%2Fkeys.example'
  const back = await opened('', answers, search, there.kept)
  expect([back.shown(), back.text('code'), back.kept.size]).toEqual(['/account', 'BCDF2345', 0])
  expect(back.visible()).not.toContain('password-field')
  await back.press('go')
  const body = { flow: 'sealed', code: 'c1', state: 's1', iss: 'https://keys.example' }
  expect(back.calls[0]).toMatchObject({ path: '/v1/auth/oidc/finish', body })
  expect(back.said()).toContain('It is let in.')
})

test('what a provider refuses is said; in a tab that began nothing its answer is none', async () => {
  const kept = new Map([['holdfast login', '{"flow":"sealed","device":"BCDF2345"}']])
  const refused = await opened('', {}, '?error=access_denied&state=s1', kept)
  expect(refused.said()).toContain('The provider says: access_denied.')
  const stranger = await opened('', {}, '?code=c1&state=s1')
  expect(stranger.said()).toContain('this one is not whole')
  expect(stranger.calls).toEqual([])
})

test.each(['', 'register', 'nosuch=1', 'constructor=1', '__proto__=1'])(
  'a link that is none: #%s',
  async (hash) => {
    const page = await opened(hash, {})
    expect(page.said()).toContain('this one is not whole')
    expect(page.visible()).not.toContain('form')
  },
)
