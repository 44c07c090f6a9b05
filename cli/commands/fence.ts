import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ClusterView, NodeView } from '../../schema/api/bodies.ts'
import type { FenceTested } from '../../schema/api/fencing.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { duration, list, noun, type Runner, wholeNumber } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import { formatDuration, formatInstant } from '../duration.ts'
import { EXIT } from '../exit-codes.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'

export function addFence(program: Command, runner: Runner): void {
  const fence = noun('fence', 'ending the boot of a node that is lost, with proof')
  fence
    .command('list')
    .description('how each node is fenced, and what waits for a fence; exit code 4 if for you')
    .action(runner.action(listAll))
  fence
    .command('add')
    .description('sets the fence agent of a node; other nodes run it')
    .argument('<node>', 'the node that it switches off')
    .requiredOption('--agent <name>', 'ClusterLabs fence agent, e.g. fence_ipmilan')
    .option('--option <key=value>', 'what the agent takes; not for secrets', collectOption, {})
    .option('--secrets <name>', 'file in /etc/holdfast/fence on the helpers, only root reads it')
    .option('--helpers <nodes>', 'who may run it, in this order (default: every other node)', list)
    .addOption(duration('--timeout', 'for one attempt').default(60_000, '60s'))
    .option('--attempts <number>', 'of each helper before the next is asked', wholeNumber, 2)
    .addOption(duration('--delay', 'that a node whose connection closed may take to come back'))
    .option('--no-switch-on', 'leaves it off afterwards')
    .action(runner.action(add))
  fence
    .command('remove')
    .description('the node is fenced by an operator only from now on')
    .argument('<node>')
    .addOption(yesOption())
    .action(runner.action(remove))
  fence
    .command('test')
    .description('lets the helpers ask the fence agent for its status; switches nothing')
    .argument('<node>', 'the node whose fence agent is tried')
    .addOption(new Option('--helper <node>', 'only this helper'))
    .action(runner.action(test))
  fence
    .command('confirm')
    .description('states that a boot of a node is over: its groups are taken over at once')
    .argument('<node>')
    .option('--boot <id>', 'the boot that you looked at (default: the one shown)')
    .addOption(yesOption())
    .action(runner.action(confirmOver))
  program.addCommand(fence)
}

function collectOption(text: string, before: Record<string, string>): Record<string, string> {
  const found = /^([a-z][a-z0-9_-]*)=(.*)$/.exec(text)
  if (!found) throw new InvalidArgumentError('Write key=value, e.g. ip=10.0.0.7')
  return { ...before, [found[1] as string]: found[2] as string }
}

async function listAll(session: Session): Promise<number> {
  const view = await session.view()
  const rows = view.nodes.map((node) => [
    node.name,
    node.state,
    node.under,
    node.fence?.agent ?? 'operator only',
    node.fence?.helpers?.join(',') ?? (node.fence ? 'all others' : '-'),
    node.bootId ?? '-',
    lastOf(node, view.nowMs),
    waitText(node),
  ])
  const answer = {
    takeover: view.takeover,
    nodes: view.nodes.map(({ name, state, bootId, under, fence, lost, lastFence }) => {
      return { name, state, bootId, under, fence, lost, lastFence }
    }),
  }
  const head = ['name', 'state', 'takeover', 'agent', 'helpers', 'boot', 'last', 'now']
  session.out.answer(answer, () => `takeover by ${view.takeover}\n${table(head, rows)}`)
  const waiting = view.nodes.filter(needsSomebody)
  for (const node of waiting)
    session.out.note(
      `${node.name} waits for you: if its host is surely off: holdfast fence confirm ${node.name}`,
    )
  return waiting.length > 0 ? EXIT.waiting : EXIT.done
}

function lastOf({ lastFence }: NodeView, nowMs: number): string {
  if (!lastFence) return '-'
  const ago = formatDuration(Math.max(0, nowMs - lastFence.atMs))
  return `${lastFence.outcome === 'off' ? 'over' : 'FAILED'} ${ago} ago (${lastFence.by})`
}

/** Nothing goes on by itself any more, and groups hang on it. */
export const needsSomebody = ({ under, lost, groups }: NodeView): boolean =>
  under === 'fence' &&
  groups > 0 &&
  (lost?.waitsFor === 'confirmation' || lost?.waitsFor === 'return')

function waitText({ lost }: NodeView): string {
  if (!lost) return '-'
  if (lost.helper) return `${lost.helper} is fencing it`
  return {
    lease: 'lost; its lease may run',
    fence: 'lost; to be fenced',
    return: 'lost; no helper is there',
    confirmation: 'lost; waits for a confirmation',
  }[lost.waitsFor]
}

