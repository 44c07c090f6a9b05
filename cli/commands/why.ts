import type { Command } from 'commander'
import type { WhyView } from '../../schema/api/why.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { instant, type Runner } from '../command.ts'
import { formatInstant } from '../duration.ts'
import type { Session } from '../session.ts'
import { clean, columns, type Look, paint, sign } from '../text.ts'
import { findThing, nameOf, type Thing } from '../things.ts'
import { eventLine } from './events.ts'

export function addWhy(program: Command, runner: Runner): void {
  program
    .command('why')
    .description('why a group is where it is, and why something is as it is')
    .argument('<name>', 'a group, resource or node; group/web where two have one name')
    .option('--on <node>', 'only the row of this node')
    .addOption(instant('--at', 'as it was then'))
    .action(runner.action(why))
}

interface Options {
  readonly on?: string
  readonly at?: number
}

async function why(session: Session, { on, at }: Options, name: string): Promise<undefined> {
  const view = await session.view()
  const answer = await askWhy(session, findThing(view, name), at)
  if (on !== undefined && !view.nodes.some((node) => node.name === on))
    throw new HoldfastError({
      code: 'NOT_FOUND',
      message: `there is no node "${on}"`,
      remedy: `These there are: ${view.nodes.map((node) => node.name).join(', ')}`,
    })
  const nodes = answer.nodes.filter((row) => on === undefined || row.node === on)
  const shown = { ...answer, nodes }
  session.out.answer(shown, () => renderWhy(shown, session.out.look))
}

/** @param atMs as it was then; absent: now */
export async function askWhy(session: Session, thing: Thing, atMs?: number): Promise<WhyView> {
  const name = nameOf(thing)
  const query = atMs === undefined ? {} : { atMs }
  switch (thing.kind) {
    case 'group':
      return session.inCluster('whyGroup', { params: { group: name }, query })
    case 'node':
      return session.inCluster('whyNode', { params: { node: name }, query })
    case 'resource':
      return session.inCluster('whyResource', { params: { resource: name }, query })
  }
}

/** Verdict first, then one row a node, then what led to it and what would change it. */
export function renderWhy(view: WhyView, look: Look, nowMs = Date.now()): string {
  const c = paint(look)
  const since = view.sinceMs === null ? '' : `  (since ${formatInstant(view.sinceMs, nowMs)})`
  const lines = [`${c.bold(clean(view.verdict))}${since}`]
  const rows = view.nodes.map((row) => ({
    indent: 2,
    cells: [
      row.node,
      row.eligible ? c.green('yes') : c.yellow('no'),
      row.owner ? `owner, ${clean(row.reason)}` : clean(row.reason),
    ],
  }))
  lines.push(...columns(rows, { ...look, width: Number.POSITIVE_INFINITY }))
  if (view.chain.length > 0) lines.push('what led to it')
  for (const event of view.chain) lines.push(`  ${eventLine(event)}`)
  if (view.change.length > 0) lines.push('what would change it')
  for (const one of view.change) lines.push(`  ${sign(look, 'arrow')} ${clean(one)}`)
  return lines.join('\n')
}
