/** Commands by which a cluster is shown to anybody who has the link, and no longer. */
import { type Command, Option } from 'commander'
import type { StatusPageView } from '../../schema/api/status-page-routes.ts'
import { collect, type Runner } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import { EXIT } from '../exit-codes.ts'
import type { Session } from '../session.ts'

export function addPublishing(cluster: Command, runner: Runner): void {
  cluster
    .command('publish')
    .description(
      'makes a status page and a badge for anybody who has the link: states of groups only',
    )
    .argument('[name]')
    .addOption(
      new Option('--group <name>', 'is named there; may be given several times; others are counted')
        .argParser(collect)
        .conflicts('allGroups'),
    )
    .option('--all-groups', 'all are named there, also those that are made later')
    .option('--renew', 'makes another link, which ends the one before')
    .action(runner.action(publish))
  cluster
    .command('published')
    .description('where it is shown; exit code 3 if nowhere')
    .argument('[name]')
    .action(runner.action(published))
  cluster
    .command('unpublish')
    .description('the link leads nowhere any more')
    .argument('[name]')
    .addOption(yesOption())
    .action(runner.action(unpublish))
}

interface PublishOptions {
  group?: string[]
  allGroups?: true
  renew?: true
}

async function publish(
  session: Session,
  { group = [], allGroups, renew }: PublishOptions,
  name?: string,
): Promise<undefined> {
  if (name !== undefined) session.select(name)
  const body = { groups: allGroups ? ('all' as const) : group, renew: renew === true }
  const page = await session.inCluster('publishStatusPage', { body })
  session.out.answer(page, () => textOf(page))
  session.out.note('whoever has the link sees it; to end that: holdfast cluster unpublish')
}

async function published(session: Session, _: unknown, name?: string): Promise<number> {
  if (name !== undefined) session.select(name)
  const answer = await session.inCluster('getStatusPage')
  const { page } = answer
  session.out.answer(answer, () => (page ? textOf(page) : 'it is not published'))
  return page ? EXIT.done : EXIT.problems
}

async function unpublish(session: Session, options: YesOption, name?: string): Promise<undefined> {
  if (name !== undefined) session.select(name)
  const cluster = await session.cluster()
  await confirm(session, `unpublish cluster ${cluster}: its link leads nowhere any more`, options)
  const answer = await session.inCluster('unpublishStatusPage')
  session.out.answer(answer, () => (answer.was ? 'no longer published' : 'it was not published'))
}

function textOf({ url, badgeUrl, groups }: StatusPageView): string {
  const named = groups === 'all' ? 'all groups' : groups.join(', ')
  return `page   ${url}\nbadge  ${badgeUrl}\nnames  ${named || 'none'}`
}
