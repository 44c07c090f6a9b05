/**
 * What a module says is taken from outside: an answer for each resource that was asked about, one of
 * the statuses there are, and nothing else. One bad answer is the fault of one resource (S-27, S-32).
 */
import type { Answer } from '../../schema/resource-type.ts'
import { degradedDetail, type ReportedStatus, reportedStatus } from '../../schema/status.ts'

const DETAIL_MAX = 1_000

/**
 * @param said what the module has returned, whatever it is
 * @returns one answer for each GUID that was asked about, in that order
 */
export function soundAnswers(asked: readonly string[], said: unknown): Answer[] {
  const all = Array.isArray(said) ? said : []
  const none = Array.isArray(said)
    ? 'the module has given no answer for it'
    : 'the module has not returned a list of answers'
  const answers = Map.groupBy(all, (a) => (a as { guid?: unknown } | null)?.guid)
  return asked.map((guid) => {
    const [answer, another] = answers.get(guid) ?? []
    if (another !== undefined) return unknown(guid, 'the module has given several answers for it')
    return answer === undefined ? unknown(guid, none) : soundAnswer(guid, answer)
  })
}

/** One answer: of a check, or pushed by a module that watches. */
export function soundAnswer(guid: string, said: unknown): Answer {
  const { status, detail, degraded } = (said ?? {}) as { [key in keyof Answer]?: unknown }
  if (!isStatus(status))
    return unknown(guid, `the module says ${brief(status)}, which is no status`)
  const bad = degraded === true && status === 'online'
  if (detail === undefined && !bad) return { guid, status }
  const given = detail ?? 'it does not say why'
  const text = typeof given === 'string' ? given : brief(given)
  const evidence = bad ? degradedDetail(text) : text
  return { guid, status, detail: evidence.slice(0, DETAIL_MAX) }
}

const STATUSES: ReadonlySet<unknown> = new Set(reportedStatus.options)
const isStatus = (said: unknown): said is ReportedStatus => STATUSES.has(said)

const unknown = (guid: string, detail: string): Answer => ({ guid, status: 'unknown', detail })

function brief(value: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch {
    // It refers to itself, or is no JSON at all.
  }
  return (text ?? String(value)).slice(0, 80)
}
