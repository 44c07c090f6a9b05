import type { Hive } from '../schema/hive.ts'
import type { Decision, LogLine } from './core/decision.ts'
import { explain } from './core/explain.ts'
import type { StoredLine } from './hive-store.ts'

/** Every update is a line of the cluster log, by the one renderer. */
export function linesOf(decision: Decision, hive: Hive, nowMs: number): StoredLine[] {
  const at = { atMs: nowMs, node: 'control' }
  const lines: StoredLine[] = []
  const said = [...decision.log]
  const sayUntil = (count: number) => {
    while (said[0] && said[0].after <= count) {
      const { after: _, ...line } = said.shift() as LogLine
      lines.push({ ...line, ...at })
    }
  }
  decision.updates.forEach((u, i) => {
    sayUntil(i)
    lines.push({
      ...at,
      component: u.because.manager === 'MM' ? 'NM' : u.because.manager,
      ...(u.change.table === 'group' && { groupId: u.change.id }),
      ...(u.change.table === 'resource' && { resourceId: u.change.id }),
      correlationId: u.correlationId,
      message: explain(u, hive).message,
    })
  })
  sayUntil(decision.updates.length)
  return lines
}
