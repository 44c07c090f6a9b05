/** What leaves with a report: names, states and times, and no secret that a name or a look gives away. */

const SECRET_NAME =
  /passw(?:or)?d|passphrase|^pass$|secret|token|credential|private|api[-_]?key|community|authoriz/i
/** Of our own making, wherever they stand in a text. */
const OUR_SECRET = /\bhf[a-z]_[A-Za-z0-9_-]{4,}/g
/** `scheme://user:password@host`. */
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+(@)/gi
/** `--password=x`, `PASSWORD=x` in arguments and environments. */
const ASSIGNED =
  /\b([A-Za-z0-9_-]*(?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key)[A-Za-z0-9_-]*)=[^\s"']+/gi

export const REDACTED = '(redacted)'

/** A copy without secrets; of whatever nests deeper than anything of ours, nothing. */
export function redacted(value: unknown, depth = 0): unknown {
  if (depth > 40) return REDACTED
  if (typeof value === 'string') return redactedText(value)
  if (Array.isArray(value)) return value.map((one) => redacted(one, depth + 1))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inside]) => {
      const hides = SECRET_NAME.test(key) && typeof inside !== 'object' && inside !== ''
      return [key, hides ? REDACTED : redacted(inside, depth + 1)]
    }),
  )
}

export const redactedText = (text: string): string =>
  text
    .replace(OUR_SECRET, REDACTED)
    .replace(URL_PASSWORD, `$1${REDACTED}$2`)
    .replace(ASSIGNED, `$1=${REDACTED}`)
