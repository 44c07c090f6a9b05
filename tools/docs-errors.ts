/** `docs/errors/`: a page for each code of the catalogue, and their list. Made, not written. */
import { ERRORS, type ErrorCode } from '../schema/error-catalogue.ts'
import { writePages } from './pages.ts'

const CODES = Object.keys(ERRORS).sort() as ErrorCode[]
const NOTE = '<!-- Made from schema/error-catalogue.ts by `npm run docs`. -->'

/** File name in `docs/errors/` → its text. */
export function errorPages(): Map<string, string> {
  const pages = CODES.map((code): [string, string] => [`${code}.md`, page(code)])
  return new Map([['README.md', list()], ...pages])
}

export const writeErrorPages = (): void => writePages('docs/errors', errorPages())

function page(code: ErrorCode): string {
  const { title, cause, remedy, http, exit } = ERRORS[code]
  return `${NOTE}
# ${code}

${title}.

**Why.** ${cause}

**What to do.** ${remedy}

| | |
|---|---|
| status of the API | ${http} |
| exit code of the commands | ${exit} |

[All codes](README.md)
`
}

function list(): string {
  const rows = CODES.map((code) => {
    const { title, http, exit } = ERRORS[code]
    return `| [${code}](${code}.md) | ${title} | ${http} | ${exit} |`
  })
  return `${NOTE}
# Errors

Every refusal has a code of this list, whether it comes from the API (problem+json, \`code\`), from
\`holdfast\` or from \`holdfast-probe\`. It says what happened, why, what to do, and where to read
more. A refused request has changed nothing.

| code | | API | exit |
|---|---|---|---|
${rows.join('\n')}
`
}
