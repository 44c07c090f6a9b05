import { type Command, Option } from 'commander'
import type { Body } from '../../schema/api/routes.ts'
import { duration, noun, type Runner, wholeNumber } from '../command.ts'
import { formatInstant } from '../duration.ts'
import { EXIT } from '../exit-codes.ts'
import { renderStatus } from '../render-status.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'
import { addBackup } from './cluster-backup.ts'
import { addClusterEnd } from './cluster-end.ts'
import { addPublishing } from './cluster-publish.ts'

export function addCluster(program: Command, runner: Runner): void {
  const cluster = noun('cluster', 'clusters of this account')
  cluster.command('list').description('all of them').action(runner.action(listAll))
  cluster
    .command('create')
    .description('forms a cluster')
    .argument('<name>')
    .addOption(
      new Option('--profile <name>', 'times of the leases')
        .choices(['fast', 'standard', 'wan', 'test'])
        .default('standard'),
    )
    .action(runner.action(create))
  cluster
    .command('show')
    .description('one cluster, with all columns')
    .argument('[name]')
    .action(runner.action(show))
  cluster
    .command('health')
    .description('whether the managers of a cluster do their work; exit code 3 when one does not')
    .argument('[name]')
    .action(runner.action(health))
  cluster
    .command('change')
    .description(
      'changes the takeover policy (what becomes of the groups of a node that is lost), the placement policy or how much is started at a time',
    )
    .argument('[name]')
    .addOption(
      new Option(
        '--takeover <policy>',
        'lease: by its lease; fence: by a confirmed fence only',
      ).choices(['lease', 'fence']),
    )
    .addOption(
      new Option(
        '--placement <policy>',
        'which node is asked first: by list order, with the fewest groups, with the most room',
      ).choices(['list', 'least-active', 'capacity']),
    )
    .option(
      '--starts-per-node <number>',
      'resources that one node starts at the same time, the most important ones first',
      wholeNumber,
    )
    .action(runner.action(change))
  addPublishing(cluster, runner)
  addBackup(cluster, runner)
  addClusterEnd(cluster, runner)
  program.addCommand(cluster)
}

export function addToken(program: Command, runner: Runner): void {
  const token = noun('token', 'join tokens, by which hosts become nodes')
  token
    .command('create')
    .description('makes one; it is shown once')
    .option('--uses <number>', 'how many hosts may join with it', wholeNumber, 1)
    .addOption(duration('--ttl', 'how long it is valid').default(3_600_000, '1h'))
    .action(runner.action(createToken))
  program.addCommand(token)
}

async function listAll(session: Session): Promise<undefined> {
  const answer = await session.call('listClusters')
  const rows = answer.clusters.map((one) => [
    one.name,
    one.profile,
    new Date(one.createdAtMs).toISOString().slice(0, 19),
    one.id,
  ])
  session.out.answer(answer, () => table(['name', 'profile', 'created', 'id'], rows))
}

async function create(
  session: Session,
  options: { profile: 'fast' | 'standard' | 'wan' | 'test' },
  name: string,
): Promise<undefined> {
  const made = await session.call('createCluster', { body: { name, profile: options.profile } })
  session.out.answer(made, () => `cluster ${made.name} formed (${made.id})`)
  session.out.note(`next: holdfast token create --cluster ${made.name}`)
}

async function show(session: Session, _: unknown, name?: string): Promise<undefined> {
  if (name !== undefined) session.select(name)
  const view = await session.view()
  session.out.answer(view, () => renderStatus(view, { ...session.out.look, wide: true }))
}

async function health(session: Session, _: unknown, name?: string): Promise<number> {
  if (name !== undefined) session.select(name)
  const answer = await session.inCluster('clusterHealth')
  const rows = answer.managers.map((one) => [one.manager, one.ok ? 'ok' : 'NOT OK', one.detail])
  session.out.answer(answer, () => table(['manager', 'state', 'detail'], rows))
  return answer.ok ? EXIT.done : EXIT.problems
}

async function change(
  session: Session,
  options: Body<'changeCluster'>,
  name?: string,
): Promise<undefined> {
  if (name !== undefined) session.select(name)
  const { takeover, placement, startsPerNode } = options
  const body = {
    ...(takeover && { takeover }),
    ...(placement && { placement }),
    ...(startsPerNode !== undefined && { startsPerNode }),
  }
  const answer = await session.inCluster('changeCluster', { body })
  const said = [
    takeover && `takeover by ${takeover}`,
    placement && `placement by ${placement}`,
    startsPerNode && `${startsPerNode} starts at a time on each node`,
  ]
  session.out.answer(answer, () => `${said.filter(Boolean).join(', ')} (seq ${answer.seq})`)
  const { nodes } = await session.view()
  const without = nodes.filter((node) => !node.fence).map((node) => node.name)
  if (takeover === 'fence' && without.length > 0)
    session.out.note(
      `without a fence agent, so an operator has to confirm: ${without.join(', ')} (holdfast fence add)`,
    )
}

async function createToken(
  session: Session,
  options: { uses: number; ttl: number },
): Promise<undefined> {
  const made = await session.inCluster('createToken', {
    body: { uses: options.uses, ttlMs: options.ttl },
  })
  // The token alone is the data: it can go straight into a file or a pipe.
  session.out.answer(made, () => made.token)
  const uses = `${made.uses} ${made.uses === 1 ? 'host' : 'hosts'}`
  const until = formatInstant(made.expiresAtMs, Date.now())
  session.out.note(`for ${uses}, until ${until}; shown once. On the host: holdfast-probe join`)
}
