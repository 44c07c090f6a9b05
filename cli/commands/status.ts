import type { Command } from 'commander'
import type { ClusterView } from '../../schema/api/bodies.ts'
import type { LossView } from '../../schema/api/simulate.ts'
import { HoldfastError } from '../../schema/errors.ts'
import type { Runner } from '../command.ts'
import { diffViews } from '../diff-views.ts'
import { EXIT } from '../exit-codes.ts'
import type { Note } from '../feed.ts'
import { type Risk, renderStatus, type StatusOptions } from '../render-status.ts'
import type { Session } from '../session.ts'
import { findThing, idOf, type Thing } from '../things.ts'
import { unlessAway } from '../wait.ts'
import { eventLine, eventsIn } from './events.ts'

interface Options {
  watch?: true
  wide?: true
  exitStatus?: true
}

export function addStatus(program: Command, runner: Runner): void {
  program
    .command('status')
    .description('nodes, groups, resources and problems on one screen')
    .argument('[name]', 'only this group, resource or node')
    .option('-w, --watch', 'goes on; without a terminal one line per change')
    .option('--wide', 'more columns, and GUIDs')
    .option('--exit-status', 'exit code 3 with warnings, 8 in an outage')
    .action(runner.action(status))
}

async function status(session: Session, options: Options, name?: string): Promise<number> {
  const [all, found] = await Promise.all([
    session.view(),
    name === undefined && !options.watch ? losses(session) : null,
  ])
  const only = name === undefined ? null : findThing(all, name)
  const view = narrowed(all, only)
  if (options.watch) return watch(session, options, view, only)
  const atRisk = found?.nodes.flatMap(riskOf) ?? []
  session.out.answer({ ...view, atRisk }, () =>
    renderStatus(view, { ...lookOf(session, options), atRisk }),
  )
  return options.exitStatus ? { healthy: 0, warning: 3, outage: 8 }[view.health] : EXIT.done
}

/** Without it there is still everything that is now. */
async function losses(session: Session): Promise<{ nodes: readonly LossView[] } | null> {
  try {
    return await session.inCluster('survivability')
  } catch (error) {
    if (!(error instanceof HoldfastError) || session.signal.aborted) throw error
    return null
  }
}

/** A node whose loss something would not survive. */
function riskOf({ node, groups }: LossView): Risk[] {
  const lost = groups.filter((group) => group.wanted && group.to === null)
  return lost.length > 0 ? [{ node, groups: lost.map(({ group }) => group) }] : []
}

/** The same cluster with nothing in it but one thing and what it needs to be understood. */
function narrowed(view: ClusterView, only: Thing | null): ClusterView {
  if (!only) return view
  const isIt = (one: { id: string }) => one.id === idOf(only)
  const groups = view.groups.filter((group) => isIt(group) || group.resources.some(isIt))
  const owners = groups.flatMap((group) => [group.owner, group.movingTo])
  const nodes = view.nodes.filter((node) => isIt(node) || owners.includes(node.name))
  const shown = [...nodes, ...groups, ...groups.flatMap((group) => group.resources)]
  const problems = view.problems.filter(({ subject }) => shown.some((s) => s.name === subject))
  const held = view.groups.filter((group) => only.kind === 'node' && group.owner === only.node.name)
  return { ...view, nodes, groups: [...groups, ...held], problems }
}

const lookOf = ({ out }: Session, { wide }: Options): StatusOptions => ({
  ...out.look,
  wide: wide ?? false,
})

/** Looks again whenever the stream says that something has happened; never on a schedule. */
async function watch(
  session: Session,
  options: Options,
  first: ClusterView,
  only: Thing | null,
): Promise<number> {
  const feed = await session.feed(first.seq)
  let seen = first
  let staleSinceMs: number | null = null
  try {
    await show(session, options, null, first, [], staleSinceMs)
    for (;;) {
      const notes = await feed.next()
      const now = notes.every((one) => one.kind === 'away')
        ? null
        : await unlessAway(() => session.view())
      const next = now && narrowed(now, only)
      if (!next) staleSinceMs ??= seen.nowMs
      else staleSinceMs = null
      await show(session, options, seen, next ?? seen, notes, staleSinceMs)
      seen = next ?? seen
    }
  } catch (error) {
    if (session.signal.aborted) return EXIT.interrupted
    throw error
  } finally {
    feed.close()
  }
}

async function show(
  session: Session,
  options: Options,
  before: ClusterView | null,
  view: ClusterView,
  notes: readonly Note[],
  staleSinceMs: number | null,
): Promise<void> {
  const { out } = session
  const stale = staleSinceMs === null ? {} : { staleSinceMs }
  if (out.repaints) {
    const screen = renderStatus(withoutAges(view), { ...lookOf(session, options), ...stale })
    out.repaint(screen)
    return
  }
  if (!before) {
    out.item(view, () => renderStatus(view, lookOf(session, options)))
    return
  }
  const at = new Date(view.nowMs).toISOString()
  const changes = diffViews(before, view).map((change) => `${at}  ${change}`)
  // Two looks miss what came and went between them; the updates do not.
  const decided = (await eventsIn(session, notes)).map(eventLine)
  if (decided.length + changes.length > 0) out.item(view, () => [...decided, ...changes].join('\n'))
}

/** "Answered 120 ms ago" would stand there for hours: an idle cluster has nothing to tell. */
const withoutAges = (view: ClusterView): ClusterView => ({
  ...view,
  nodes: view.nodes.map((node) => ({ ...node, lastAnswerAgoMs: null })),
})
