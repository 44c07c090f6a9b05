import type { EvidenceView } from '../../schema/api/bodies.ts'
import { formatDuration, formatInstant } from '../duration.ts'
import type { Session } from '../session.ts'
import { clean, table } from '../text.ts'

export async function showEvidence(session: Session, _: unknown, name: string): Promise<undefined> {
  const answer = await session.inCluster('getEvidence', { params: { resource: name } })
  session.out.answer(answer, () => renderEvidence(answer, name))
}

/** Each incident, newest first, with the calls before it: the last one is what had not ended. */
export function renderEvidence(view: EvidenceView, name: string, nowMs = Date.now()): string {
  if (view.incidents.length === 0)
    return `${name} has not been isolated: no resource monitor ended over it`
  return view.incidents
    .map(({ atMs, node, monitor, detail, calls, stack, said }) => {
      const end = Math.max(...calls.map((call) => call.atMs + (call.tookMs ?? 0)))
      const rows = calls.map((call) => [
        `-${formatDuration(Math.round(end - call.atMs))}`,
        call.fn,
        call.type,
        clean(call.of),
        call.tookMs === undefined ? 'has not ended' : `${call.tookMs} ms`,
        clean(call.error ?? ''),
      ])
      const head = `${formatInstant(atMs, nowMs)}  ${node}  ${monitor}: ${clean(detail)}`
      const columns = ['before', 'call', 'type', 'of', 'took', 'error']
      return [
        head,
        ...block('it was at, innermost first:', stack),
        ...block('it had written last:', said),
        table(columns, rows),
      ].join('\n')
    })
    .join('\n\n')
}

const block = (title: string, lines: readonly string[] = []): string[] =>
  lines.length === 0 ? [] : [`  ${title}`, ...lines.map((line) => `    ${clean(line)}`)]
