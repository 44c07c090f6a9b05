import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { ClusterView } from '../../schema/api/bodies.ts'
import type { Runner } from '../command.ts'
import { diffViews } from '../diff-views.ts'
import { EXIT } from '../exit-codes.ts'
import { renderStatus, type StatusOptions } from '../render-status.ts'
import type { Session } from '../session.ts'
import { unlessAway } from '../wait.ts'
import { eventLine } from './events.ts'

const REFRESH_MS = 500

interface Options {
  watch?: true
  wide?: true
  exitStatus?: true
}

export function addStatus(program: Command, runner: Runner): void {
  program
    .command('status')
    .description('nodes, groups, resources and problems on one screen')
    .option('-w, --watch', 'goes on; without a terminal one line per change')
    .option('--wide', 'more columns, and GUIDs')
    .option('--exit-status', 'exit code 3 with warnings, 8 in an outage')
    .action(runner.action(status))
}

async function status(session: Session, options: Options): Promise<number> {
  const view = await session.view()
  if (options.watch) return watch(session, options, view)
  session.out.answer(view, () => renderStatus(view, lookOf(session, options)))
  return options.exitStatus ? { healthy: 0, warning: 3, outage: 8 }[view.health] : EXIT.done
}

const lookOf = ({ out }: Session, { wide }: Options): StatusOptions => ({
  ...out.look,
  wide: wide ?? false,
})

/** What is only observed has no number to wait for, so this asks again and again. */
async function watch(session: Session, options: Options, first: ClusterView): Promise<number> {
  let seen = first
  let staleSinceMs: number | null = null
  await show(session, options, null, first, staleSinceMs)
  for (;;) {
    try {
      await sleep(REFRESH_MS, undefined, { signal: session.signal })
      const next = await unlessAway(() => session.view())
      if (!next && staleSinceMs === null) staleSinceMs = seen.nowMs
      if (next) staleSinceMs = null
      await show(session, options, seen, next ?? seen, staleSinceMs)
      seen = next ?? seen
    } catch (error) {
      if (session.signal.aborted) return EXIT.interrupted
      throw error
    }
  }
}

async function show(
  session: Session,
  options: Options,
  before: ClusterView | null,
  view: ClusterView,
  staleSinceMs: number | null,
): Promise<void> {
  const { out } = session
  const stale = staleSinceMs === null ? {} : { staleSinceMs }
  if (out.repaints) {
    out.repaint(renderStatus(view, { ...lookOf(session, options), ...stale }))
    return
  }
  if (!before) {
    out.item(view, () => renderStatus(view, lookOf(session, options)))
    return
  }
  const at = new Date(view.nowMs).toISOString()
  const changes = diffViews(before, view).map((change) => `${at}  ${change}`)
  // Two looks miss what came and went between them; the updates do not.
  const decided = view.seq > before.seq ? await updatesAfter(session, before.seq) : []
  if (decided.length + changes.length > 0) out.item(view, () => [...decided, ...changes].join('\n'))
}

async function updatesAfter(session: Session, after: number): Promise<string[]> {
  const page = await unlessAway(() => session.inCluster('listEvents', { query: { after } }))
  return page?.events.map(eventLine) ?? []
}
