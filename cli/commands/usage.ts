import type { Command } from 'commander'
import type { Usage } from '../../schema/api/usage.ts'
import { instant, type Runner } from '../command.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'

export function addUsage(program: Command, runner: Runner): void {
  program
    .command('usage')
    .description(
      'what the organisation has of clusters, nodes, groups and storage, and what it may have',
    )
    .addOption(instant('--since', 'day by day from then on, in place of what there is now'))
    .action(runner.action(showUsage))
}

async function showUsage(session: Session, { since }: { since?: number }): Promise<undefined> {
  if (since !== undefined) return showDays(session, since)
  const whole = await session.call('getUsage', {})
  for (let last = whole.each.at(-1); last && whole.each.length < whole.clusters; ) {
    const { each } = await session.call('getUsage', { query: { after: last.cluster } })
    if (each.length === 0) break
    whole.each.push(...each)
    last = each.at(-1)
  }
  session.out.answer(whole, () => render(whole))
  return undefined
}

async function showDays(session: Session, since: number): Promise<undefined> {
  const from = new Date(since).toISOString().slice(0, 10)
  const whole = await session.call('getUsage', { query: { from } })
  const rows = (whole.days ?? []).map((one) => [
    one.day,
    ...[one.clusters, one.nodes, one.groups, one.nodeHours, one.apiCalls].map(String),
    ...[one.webhooks, one.failovers].map(String),
  ])
  const titles = [
    'day',
    'clusters',
    'nodes',
    'groups',
    'node hours',
    'calls',
    'webhooks',
    'failovers',
  ]
  session.out.answer(whole, () => table(titles, rows))
  return undefined
}

function render({ organisation, quotas, clusters, each }: Usage): string {
  const rows = each.map(({ cluster, usage }) =>
    usage
      ? [
          cluster,
          ...[usage.nodes, usage.groups, usage.resources].map(String),
          `${(usage.storedBytes / 1_048_576).toFixed(1)} MB`,
        ]
      : [cluster, 'does not answer'],
  )
  const most = ['may have', ...[quotas.nodes, quotas.groups, quotas.resources].map(String), '']
  return [
    `${organisation}: ${clusters} of ${quotas.clusters} clusters`,
    table(['cluster', 'nodes', 'groups', 'resources', 'stored'], [...rows, most]),
  ].join('\n')
}
