/** What is served without a key: the API as a document, and as a page to read. */
import { openApi } from '../../schema/api/openapi.ts'
import { docsPage } from './page.ts'
import { STYLE } from './style.ts'

/** Made when first asked for, once in an isolate: whoever does not ask does not wait for it. */
let made: { document: string; page: string } | null = null

const texts = () => {
  if (made) return made
  const document = openApi()
  made = { document: JSON.stringify(document), page: docsPage(document) }
  return made
}

export const openApiText = (): string => texts().document

/** Nothing but its own style sheet: no script, no picture, no frame around it, nothing from elsewhere. */
const POLICY =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export const servePage = (): Response => serve('text/html; charset=utf-8', texts().page)
export const serveStyle = (): Response => serve('text/css; charset=utf-8', STYLE)

const serve = (type: string, body: string) =>
  new Response(body, {
    headers: {
      'content-type': type,
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'public, max-age=300',
    },
  })
