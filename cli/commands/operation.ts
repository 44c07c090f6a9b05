/** What was asked for and takes its time: it goes on whether or not anybody watches. */
import { type Command, Option } from 'commander'
import { noun, type Runner, wholeNumber } from '../command.ts'
import { operationList, operationText } from '../operation-text.ts'
import type { Session } from '../session.ts'
import { watchOperation } from '../watch-operation.ts'
import { limitOf, type WaitOptions, withWait } from './move.ts'

export function addOperation(program: Command, runner: Runner): void {
  const operation = noun('operation', 'moves, drains and starts: how far they are, how they went')
  operation
    .command('list')
    .description('newest first')
    .option('--open', 'only those that are not over')
    .option('--limit <n>', 'so many; 20 if not said', wholeNumber)
    .action(runner.action(list))
  operation
    .command('show')
    .description('one with its steps, their times and limits, and the outage of each group')
    .argument('<id>', 'such as u123')
    .action(runner.action(show))
  withWait(
    operation
      .command('watch')
      .description('until it is over; Ctrl-C ends the watching, not the operation')
      .argument('<id>', 'such as u123'),
    600_000,
  ).action(
    runner.action((session, options: WaitOptions, id: string) =>
      watchOperation(session, id, limitOf(options)),
    ),
  )
  operation
    .command('cancel')
    .description('takes back what has not been done yet, where that is possible')
    .argument('<id>', 'such as u123')
    .addOption(
      new Option('--failback <when>', 'of a drain: groups that have left already')
        .choices(['now', 'policy', 'never'])
        .default('policy'),
    )
    .action(runner.action(cancel))
  program.addCommand(operation)
}

async function list(
  session: Session,
  { open, limit }: { open?: true; limit?: number },
): Promise<undefined> {
  const answer = await session.inCluster('listOperations', {
    query: { ...(open && { open: 'true' as const }), ...(limit !== undefined && { limit }) },
  })
  session.out.answer(answer, () => operationList(answer.operations))
}

async function show(session: Session, _: unknown, operation: string): Promise<undefined> {
  const view = await session.inCluster('getOperation', { params: { operation } })
  session.out.answer(view, () => operationText(view))
}

async function cancel(
  session: Session,
  body: { failback: 'now' | 'policy' | 'never' },
  operation: string,
): Promise<undefined> {
  const params = { operation }
  const before = await session.inCluster('getOperation', { params })
  const { failback } = body
  const done = await session.inCluster('cancelOperation', { params, body: { failback } })
  session.out.answer(
    done,
    () => `operation ${operation} is cancelled: ${before.cancel ?? before.summary}`,
  )
}
