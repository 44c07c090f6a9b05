/** The status page: plain HTML without a script, which is loaded again by itself. Pure. */
import { el, type Html, html, table } from '../docs/html.ts'
import type { Overall, PublicStatus } from './public-status.ts'

export const STATUS_STYLE = `:root{color-scheme:light dark;--line:#8884}
body{max-width:40rem;margin:3rem auto;padding:0 1rem;font:16px/1.5 system-ui,sans-serif}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.4rem 1rem .4rem 0;border-bottom:1px solid var(--line)}
.b0::before{content:"\\2714\\a0"}.b1::before{content:"\\25D0\\a0"}.b2::before{content:"\\2717\\a0"}
.b2{font-weight:600}
footer{margin-top:2rem;font-size:13px}
`

const SAYS: Readonly<Record<Overall, string>> = {
  operational: 'Everything is as it should be',
  degraded: 'Something is not quite as it should be',
  outage: 'Something is down',
  maintenance: 'Maintenance',
  unknown: 'The state is not known at the moment',
}

const RELOAD_S = 60

export function statusPage({ overall, groups, others, atMs }: PublicStatus): string {
  const rows = groups.map((one) => [one.name, state(one)])
  const rest = others.map((one) => [
    `${one.count} ${groups.length > 0 ? 'other ' : ''}${one.count === 1 ? 'group' : 'groups'}`,
    state(one),
  ])
  const at = new Date(atMs).toISOString().slice(0, 19)
  return page(
    SAYS[overall],
    html`<h1>${SAYS[overall]}</h1>
${table(['group', 'state'], [...rows, ...rest])}
<footer><p>As of ${el('time', { datetime: `${at}Z` }, `${at.replace('T', ' ')} UTC`)}. This page is loaded again every minute.</p></footer>`,
    html`<meta http-equiv="refresh" content="${String(RELOAD_S)}">`,
  )
}

export const notFoundPage = (): string =>
  page(
    'Not found',
    html`<h1>There is no such page</h1>
<p>Perhaps it is no longer published, or has another link by now.</p>`,
  )

const state = ({ says, bad }: { says: string; bad: number }): Html =>
  el('span', { class: `b${bad}` }, says)

const page = (title: string, body: Html, head: Html = html``): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">${head.text}
<title>${title}</title><link rel="stylesheet" href="/status/style.css"></head>
<body><main>${body.text}</main></body></html>
`
