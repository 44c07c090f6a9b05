/** The page that links in mails lead to, in a real browser: an account, a new password, a command that is let in. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ControlPlane, startControlPlane } from '../../demo/control-plane.ts'
import { createClient } from '../../schema/api/client.ts'
import { Browser, whyNoBrowser } from './browser.ts'
import { eventually } from './demo.ts'
import { Mailbox } from './mailbox.ts'

const lacking = whyNoBrowser()
const EMAIL = 'ana@example.com'
const [FIRST, SECOND] = ['the first long password', 'the second long password']

describe('in a real browser', () => {
  beforeEach((context) => context.skip(lacking !== null, lacking ?? ''))

  let folder = ''
  let mailbox: Mailbox
  let control: ControlPlane
  let browser: Browser

  beforeAll(async () => {
    if (lacking) return
    folder = mkdtempSync(join(tmpdir(), 'holdfast-page-'))
    mailbox = await Mailbox.start()
    control = await startControlPlane({
      ...{ folder, port: 0, rateFactor: 1 },
      accounts: { SIGN_UP: 'open', MAIL: mailbox.url, MAIL_WEBHOOK_TOKEN: 'of-the-mail-sender' },
    })
    browser = await Browser.start()
  }, 60_000)
  afterAll(async () => {
    await browser?.stop()
    await control?.stop()
    await mailbox?.close()
    if (folder) rmSync(folder, { recursive: true, force: true })
  })

  const client = () => createClient({ url: control.url })
  /** Of the newest mail; by loopback, whatever name it was made with. */
  async function link(sent: number): Promise<string> {
    await eventually('a mail', () => mailbox.mails.length > sent)
    const path = /\/account#\S+/.exec(mailbox.mails.at(-1)?.text ?? '')?.[0] ?? ''
    return `${control.url}${path}`
  }
  const logIn = (password: string) => client()('logIn', { body: { email: EMAIL, password } })

  test('an account is made by the link of a mail; the token is gone from the address at once', async () => {
    await client()('signUp', { body: { email: EMAIL } })
    const page = await browser.open(await link(0))
    expect(await page.text()).toContain('Make your account')
    expect(await page.url()).toBe(`${control.url}/account`)
    await page.type('name', 'Ana')
    await page.type('password', 'short')
    await page.click('go')
    // The browser itself says what is wrong with it, and nothing was sent.
    expect(await page.run("document.getElementById('password').checkValidity()")).toBe(false)
    await page.run("document.getElementById('password').value = ''")
    await page.type('password', FIRST)
    await page.click('go')
    expect(await page.until(/There is an account for/)).toContain(EMAIL)
    expect(await page.run('document.cookie')).toBe('')
    expect((await logIn(FIRST)).person.email).toBe(EMAIL)
  })

  test('a new password by the link of a mail; the one before is none any more', async () => {
    const sent = mailbox.mails.length
    await client()('forgotPassword', { body: { email: EMAIL } })
    const page = await browser.open(await link(sent))
    expect(await page.text()).toContain('Choose a new password')
    await page.type('password', SECOND)
    await page.click('go')
    await page.until(/The new password is in use/)
    await expect(logIn(FIRST)).rejects.toThrow('address or password is wrong')
    await logIn(SECOND)
  })

  test('a command is let in, and its page leaves no session behind', async () => {
    const ask = (path: string, body: object) =>
      fetch(`${control.url}/v1/auth/device/${path}`, {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
        body: JSON.stringify(body),
      })
    const begun = (await (await ask('code', { client_id: 'holdfast-cli' })).json()) as {
      device_code: string
      user_code: string
      verification_uri: string
    }
    const { hash } = new URL(begun.verification_uri)
    const page = await browser.open(`${control.url}/account${hash}`)
    expect(await page.text()).toContain(begun.user_code)
    await page.type('email', EMAIL)
    await page.type('password', FIRST)
    await page.click('go')
    await page.until(/address or password is wrong/)
    await page.run("document.getElementById('password').value = ''")
    await page.type('password', SECOND)
    await page.click('go')
    await page.until(/It is let in/)
    const grant = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      ...{ device_code: begun.device_code, client_id: 'holdfast-cli' },
    }
    const { access_token: key } = (await (await ask('token', grant)).json()) as {
      access_token: string
    }
    const { sessions } = await createClient({ url: control.url, key })('listSessions')
    expect(sessions.filter((one) => one.current)).toHaveLength(1)
    // That of the page has ended; the one of the test before has not.
    expect(sessions).toHaveLength(2)
  })

  test('a link that is not whole, and a script of somebody else: nothing happens', async () => {
    const page = await browser.open(`${control.url}/account#register=`)
    expect(await page.text()).toContain('this one is not whole')
    const code = await browser.open(`${control.url}/account#device=<img src=x onerror=alert(1)>`)
    expect(await code.run("document.querySelectorAll('img').length")).toBe(0)
    // The policy of the page: not even what a person types into its console reaches another place.
    const elsewhere = `fetch('${mailbox.url}').then(() => 'sent', () => 'refused')`
    expect(await code.run(elsewhere)).toBe('refused')
  })
})
