/** `holdfast maintenance run`: all hosts, one after the other. */
import { type Command, Option } from 'commander'
import type { ClusterView } from '../../schema/api/bodies.ts'
import type { SimulatedGroup } from '../../schema/api/simulate.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { duration, list, type Runner } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import { formatDuration } from '../duration.ts'
import { EXIT } from '../exit-codes.ts'
import { type Plan, type Rolled, roll, staying } from '../rolling.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'
import { findThing } from '../things.ts'

interface Options extends YesOption {
  nodes?: string[]
  from?: string
  failback: 'now' | 'policy' | 'never'
  reboots?: true
  drainLimit: number
  backLimit: number
  settleLimit: number
  dryRun?: true
}

const ABOUT = `
For each node: its groups leave it, the command runs on this machine, the node is looked at when it is
back, it takes groups again, and only then comes the next one. In the command {} is the node's name, and so
is $HOLDFAST_NODE. Without a command each node is yours until Enter, or until somebody says "holdfast node
resume NODE" (a hook does so over the API). The first problem ends it.

Examples:
  holdfast maintenance run -- ssh root@{} apt-get -y upgrade
  holdfast maintenance run --reboots --failback now -- ssh root@{} systemctl reboot
  holdfast maintenance run --nodes n3,n1
`

export function addMaintenanceRun(maintenance: Command, runner: Runner): void {
  maintenance
    .command('run')
    .description('works on one host after the other, each drained before and well again after')
    .argument('[command...]', 'run on this machine for each node; write -- before it')
    .option('--nodes <names>', 'these, in this order; else all in the order of the node list', list)
    .option('--from <node>', 'goes on from this one')
    .addOption(
      new Option('--failback <when>', 'groups that left a node, once it takes groups again')
        .choices(['now', 'policy', 'never'])
        .default('policy'),
    )
    .option('--reboots', 'each host is another boot afterwards, and that is waited for')
    .addOption(duration('--drain-limit', 'how long a drain may take').default(600_000, '10m'))
    .addOption(duration('--back-limit', 'how long a host may be away').default(900_000, '15m'))
    .addOption(duration('--settle-limit', 'until all is online again').default(300_000, '5m'))
    .addOption(yesOption())
    .addHelpText('after', ABOUT)
    .action(runner.action(run))
}

async function run(session: Session, options: Options, command: string[]): Promise<number> {
  const view = await session.view()
  const nodes = chosen(view, options)
  if (options.dryRun) return dryRun(session, view, nodes)
  const what = command.length > 0 ? `, and run ${command.join(' ')} for each` : ''
  await confirm(session, `drain ${nodes.join(', ')} one after the other${what}`, options)
  const plan: Plan = {
    ...{ nodes, command, failback: options.failback, reboots: options.reboots ?? false },
    drainMs: options.drainLimit,
    backMs: options.backLimit,
    settleMs: options.settleLimit,
  }
  const rolled = await roll(session, plan)
  session.out.answer(rolled, () => resultText(rolled, nodes))
  if (rolled.outcome !== 'done') advise(session, rolled, nodes, options, command)
  return EXIT[rolled.outcome]
}

function chosen(view: ClusterView, { nodes, from }: Options): string[] {
  const all = nodes ?? view.nodes.map((n) => n.name)
  const names = all.map((typed) => nodeName(view, typed))
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw unusable(`${twice} is named twice in --nodes`)
  if (names.length === 0) throw unusable('there are no nodes to work on')
  if (from === undefined) return names
  const at = names.indexOf(nodeName(view, from))
  if (at < 0) throw unusable(`--from ${from} is none of ${names.join(', ')}`)
  return names.slice(at)
}

function nodeName(view: ClusterView, typed: string): string {
  const thing = findThing(view, `node/${typed}`)
  if (thing.kind !== 'node') throw unusable(`${typed} is no node`)
  return thing.node.name
}

const unusable = (message: string) =>
  new HoldfastError({
    code: 'BAD_REQUEST',
    message,
    why: 'Nothing was done.',
    remedy: 'Name each node once, in the order in which they are to be worked on: --nodes n1,n2',
  })

/** What each drain would do to the cluster of now. */
async function dryRun(
  session: Session,
  view: ClusterView,
  nodes: readonly string[],
): Promise<number> {
  const drains: { node: string; groups: SimulatedGroup[]; stays: string[] }[] = []
  for (const node of nodes) {
    const body = { what: 'drain' as const, nodes: [node] }
    const { groups } = await session.inCluster('simulate', { body })
    drains.push({ node, groups, stays: staying(view, node, groups) })
  }
  const rows = drains.flatMap(({ node, groups, stays }) => [
    ...groups.map((g) => [node, g.group, g.to ?? 'nowhere']),
    ...stays.map((name) => [node, name, `nowhere: holdfast why ${name}`]),
    ...(groups.length + stays.length === 0 ? [[node, '-', '-']] : []),
  ])
  session.out.answer({ drains }, () => table(['node', 'group', 'to'], rows))
  return drains.some(({ stays }) => stays.length > 0) ? EXIT.problems : EXIT.done
}

function resultText(rolled: Rolled, nodes: readonly string[]): string {
  const rows = rolled.worked.map((one) => [
    one.node,
    one.outage ?? 'no outage',
    formatDuration(one.workMs),
    formatDuration(one.tookMs),
  ])
  const lines = rows.length > 0 ? [table(['node', 'groups', 'work', 'in all'], rows)] : []
  if (rolled.outcome === 'done') return [...lines, `all of ${nodes.join(', ')} done`].join('\n')
  return [...lines, `stopped at ${rolled.at} (${rolled.during}): ${rolled.why}`].join('\n')
}

/** How to go on, and how to leave it. */
function advise(
  { out }: Session,
  { at, during }: Exclude<Rolled, { outcome: 'done' }>,
  nodes: readonly string[],
  options: Options,
  command: readonly string[],
): void {
  const words = [
    ...['holdfast maintenance run --nodes', nodes.slice(nodes.indexOf(at)).join(',')],
    ...(options.failback === 'policy' ? [] : ['--failback', options.failback]),
    ...(options.reboots ? ['--reboots'] : []),
    ...(command.length > 0 ? ['--', ...command.map(quoted)] : []),
  ]
  if (during !== 'check' && during !== 'settle')
    out.note(`Node ${at} is still drained. When it is well: holdfast node resume ${at}`)
  out.note(`Nothing was done to the nodes after it. To go on from ${at}: ${words.join(' ')}`)
}

/** As a shell takes it for one word. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./{}-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
