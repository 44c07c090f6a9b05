import { type Command, Option } from 'commander'
import type { ClusterView, MoveMethod } from '../../schema/api/bodies.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { duration, type Runner } from '../command.ts'
import type { Session } from '../session.ts'
import { watchBegun } from '../watch-operation.ts'

export interface WaitOptions {
  /** Milliseconds; false: --no-wait. */
  wait: number | boolean
}

export function addMove(program: Command, runner: Runner): void {
  withWait(
    program
      .command('move')
      .description('planned, graceful move; leaves no rule behind')
      .argument('<group>')
      .option('--to <node>', 'default: the best possible node')
      .addOption(
        new Option('--method <method>', 'live, quick, stop, or the first of these that can be done')
          .choices(['auto', 'live', 'quick', 'stop'])
          .default('auto'),
      )
      .addOption(duration('--stick', 'it stays there so long, whatever it prefers (needs --to)'))
      .option('--reason <text>', 'why it is to stay'),
  ).action(runner.action(move))
}

/** S-91: each with its own rules. */
export function addVerbs(program: Command, runner: Runner): void {
  const about = {
    failover: 'takes it elsewhere as if it had failed; counts against its threshold',
    failback: 'takes it back to the node that it prefers, now',
  } as const
  for (const verb of ['failover', 'failback'] as const)
    withWait(program.command(verb).description(about[verb]).argument('<group>')).action(
      runner.action((session, options: WaitOptions, name: string) =>
        leave(session, options, name, verb === 'failover' ? 'failoverGroup' : 'failbackGroup'),
      ),
    )
}

export function addOnline(program: Command, runner: Runner): void {
  for (const verb of ['online', 'offline'] as const)
    withWait(
      program
        .command(verb)
        .description(`wants a group, or one resource, ${verb}`)
        .argument('<group-or-resource>'),
    ).action(
      runner.action((session, options: WaitOptions, name: string) =>
        want(session, options, name, verb),
      ),
    )
}

export function withWait(command: Command, ms = 60_000): Command {
  return command
    .addOption(duration('--wait', 'how long to wait for it').default(ms, `${ms / 1_000}s`))
    .option('--no-wait', 'only asks for it')
}

export const limitOf = ({ wait }: WaitOptions) => (typeof wait === 'number' ? wait : null)

async function move(
  session: Session,
  options: WaitOptions & { to?: string; method: MoveMethod; stick?: number; reason?: string },
  group: string,
): Promise<number> {
  const { to, method, stick, reason } = options
  const body = {
    method,
    ...(to !== undefined && { to }),
    ...(stick !== undefined && {
      stick: { forMs: stick, ...(reason !== undefined && { reason }) },
    }),
  }
  const begun = await session.inCluster('moveGroup', { params: { group }, body })
  return watchBegun(session, begun, limitOf(options), `group ${group} is where it is to be`)
}

async function leave(
  session: Session,
  options: WaitOptions,
  group: string,
  route: 'failoverGroup' | 'failbackGroup',
): Promise<number> {
  const begun = await session.inCluster(route, { params: { group } })
  return watchBegun(session, begun, limitOf(options), `group ${group} is where it is to be`)
}

type Verb = 'online' | 'offline'

async function want(
  session: Session,
  options: WaitOptions,
  name: string,
  verb: Verb,
): Promise<number> {
  const view = await session.view()
  const is = (one: { id: string; name: string }) => one.id === name || one.name === name
  const group = view.groups.find(is)
  const resource = resourcesOf(view).find(is)
  if (group && resource)
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `"${name}" is a group and a resource`,
      why: 'Both have this name.',
      remedy: `The resource: holdfast resource ${verb} ${name}   The group: holdfast ${verb} ${group.id}`,
    })
  if (resource) return wantResource(session, options, resource.id, verb)
  return wantGroup(session, options, group?.id ?? name, verb)
}

const resourcesOf = (view: ClusterView) => view.groups.flatMap((group) => group.resources)

async function wantGroup(
  session: Session,
  options: WaitOptions,
  group: string,
  verb: Verb,
): Promise<number> {
  const route = verb === 'online' ? 'onlineGroup' : 'offlineGroup'
  const begun = await session.inCluster(route, { params: { group } })
  return watchBegun(session, begun, limitOf(options), `group ${group} is empty`)
}

export async function wantResource(
  session: Session,
  options: WaitOptions,
  resource: string,
  verb: Verb,
): Promise<number> {
  const route = verb === 'online' ? 'onlineResource' : 'offlineResource'
  const begun = await session.inCluster(route, { params: { resource } })
  return watchBegun(session, begun, limitOf(options), `resource ${resource} is ${verb}`)
}
