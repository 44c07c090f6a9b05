/** The page that links lead to: its script, run with as much of a browser as it asks for. */
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { accountPage } from '../../worker/accounts/page.ts'

interface Element {
  id: string
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

/** Opened with what stands behind `#`, and with a control plane that gives these answers. */
async function opened(hash: string, answers: Record<string, { ok: boolean; body: object }>) {
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
  const calls: { path: string; body: unknown; token: string | undefined }[] = []
  let shown = `/account#${hash}`
  const context = {
    decodeURIComponent,
    location: { hash: `#${hash}`, pathname: '/account', origin: 'https://holdfast.test' },
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
    fetch: async (path: string, { body, headers, credentials }: Sent) => {
      expect(credentials).toBe('omit')
      calls.push({ path, body: JSON.parse(body), token: headers.authorization })
      const { ok, body: answer } = answers[path] ?? { ok: true, body: {} }
      return { ok, json: async () => answer }
    },
  }
  runInNewContext(script, context)
  return {
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

test.each(['', 'register', 'nosuch=1', 'constructor=1', '__proto__=1'])(
  'a link that is none: #%s',
  async (hash) => {
    const page = await opened(hash, {})
    expect(page.said()).toContain('this one is not whole')
    expect(page.visible()).not.toContain('form')
  },
)
