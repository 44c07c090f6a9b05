/** The end of a cluster. */
import type { Command } from 'commander'
import type { Runner } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import type { Session } from '../session.ts'

export function addClusterEnd(cluster: Command, runner: Runner): void {
  cluster
    .command('delete')
    .description('deletes a cluster with its configuration, history and logs, for good')
    .argument('<name>')
    .option('--force', 'also while groups run; their hosts stop them when their leases end')
    .addOption(yesOption())
    .action(runner.action(remove))
}

async function remove(
  session: Session,
  { force = false, ...options }: YesOption & { force?: boolean },
  named: string,
): Promise<undefined> {
  session.select(named)
  const { id, name } = await session.view()
  await confirm(
    session,
    `delete cluster ${name} with its configuration, history and logs, for good`,
    options,
  )
  const body = { confirm: name, force }
  const done = await session.call('deleteCluster', { params: { cluster: id }, body })
  session.out.answer(done, () => `cluster ${done.cluster} is deleted`)
}
