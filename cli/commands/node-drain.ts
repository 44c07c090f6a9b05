import type { Command } from 'commander'
import { duration, type Runner } from '../command.ts'
import type { Session } from '../session.ts'
import { watchBegun } from '../watch-operation.ts'
import { limitOf, type WaitOptions, withWait } from './move.ts'

export function addNodeDrain(node: Command, runner: Runner): void {
  withWait(
    node
      .command('drain')
      .description('its groups go elsewhere, each by the best way; `node resume` ends that')
      .argument('<node>')
      .option('--to <node>', 'is asked first; what it cannot take goes where it may')
      .addOption(duration('--deadline', 'then what has not begun to leave is stopped and started')),
    600_000,
  ).action(runner.action(drain))
}

async function drain(
  session: Session,
  options: WaitOptions & { to?: string; deadline?: number },
  node: string,
): Promise<number> {
  const { to, deadline: withinMs } = options
  const body = { ...(to !== undefined && { to }), ...(withinMs !== undefined && { withinMs }) }
  const begun = await session.inCluster('drainNode', { params: { node }, body })
  const operation = begun.operation ?? (await underWay(session, node))
  const nothing = `node ${node} is drained already`
  return watchBegun(session, { ...begun, operation }, limitOf(options), nothing)
}

/** It was asked for before: that one is watched. */
async function underWay(session: Session, typed: string): Promise<string | null> {
  const { name } = await session.inCluster('getNode', { params: { node: typed } })
  const { operations } = await session.inCluster('listOperations', { query: { open: 'true' } })
  const known = operations.find((one) => one.kind === 'drain' && one.subject.name === name)
  return known?.id ?? null
}
