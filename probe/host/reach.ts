/** Whether the control plane answers from here, how soon, and how its clock stands to ours. */
import { execFile } from 'node:child_process'
import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { health } from '../../schema/api/health.ts'
import { HoldfastError } from '../../schema/errors.ts'

export interface Reached {
  readonly version: string
  readonly roundTripMs: number
  /** Our clock less theirs lies between these; null when the answers carry no date. */
  readonly clock: { readonly lowMs: number; readonly highMs: number } | null
}

interface Budget {
  readonly timeoutMs: number
  /**
   * A `Date` names a second: one answer leaves our offset open by that much. Answers on both sides
   * of a turn of it close in on it, which takes up to a second.
   */
  readonly samples: number
}

const BETWEEN_MS = 45
/** Closer than this nobody needs it. */
const NARROW_MS = 60

/** @throws {HoldfastError} UNAVAILABLE, BAD_REQUEST */
export async function reach(address: string, budget: Budget): Promise<Reached> {
  const end = performance.now() + budget.timeoutMs
  const url = parsed(address)
  await resolved(url, budget.timeoutMs)
  let best = Number.POSITIVE_INFINITY
  let low = Number.NEGATIVE_INFINITY
  let high = Number.POSITIVE_INFINITY
  let version = ''
  for (let i = 0; i < budget.samples; i += 1) {
    if (i > 0) await sleep(BETWEEN_MS)
    const left = end - performance.now()
    if (i > 0 && left < 100) break
    const sample = await ask(url, Math.max(left, 100))
    version = sample.version
    // The first one has opened the connection; what an answer takes is seen by the next.
    if (i < 2 || sample.tookMs < best) best = sample.tookMs
    if (sample.dateMs !== null) {
      low = Math.max(low, sample.sentMs - sample.dateMs - 1_000)
      high = Math.min(high, sample.gotMs - sample.dateMs)
    }
    if (high - low < NARROW_MS) break
  }
  const dated = Number.isFinite(low) && Number.isFinite(high)
  return {
    version,
    roundTripMs: best,
    // A clock that was set meanwhile fits no range.
    clock: dated && low <= high ? { lowMs: low, highMs: high } : null,
  }
}

export function parsed(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : null
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '')
    return url
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: `"${address}" is not the address of a control plane`,
    why: 'It is an address that begins with https:// (or http:// in a network of your own).',
    remedy: 'holdfast-probe join --url https://…',
  })
}

/**
 * A look-up of a name cannot be given up within a process, not even at its end, and where nobody
 * answers it may take half a minute. In a process of its own it can be killed.
 */
function resolved(url: URL, timeoutMs: number): Promise<void> {
  const name = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(name) !== 0 || name === 'localhost') return Promise.resolve()
  return new Promise((resolve, reject) => {
    const options = { timeout: Math.max(1, Math.ceil(timeoutMs)), killSignal: 'SIGKILL' } as const
    execFile('getent', ['ahosts', name], options, (error) => {
      // Without getent the name is looked up all the same, with the first request.
      if (error === null || (error as NodeJS.ErrnoException).code === 'ENOENT') return resolve()
      const why = error.killed
        ? 'The name servers of this host do not answer (/etc/resolv.conf).'
        : 'No name server of this host knows the name, or none answers.'
      reject(unavailable(url, why, `Check the spelling, then: getent ahosts ${name}`))
    })
  })
}

async function ask(url: URL, timeoutMs: number) {
  const sentMs = Date.now()
  const begun = performance.now()
  let answer: Response
  let text: string
  try {
    answer = await fetch(new URL('/healthz', url), {
      signal: AbortSignal.timeout(Math.ceil(timeoutMs)),
    })
    text = await answer.text()
  } catch (cause) {
    const { name, cause: below, message } = cause as Error
    const why =
      name === 'TimeoutError'
        ? `It took the connection and said nothing, or nothing came back, for ${Math.round(timeoutMs / 1000)} s.`
        : String((below as Error | undefined)?.message ?? message)
    throw unavailable(
      url,
      why,
      'Check the address, that the control plane runs, and the firewalls.',
    )
  }
  const tookMs = performance.now() - begun
  const gotMs = Date.now()
  const { version } = understood(url, answer, text)
  const date = Date.parse(answer.headers.get('date') ?? '')
  return { version, sentMs, gotMs, tookMs, dateMs: Number.isFinite(date) ? date : null }
}

/** One whose accounts are away answers 503, and looks after hosts all the same. */
function understood(url: URL, answer: Response, text: string): { version: string } {
  try {
    return health.parse(JSON.parse(text))
  } catch {
    if (!answer.ok)
      throw unavailable(url, `It answered ${answer.status}.`, 'Try again in a moment.')
    throw unavailable(
      url,
      'Something answers there that is no control plane: a portal, a proxy, another program.',
      `Look at what it says: curl ${new URL('/healthz', url)}`,
    )
  }
}

const unavailable = (url: URL, why: string, remedy: string) =>
  new HoldfastError({
    code: 'UNAVAILABLE',
    message: `the control plane at ${url.origin} does not answer`,
    why,
    remedy,
  })
