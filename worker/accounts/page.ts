/**
 * The page that links lead to: an account is made, a new password chosen, a command let in. Plain HTML with its own
 * script and nothing from elsewhere. Tokens stand behind `#`, which no browser sends anywhere, and the session that
 * lets a command in is ended with that; no cookie is set.
 */
import { LIMITS } from '../../schema/limits.ts'

const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 26rem; margin: 3rem auto; padding: 0 1rem }
label { display: block; margin: .8rem 0 .2rem }
input { width: 100%; box-sizing: border-box; font: inherit; padding: .4rem }
button { font: inherit; padding: .4rem 1rem; margin: 1rem .5rem 0 0 }
code { font-size: 1.4rem; letter-spacing: .15em }
#said { margin-top: 1rem; white-space: pre-wrap }
`

const SCRIPT = `
'use strict'
let [kind, value] = decodeURIComponent(location.hash.slice(1)).split(/=(.*)/s)
// From a provider one comes back with its answer: to the page that was left for it, if that was in this tab.
const said = new URLSearchParams(location.search)
const left = said.has('state') ? JSON.parse(sessionStorage.getItem('holdfast login') || 'null') : null
sessionStorage.removeItem('holdfast login')
if (left) [kind, value] = ['device', left.device]
const $ = (id) => document.getElementById(id)
const say = (text) => { $('said').textContent = text }
const show = (title, fields, buttons) => {
  document.title = title + ' - Holdfast'
  $('title').textContent = title
  for (const id of fields) $(id + '-field').hidden = false
  for (const [id, label] of buttons) { $(id).hidden = false; $(id).textContent = label }
}
async function call(path, body, token) {
  const headers = { 'content-type': 'application/json' }
  if (token) headers.authorization = 'Bearer ' + token
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body), credentials: 'omit', cache: 'no-store' })
  const answer = await response.json()
  if (response.ok) return answer
  if (answer.code === 'SECOND_FACTOR_NEEDED') { $('otp-field').hidden = false; $('otp').required = true }
  throw new Error([answer.detail, answer.why, answer.remedy].filter(Boolean).join('\\n'))
}
const given = (id) => $(id).value
const byPassword = () => {
  const body = { email: given('email'), password: given('password') }
  if (given('otp')) body.code = given('otp')
  return call('/v1/auth/login', body)
}
const byProvider = () => {
  const body = { flow: left.flow, code: said.get('code') || '', state: said.get('state') }
  if (said.has('iss')) body.iss = said.get('iss')
  return call('/v1/auth/oidc/finish', body)
}
const toProvider = async () => {
  const { url, flow } = await call('/v1/auth/oidc/begin', {})
  sessionStorage.setItem('holdfast login', JSON.stringify({ flow, device: value }))
  location.assign(url)
}
const withSession = async (work) => {
  const { token } = await (left ? byProvider() : byPassword())
  try { return await work(token) } finally { await call('/v1/auth/logout', {}, token).catch(() => {}) }
}
const DONE = 'On a command line: holdfast login --url ' + location.origin
const pages = {
  register: () => {
    const isOwner = value.startsWith('hfo_')
    show('Make your account', [...(isOwner ? ['email'] : []), 'name', 'password'], [['go', 'Make it']])
    return async () => {
      const body = { token: value, name: given('name'), password: given('password') }
      if (isOwner) body.email = given('email')
      const { token, person } = await call('/v1/auth/register', body)
      await call('/v1/auth/logout', {}, token).catch(() => {})
      return 'There is an account for ' + person.email + '.\\n' + DONE
    }
  },
  reset: () => {
    show('Choose a new password', ['password'], [['go', 'Take it']])
    return async () => {
      await call('/v1/auth/password/reset', { token: value, password: given('password') })
      return 'The new password is in use, and all sessions have ended.\\n' + DONE
    }
  },
  device: () => {
    show('Let a command in', left ? ['code'] : ['code', 'email', 'password'], [['go', 'Let it in'], ['no', 'Refuse']])
    $('code').textContent = value
    if (left && said.has('error')) throw new Error('The provider says: ' + said.get('error') + '.\\nOpen the link of your terminal again.')
    if (!left) fetch('/v1/auth').then((one) => one.json()).then(({ oidc }) => {
      if (!oidc) return
      $('other').hidden = false
      $('other').textContent = 'Log in with ' + oidc.name
      $('other').addEventListener('click', () => toProvider().catch((error) => say(error.message)))
    }, () => {})
    return async (approve) => withSession(async (token) => {
      await call('/v1/auth/device/decide', { code: value, approve }, token)
      return approve ? 'It is let in. This page can be closed.' : 'It was refused. This page can be closed.'
    })
  },
}
const page = Object.hasOwn(pages, kind) && value ? pages[kind] : null
if (!page) say('This page is opened by a link from Holdfast, and this one is not whole.')
else try {
  const act = page()
  history.replaceState(null, '', location.pathname)
  $('form').hidden = false
  $('form').addEventListener('submit', async (event) => {
    event.preventDefault()
    const approve = event.submitter?.id !== 'no'
    say('…')
    for (const one of document.querySelectorAll('button')) one.disabled = true
    try {
      say(await act(approve))
      $('form').hidden = true
    } catch (error) { say(error.message) }
    for (const one of document.querySelectorAll('button')) one.disabled = false
    $('said').focus()
  })
} catch (error) { say(error.message) }
`

const BODY = `<main><h1 id="title">Holdfast</h1>
<form id="form" hidden>
<p id="code-field" hidden>Only if your terminal shows this code, and you have just typed <b>holdfast login</b> there:<br><code id="code"></code></p>
<div id="email-field" hidden><label for="email">E-mail address</label><input id="email" type="email" autocomplete="username"></div>
<div id="name-field" hidden><label for="name">Name</label><input id="name" maxlength="${LIMITS.nameLengthMax}" autocomplete="name"></div>
<div id="password-field" hidden><label for="password">Password, ${LIMITS.passwordLengthMin} characters or more</label><input id="password" type="password" minlength="${LIMITS.passwordLengthMin}" autocomplete="current-password"></div>
<div id="otp-field" hidden><label for="otp">Code of your app, or a recovery code</label><input id="otp" maxlength="16" inputmode="numeric" autocomplete="one-time-code"></div>
<button id="go" hidden></button><button id="no" hidden></button><button id="other" type="button" hidden></button>
</form>
<p id="said" role="status" tabindex="-1"></p>
<noscript>This page needs JavaScript. The same can be done by the HTTP API.</noscript></main>`

const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" content="no-referrer"><title>Holdfast</title><style>${STYLE}</style></head><body>${BODY}<script>${SCRIPT}</script></body></html>`

async function hashIn(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return `'sha256-${Buffer.from(bytes).toString('base64')}'`
}

/** Nothing but what it brings with it runs in it, and nobody shows it inside of their own page. */
export async function accountPage(): Promise<Response> {
  const [script, style] = await Promise.all([hashIn(SCRIPT), hashIn(STYLE)])
  return new Response(PAGE, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'content-security-policy': `default-src 'none'; script-src ${script}; style-src ${style}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    },
  })
}
