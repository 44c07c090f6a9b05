import { type Command, Option } from 'commander'
import type { ClusterView, GroupView, MoveMethod, ResourceView } from '../../schema/api/bodies.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { duration, type Runner } from '../command.ts'
import { formatDuration } from '../duration.ts'
import type { Session } from '../session.ts'
import { EXIT_OF, type Progress, type Waited, waitFor } from '../wait.ts'

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
        leave(session, options, name, (params) =>
          session.inCluster(verb === 'failover' ? 'failoverGroup' : 'failbackGroup', { params }),
        ),
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
  name: string,
): Promise<number> {
  const { to, method, stick, reason } = options
  const body = {
    method,
    ...(to !== undefined && { to }),
    ...(stick !== undefined && {
      stick: { forMs: stick, ...(reason !== undefined && { reason }) },
    }),
  }
  return leave(
    session,
    options,
    name,
    (params) => session.inCluster('moveGroup', { params, body }),
    to,
  )
}

/** Asks for it, and waits until the group has come to rest elsewhere. */
async function leave(
  session: Session,
  options: WaitOptions,
  name: string,
  ask: (params: { group: string }) => Promise<{ seq: number }>,
  to?: string,
): Promise<number> {
  const params = { group: name }
  const before = await session.inCluster('getGroup', { params })
  const { seq } = await ask(params)
  const waited = await waitFor(
    session,
    () => session.inCluster('getGroup', { params: { group: before.id } }),
    (group) => moved(group, before.epoch),
    limitOf(options),
  )
  const { last } = waited
  const astray = waited.outcome === 'done' && (await isAstray(session, last, to))
  const outcome = astray ? 'problems' : waited.outcome
  return report(
    session,
    seq,
    { ...waited, outcome },
    {
      done: `group ${last.name} moved from ${before.owner ?? 'no node'} to ${last.owner}`,
      now: `group ${last.name} is ${groupNow(last)}`,
      going: `move of group ${last.name}`,
      document: { group: last },
    },
  )
}

/** It has a new owner's epoch and came to rest there. */
function moved(group: GroupView, epochBefore: number): Progress {
  if (group.state === 'waiting') return 'stuck'
  // Its state could not be carried as asked: it runs on where it was.
  if (group.epoch === epochBefore && group.phase === 'owned') return 'stuck'
  if (group.epoch <= epochBefore || group.phase !== 'owned') return 'going'
  return group.state === 'pending' ? 'going' : 'done'
}

/** It came to rest, but not as wished: it failed, or the target could not take it. */
async function isAstray(
  session: Session,
  group: GroupView,
  to: string | undefined,
): Promise<boolean> {
  if (group.state === 'failed') return true
  if (to === undefined || group.owner === to) return false
  const node = await session.inCluster('getNode', { params: { node: to } })
  return node.name !== group.owner
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
  const params = { group }
  const { seq } = await session.inCluster(verb === 'online' ? 'onlineGroup' : 'offlineGroup', {
    params,
  })
  const waited = await waitFor(
    session,
    () => session.inCluster('getGroup', { params }),
    (one) => (verb === 'online' ? groupOnline(one) : groupOffline(one)),
    limitOf(options),
  )
  const { last } = waited
  const where = verb === 'online' && last.owner ? ` on ${last.owner}` : ''
  return report(session, seq, waited, {
    done: `group ${last.name} is ${last.resources.length === 0 ? 'empty' : `${verb}${where}`}`,
    now: `group ${last.name} is ${groupNow(last)}`,
    going: `group ${last.name} ${verb}`,
    document: { group: last },
  })
}

function groupOnline(group: GroupView): Progress {
  if (group.resources.every((one) => one.status === 'online')) return 'done'
  return group.state === 'failed' || group.state === 'waiting' ? 'stuck' : 'going'
}

function groupOffline(group: GroupView): Progress {
  if (group.resources.every((one) => one.status === 'offline')) return 'done'
  return group.resources.some((one) => one.status === 'failed') ? 'stuck' : 'going'
}

export async function wantResource(
  session: Session,
  options: WaitOptions,
  resource: string,
  verb: Verb,
): Promise<number> {
  const params = { resource }
  const route = verb === 'online' ? 'onlineResource' : 'offlineResource'
  const { seq } = await session.inCluster(route, { params })
  const waited = await waitFor(
    session,
    () => session.inCluster('getResource', { params }),
    (one) => (one.status === verb ? 'done' : one.status === 'failed' ? 'stuck' : 'going'),
    limitOf(options),
  )
  const { last } = waited
  const where = verb === 'online' && last.node ? ` on ${last.node}` : ''
  return report(session, seq, waited, {
    done: `resource ${last.name} is ${verb}${where}`,
    now: `resource ${last.name} is ${resourceNow(last)}`,
    going: `resource ${last.name} ${verb}`,
    document: { resource: last },
  })
}

const groupNow = (group: GroupView) =>
  [
    group.owner ? `${group.state} on ${group.owner}` : group.state,
    ...group.waitingReasons.map(({ node, reason }) => `${node} ${reason}`),
    ...group.resources
      .filter((one) => one.status === 'failed')
      .map((one) => `${one.name} failed${one.detail ? `: ${one.detail}` : ''}`),
  ].join('; ')

const resourceNow = (one: ResourceView) => `${one.status}${one.detail ? `: ${one.detail}` : ''}`

interface Report {
  /** What is true when all went well. */
  done: string
  /** How it stands now. */
  now: string
  /** What was asked for. */
  going: string
  document: object
}

/** Data to stdout; how the wait ended to stderr, with what to do about it. */
function report(session: Session, seq: number, waited: Waited<unknown>, text: Report): number {
  const { outcome, tookMs } = waited
  const took = formatDuration(tookMs)
  const sentences = {
    done: `${text.done}, took ${took}`,
    notWaited: `asked for: ${text.going} (seq ${seq})`,
    problems: text.now,
    timeout: text.now,
    interrupted: text.now,
  }
  session.out.answer({ seq, outcome, tookMs, ...text.document }, () => sentences[outcome])
  if (outcome === 'problems') session.out.note('To see why: holdfast status, holdfast log')
  if (outcome === 'timeout')
    session.out.note(`Not done after ${took}; it goes on. Look again: holdfast status --watch`)
  if (outcome === 'interrupted')
    session.out.note(`No longer watched; it goes on. Look again: holdfast status --watch`)
  return EXIT_OF[outcome]
}
