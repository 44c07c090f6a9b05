import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ClusterView, GroupView, NodeView, ResourceView } from '../../schema/api/bodies.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { duration, type Runner } from '../command.ts'
import { formatDuration } from '../duration.ts'
import type { Session } from '../session.ts'
import { findThing, type Kind, nameOf, type Thing } from '../things.ts'
import { EXIT_OF, type Progress, waitFor } from '../wait.ts'

const STATES = ['online', 'offline', 'stable', 'up', 'down'] as const
type Goal = (typeof STATES)[number] | `on=${string}`

/** Which goals make sense for what. */
const GOALS: Readonly<Record<Kind, readonly string[]>> = {
  node: ['up', 'down', 'stable'],
  group: ['online', 'offline', 'stable', 'on=NODE'],
  resource: ['online', 'offline', 'stable', 'on=NODE'],
}

export function addWait(program: Command, runner: Runner): void {
  program
    .command('wait')
    .description('waits until a group, resource or node is as wished; exit code 124 when it is not')
    .argument('<name>', 'a group, resource or node')
    .addOption(
      new Option('--for <state>', 'online, offline, on=NODE, stable, up or down')
        .argParser(parseGoal)
        .makeOptionMandatory(),
    )
    .addOption(duration('--timeout', 'how long at most').default(300_000, '5m'))
    .action(runner.action(wait))
}

function parseGoal(text: string): Goal {
  const known = (STATES as readonly string[]).includes(text) || /^on=./.test(text)
  if (known) return text as Goal
  throw new InvalidArgumentError('Write online, offline, on=NODE, stable, up or down.')
}

interface WaitOptions {
  for: Goal
  timeout: number
}

async function wait(session: Session, options: WaitOptions, name: string): Promise<number> {
  const view = await session.view()
  const found = findThing(view, name)
  const goal = withNode(view, options.for)
  checkGoal(found, goal)
  // By kind and name from here on: the beginning of a name may fit more of them later.
  const full = `${found.kind}/${nameOf(found)}`
  const waited = await waitFor<Thing | null>(
    session,
    async () => findOrGone(await session.view(), full),
    (thing) => judge(thing, goal),
    options.timeout,
  )
  const { last, outcome, tookMs } = waited
  const seen = last ? `${last.kind} ${nameOf(last)} is ${stateOf(last)}` : `${full} is gone`
  const took = formatDuration(tookMs)
  session.out.answer({ for: goal, outcome, tookMs, seen, ...last }, () =>
    outcome === 'done' ? `${seen}, after ${took}` : seen,
  )
  if (outcome === 'timeout')
    session.out.note(
      `Not "${goal}" after ${took}; last seen: ${seen}. To see why: holdfast why ${nameOf(found)}`,
    )
  return EXIT_OF[outcome]
}

/** The node by its full name, and only one that there is. */
function withNode(view: ClusterView, goal: Goal): Goal {
  if (!goal.startsWith('on=')) return goal
  return `on=${nameOf(findThing(view, `node/${goal.slice(3)}`))}`
}

function checkGoal(thing: Thing, goal: Goal): void {
  const goals = GOALS[thing.kind]
  if (goals.includes(goal.replace(/^on=.*/, 'on=NODE'))) return
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: `a ${thing.kind} is never "${goal}"`,
    why: `For a ${thing.kind} one can wait for ${goals.join(', ')}.`,
    remedy: `holdfast wait ${thing.kind}/${nameOf(thing)} --for ${goals[0]}`,
  })
}

/** What has been deleted meanwhile is offline for good. */
function findOrGone(view: ClusterView, name: string): Thing | null {
  try {
    return findThing(view, name)
  } catch (error) {
    if (error instanceof HoldfastError && error.refusal.code === 'NOT_FOUND') return null
    throw error
  }
}

function judge(thing: Thing | null, goal: Goal): Progress {
  if (!thing) return goal === 'offline' || goal === 'down' ? 'done' : 'going'
  if (thing.kind === 'node') return isNode(thing.node, goal) ? 'done' : 'going'
  if (thing.kind === 'group') return isGroup(thing.group, goal) ? 'done' : 'going'
  return isResource(thing.resource, goal) ? 'done' : 'going'
}

function isNode(node: NodeView, goal: Goal): boolean {
  if (goal === 'up') return node.state === 'up' && node.connected
  if (goal === 'down') return node.state === 'down'
  return node.state !== 'leaving' && node.connected === (node.state === 'up')
}

function isGroup(group: GroupView, goal: Goal): boolean {
  if (goal === 'online') return group.state === 'online'
  if (goal === 'offline') return group.resources.every((one) => one.status === 'offline')
  if (goal === 'stable') return group.state !== 'pending' && group.phase !== 'releasing'
  return group.phase === 'owned' && group.owner === goal.slice(3) && group.state !== 'pending'
}

function isResource(one: ResourceView, goal: Goal): boolean {
  if (goal === 'online' || goal === 'offline') return one.status === goal
  const settled = !['onlinePending', 'offlinePending', 'unknown'].includes(one.status)
  return goal === 'stable' ? settled : settled && one.node === goal.slice(3)
}

function stateOf(thing: Thing): string {
  if (thing.kind === 'node')
    return `${thing.node.state}${thing.node.connected ? '' : ', without a session'}`
  if (thing.kind === 'group')
    return `${thing.group.state}${thing.group.owner ? ` on ${thing.group.owner}` : ''}`
  const { status, node, detail } = thing.resource
  return `${status}${node ? ` on ${node}` : ''}${detail ? ` (${detail})` : ''}`
}
