import type { Command } from 'commander'
import type { Usage } from '../../schema/api/usage.ts'
import type { Runner } from '../command.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'

export function addUsage(program: Command, runner: Runner): void {
  program
    .command('usage')
    .description(
      'what the organisation has of clusters, nodes, groups and storage, and what it may have',
    )
    .action(runner.action(showUsage))
}

async function showUsage(session: Session): Promise<undefined> {
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
