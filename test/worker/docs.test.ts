/** What is served without a key: the OpenAPI document, and the page that is made from it. */
import { exports } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { type OpenApi, openApi } from '../../schema/api/openapi.ts'
import { docsPage } from '../../worker/docs/page.ts'

const get = (path: string) => exports.default.fetch(`https://holdfast.test${path}`)

it('GET /v1/openapi.json is the document', async () => {
  const response = await get('/v1/openapi.json')
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(await response.json()).toEqual(JSON.parse(JSON.stringify(openApi())))
})

it('GET /docs has every operation with its errors, and loads nothing from elsewhere', async () => {
  const response = await get('/docs')
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(response.headers.get('content-security-policy')).toBe(
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  )
  const page = await response.text()
  for (const methods of Object.values(openApi().paths))
    for (const { operationId } of Object.values(methods))
      expect(page).toContain(`<h3 id="${operationId}">`)
  expect(page).toContain('<a href="https://holdfast.dev/errors/PLAN_STALE">PLAN_STALE</a>')
  expect(page).toContain('<code>restart.attempts</code>')
  expect(page).not.toMatch(/<script|<img|<iframe| style=| on\w+=/)
  const loaded = [...page.matchAll(/<link[^>]+href="([^"]+)"/g)].map(([, href]) => href)
  expect(loaded).toEqual(['/docs/style.css'])
  const targets = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => `#${id}`))
  for (const [, href = ''] of page.matchAll(/href="(#[^"]+)"/g)) expect(targets).toContain(href)
  expect((await get('/docs/style.css')).headers.get('content-type')).toContain('text/css')
})

it('puts no text in as HTML', () => {
  const document = openApi()
  const info = { ...document.info, title: '<script>alert(1)</script>' }
  expect(docsPage({ ...document, info } as OpenApi)).not.toContain('<script>')
})
