import { type Command, InvalidArgumentError } from 'commander'
import type { GroupView } from '../../schema/api/bodies.ts'
import { type Failback, failbackText, parseFailback } from '../../schema/api/bodies.ts'
import type { Body } from '../../schema/api/routes.ts'
import { type AmountsOption, amountsOrNone, amountsText } from '../amounts.ts'
import { duration, list, noun, type Runner } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import { formatDuration } from '../duration.ts'
import { stickText } from '../render-status.ts'
import type { Session } from '../session.ts'
import { facts, table } from '../text.ts'

interface Settings {
  name?: string
  preferredOwners?: string[]
  failoverThreshold?: number | 'default'
  failoverPeriod?: number
  failback?: Failback
  priority?: number
  needs?: AmountsOption
  after?: string[]
  onlyWhile?: string[]
}

export function addGroup(program: Command, runner: Runner): void {
  const group = noun('group', 'resources that live together on one node').alias('role')
  group.command('list').description('all groups').action(runner.action(listGroups))
  group.command('show').description('one group').argument('<group>').action(runner.action(show))
  withSettings(
    group.command('create').description('makes an empty group').argument('<name>'),
  ).action(runner.action(create))
  withSettings(group.command('change').description('changes name or settings').argument('<group>'))
    .option('--name <new>', 'new name')
    .action(runner.action(change))
  group
    .command('delete')
    .description('removes an empty group')
    .argument('<group>')
    .addOption(yesOption())
    .action(runner.action(remove))
  group
    .command('unstick')
    .description('it need not stay where `move --stick` has put it any more')
    .argument('<group>')
    .action(runner.action(unstick))
  program.addCommand(group)
}

function withSettings(command: Command): Command {
  return command
    .option('--preferred-owners <nodes>', 'in this order, e.g. n1,n2; "" for none', list)
    .option(
      '--failover-threshold <number>',
      'failovers allowed in the period; "default" is nodes - 1',
      threshold,
    )
    .addOption(duration('--failover-period', 'e.g. 6h'))
    .option(
      '--failback <when>',
      'back to a preferred owner: off, at-once, or within hours, e.g. 22:00-04:00@Europe/Berlin',
      failback,
    )
    .option('--priority <number>', 'higher is placed first, and displaces lower; default 0', whole)
    .option('--after <groups>', 'comes online when these are; "" for none', list)
    .option('--only-while <groups>', 'is online only while these are; "" for none', list)
    .option('--needs <amounts>', 'what it takes of a node, e.g. mem=8,cpu=2; "none"', amountsOrNone)
}

function whole(text: string): number {
  if (/^-?\d{1,7}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Write a whole number.')
}

function failback(text: string): Failback {
  const parsed = parseFailback(text)
  if (parsed) return parsed
  throw new InvalidArgumentError(
    'Write off, at-once, or hours with a time zone: 22:00-04:00@Europe/Berlin.',
  )
}

function threshold(text: string): number | 'default' {
  if (text === 'default') return text
  if (/^\d{1,4}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Write a whole number, or "default".')
}

const settingsOf = (options: Settings): Omit<Body<'changeGroup'>, 'name'> => ({
  ...(options.preferredOwners && { preferredOwners: options.preferredOwners }),
  ...(options.failoverThreshold !== undefined && {
    failoverThreshold: options.failoverThreshold === 'default' ? null : options.failoverThreshold,
  }),
  ...(options.failoverPeriod !== undefined && { failoverPeriodMs: options.failoverPeriod }),
  ...(options.failback && { failback: options.failback }),
  ...(options.priority !== undefined && { priority: options.priority }),
  ...(options.after && { after: options.after }),
  ...(options.onlyWhile && { onlyWhile: options.onlyWhile }),
  ...(options.needs !== undefined && { needs: options.needs === 'none' ? {} : options.needs }),
})

async function listGroups(session: Session): Promise<undefined> {
  const answer = await session.inCluster('listGroups')
  const rows = answer.groups.map((group) => [
    group.name,
    group.state,
    group.owner ?? '-',
    String(group.epoch),
    String(group.resources.length),
    group.preferredOwners.join(',') || '-',
    group.id,
  ])
  session.out.answer(answer, () =>
    table(['name', 'state', 'owner', 'epoch', 'resources', 'preferred', 'id'], rows),
  )
}

async function show(session: Session, _: unknown, name: string): Promise<undefined> {
  const group = await session.inCluster('getGroup', { params: { group: name } })
  session.out.answer(group, () => facts(groupFacts(group)))
}

export function groupFacts(group: GroupView): string[][] {
  const failovers = `${group.recentFailovers} of ${group.failoverThreshold} in ${formatDuration(group.failoverPeriodMs)}`
  return [
    ['group', group.name],
    ['id', group.id],
    ['state', group.state],
    ['owner', group.owner ?? '-'],
    ['moving to', group.movingTo ?? '-'],
    ['epoch', String(group.epoch)],
    ['preferred', group.preferredOwners.join(', ') || '-'],
    ...(group.stick ? [['stays on', stickText(group.stick, Date.now())]] : []),
    ['failovers', failovers],
    ['failback', failbackText(group.failback)],
    ['priority', String(group.priority)],
    ['needs', amountsText(group.needs)],
    ['after', group.after.join(', ') || '-'],
    ['only while', group.onlyWhile.join(', ') || '-'],
    ...group.waitsFor.map((name) => ['waiting', `for ${name} to be online`]),
    ...group.waitingReasons.map(({ node, reason }) => ['waiting', `${node}: ${reason}`]),
    ...group.resources.map((one) => ['resource', `${one.name} (${one.type}) ${one.status}`]),
  ]
}

async function unstick(session: Session, _: unknown, group: string): Promise<undefined> {
  const done = await session.inCluster('unstickGroup', { params: { group } })
  session.out.answer(done, () => `group ${group} goes where its policies have it (seq ${done.seq})`)
}

async function create(session: Session, options: Settings, name: string): Promise<undefined> {
  const done = await session.inCluster('createGroup', { body: { name, ...settingsOf(options) } })
  session.out.answer(done, () => `group ${name} made (seq ${done.seq})`)
}

async function change(session: Session, options: Settings, group: string): Promise<undefined> {
  const done = await session.inCluster('changeGroup', {
    params: { group },
    body: { ...(options.name && { name: options.name }), ...settingsOf(options) },
  })
  session.out.answer(done, () => `group ${options.name ?? group} changed (seq ${done.seq})`)
}

async function remove(session: Session, options: YesOption, group: string): Promise<undefined> {
  await confirm(session, `delete group ${group}`, options)
  const done = await session.inCluster('deleteGroup', { params: { group } })
  session.out.answer(done, () => `group ${group} removed (seq ${done.seq})`)
}
