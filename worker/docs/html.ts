/** HTML from data: text is escaped wherever it is put in, unless it was made here. */

/** Made here, so that it may stand as it is. */
export interface Html {
  readonly text: string
}

type Part = Html | string | readonly Part[] | null | undefined | false

export const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  text: strings.map((text, n) => text + (n < parts.length ? textOf(parts[n]) : '')).join(''),
})

export const escaped = (text: string): Html => ({ text: textOf(text) })

export const el = (
  tag: string,
  attributes: Readonly<Record<string, string>>,
  inside: Part,
): Html => {
  const said = Object.entries(attributes).map(([name, value]) => ` ${name}="${textOf(value)}"`)
  return { text: `<${tag}${said.join('')}>${textOf(inside)}</${tag}>` }
}

export const code = (text: string): Html => el('code', {}, text)

export function table(heads: readonly string[], rows: readonly (readonly Part[])[]): Html {
  if (rows.length === 0) return { text: '' }
  const head = heads.map((one) => el('th', { scope: 'col' }, one))
  const body = rows.map((row) =>
    el(
      'tr',
      {},
      row.map((cell) => el('td', {}, cell)),
    ),
  )
  return html`<table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>`
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
}

function textOf(part: Part): string {
  if (part === null || part === undefined || part === false) return ''
  if (typeof part === 'string') return part.replaceAll(/[&<>"']/g, (c) => ESCAPES[c] as string)
  return 'text' in part ? part.text : part.map(textOf).join('')
}
