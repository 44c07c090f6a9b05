/** One request to a receiver. */
import { LIMITS } from '../../schema/limits.ts'
import { signedHeaders } from './signing.ts'
import { targetProblem } from './target.ts'

export interface Receiver {
  readonly url: string
  readonly secrets: readonly string[]
}

export interface Outcome {
  readonly delivered: boolean
  /** HTTP status; null: no answer came. */
  readonly status: number | null
  readonly detail: string
  readonly ms: number
}

/** Never throws: whatever goes wrong is what became of the attempt. */
export async function send(
  { url, secrets }: Receiver,
  id: string,
  body: string,
  anywhere: boolean,
): Promise<Outcome> {
  const problem = targetProblem(url, anywhere)
  if (problem !== null) return { delivered: false, status: null, detail: problem, ms: 0 }
  const startedMs = Date.now()
  const since = () => Math.max(0, Date.now() - startedMs)
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: signedHeaders(secrets, id, body, startedMs),
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(LIMITS.webhookTimeoutMs),
    })
    const { status } = answer
    // What it says besides is nobody's: not read, however long.
    await answer.body?.cancel().catch(() => {})
    const delivered = status >= 200 && status < 300
    const redirects = status >= 300 && status < 400
    const detail = redirects ? 'it redirects, which is not followed' : `answered ${status}`
    return { delivered, status, detail, ms: since() }
  } catch (error) {
    const { name = '', message = '' } = error instanceof Error ? error : {}
    const late = name === 'TimeoutError' || name === 'AbortError'
    const detail = late ? `no answer within ${LIMITS.webhookTimeoutMs} ms` : message.slice(0, 200)
    return { delivered: false, status: null, detail, ms: since() }
  }
}

/** Milliseconds until the next attempt; null: that was the last. */
export function retryInMs(attempts: number, factor: number, random = Math.random()): number | null {
  const delay = RETRIES_MS[attempts - 1]
  // By a fifth more or less: what failed together does not come back together.
  return delay === undefined ? null : Math.round(delay * factor * (0.8 + 0.4 * random))
}

const [S, MIN, H] = [1_000, 60_000, 3_600_000]
const RETRIES_MS = [5 * S, 30 * S, 2 * MIN, 10 * MIN, 30 * MIN, 2 * H, 6 * H, 24 * H]