interface AddOptions {
  readonly agent: string
  readonly option: Record<string, string>
  readonly secrets?: string
  readonly helpers?: string[]
  readonly timeout: number
  readonly attempts: number
  readonly delay?: number
  readonly switchOn: boolean
}

async function add(session: Session, options: AddOptions, node: string): Promise<undefined> {
  const { agent, attempts, switchOn } = options
  const answer = await session.inCluster('setFence', {
    params: { node },
    body: {
      agent,
      options: options.option,
      secrets: options.secrets ?? null,
      helpers: options.helpers ?? null,
      timeoutMs: options.timeout,
      attempts,
      delayMs: options.delay ?? null,
      switchOn,
    },
  })
  session.out.answer(answer, () => `node ${node}: fenced with ${agent} (seq ${answer.seq})`)
  session.out.note(`try it, harmless: holdfast fence test ${node}`)
}

async function remove(session: Session, options: YesOption, node: string): Promise<undefined> {
  await confirm(session, `leave the fencing of ${node} to operators`, options)
  const answer = await session.inCluster('removeFence', { params: { node } })
  session.out.answer(answer, () => `node ${node}: no fence agent (seq ${answer.seq})`)
}

async function test(session: Session, options: { helper?: string }, node: string): Promise<number> {
  const body = options.helper === undefined ? {} : { helper: options.helper }
  const tested = await session.inCluster('testFence', { params: { node }, body })
  session.out.answer(tested, () =>
    table(['helper', 'action', 'ok', 'took', 'said'], rowsOf(tested)),
  )
  const bad = tested.helpers.some((h) => h.fault !== null || h.probes.some((p) => !p.ok))
  return bad ? EXIT.problems : EXIT.done
}

function rowsOf({ helpers }: FenceTested): string[][] {
  return helpers.flatMap(({ helper, fault, probes }) =>
    fault !== null
      ? [[helper, '-', 'NO', '-', fault]]
      : probes.map((p) => [
          helper,
          p.action,
          p.ok ? 'yes' : 'NO',
          formatDuration(p.tookMs),
          p.detail,
        ]),
  )
}

interface ConfirmOptions extends YesOption {
  readonly boot?: string
}

/** F5: what is stated is what was shown, and if that is not so any more, nothing is done. */
async function confirmOver(
  session: Session,
  options: ConfirmOptions,
  name: string,
): Promise<undefined> {
  const view = await session.view()
  const node = view.nodes.find((one) => one.name === name || one.id === name)
  const boot = options.boot ?? node?.bootId
  if (!node || !boot) throw node ? neverReported(name) : notThere(name, view)
  // One that is connected is refused there; nobody has to be asked first.
  if (!node.connected) {
    session.out.note(shown(view, node, boot))
    await confirm(session, `state that boot ${boot} of ${node.name} is over`, options)
  }
  const answer = await session.inCluster('confirmFence', {
    params: { node: node.name },
    body: { boot, view: view.view },
  })
  session.out.answer({ ...answer, boot, view: view.view }, () =>
    node.state === 'down'
      ? `node ${node.name} is Down already: nothing waited for it (seq ${answer.seq})`
      : `node ${node.name}: boot ${boot} is over (seq ${answer.seq})`,
  )
}

/** What is stated, and what hangs on it. */
function shown(view: ClusterView, node: NodeView, boot: string): string {
  const owned = view.groups.filter((g) => g.owner === node.name).map((g) => g.name)
  const other = boot === node.bootId ? '' : ` (the cluster knows boot ${node.bootId ?? 'none'})`
  return [
    `node ${node.name}: ${node.state}, no session; owns ${owned.join(', ') || 'nothing'}`,
    `boot ${boot}${other}, view ${view.view}, ${formatInstant(view.nowMs, view.nowMs)}`,
    'If that host still runs, its groups will run on two hosts at once: look at it, or pull its plug.',
  ].join('\n')
}

const notThere = (name: string, view: ClusterView) =>
  new HoldfastError({
    code: 'NOT_FOUND',
    message: `there is no node "${name}"`,
    why: `Of nodes, ${view.name} has these: ${view.nodes.map((n) => n.name).join(', ') || 'none'}.`,
    remedy: 'List them: holdfast fence list',
  })

const neverReported = (name: string) =>
  new HoldfastError({
    code: 'FENCE_CONFLICT',
    message: `node "${name}" has never reported a boot`,
    why: 'There is nothing that could be over.',
    remedy: `Start its host, or remove the node: holdfast node remove ${name}`,
  })
