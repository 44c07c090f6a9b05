import { type Command, Option } from 'commander'
import type { NodeView } from '../../schema/api/bodies.ts'
import { type AmountsOption, amountsOrNone, amountsText } from '../amounts.ts'
import { clockText } from '../clock-text.ts'
import { noun, type Runner } from '../command.ts'
import { heldBack } from '../diff-views.ts'
import { formatDuration } from '../duration.ts'
import type { Session } from '../session.ts'
import { facts, table } from '../text.ts'
import { addNodeDrain } from './node-drain.ts'
import { addNodeRemove } from './node-remove.ts'

export function addNode(program: Command, runner: Runner): void {
  const node = noun('node', 'hosts that joined')
  node
    .command('list')
    .description('the ordered node list')
    .option('--available', 'only nodes that may take groups')
    .action(runner.action(listNodes))
  node.command('show').description('one node').argument('<node>').action(runner.action(show))
  node
    .command('pause')
    .description('no new placements there; what runs goes on')
    .argument('<node>')
    .action(runner.action(pause))
  node
    .command('resume')
    .description('ends a pause, a drain or a quarantine')
    .argument('<node>')
    .addOption(
      new Option('--failback <when>', 'groups that left it when it was drained')
        .choices(['now', 'policy', 'never'])
        .default('policy'),
    )
    .action(runner.action(resume))
  node
    .command('set')
    .description('what it has, and what it fails together with')
    .argument('<node>')
    .option('--capacity <amounts>', 'e.g. mem=64,cpu=16; "none": no limits', amountsOrNone)
    .option('--fault-domain <name>', 'a rack, a room; "none"')
    .action(runner.action(set))
  addNodeDrain(node, runner)
  addNodeRemove(node, runner)
  program.addCommand(node)
}

async function pause(session: Session, _: unknown, node: string): Promise<undefined> {
  const answer = await session.inCluster('pauseNode', { params: { node } })
  session.out.answer(answer, () => `node ${node}: paused (seq ${answer.seq})`)
}

async function resume(
  session: Session,
  { failback }: { failback: 'now' | 'policy' | 'never' },
  node: string,
): Promise<undefined> {
  const answer = await session.inCluster('resumeNode', { params: { node }, body: { failback } })
  session.out.answer(answer, () => `node ${node}: takes groups again (seq ${answer.seq})`)
}

async function set(
  session: Session,
  options: { capacity?: AmountsOption; faultDomain?: string },
  node: string,
): Promise<undefined> {
  const { capacity, faultDomain } = options
  const answer = await session.inCluster('changeNode', {
    params: { node },
    body: {
      ...(capacity !== undefined && { capacity: capacity === 'none' ? null : capacity }),
      ...(faultDomain !== undefined && {
        faultDomain: faultDomain === 'none' ? null : faultDomain,
      }),
    },
  })
  session.out.answer(answer, () => `node ${node} changed (seq ${answer.seq})`)
}

async function listNodes(session: Session, options: { available?: true }): Promise<undefined> {
  const query = options.available ? ({ available: 'true' } as const) : {}
  const answer = await session.inCluster('listNodes', { query })
  const rows = answer.nodes.map((node) => [
    node.name,
    node.state + heldBack(node),
    node.connected ? 'yes' : 'no',
    String(node.groups),
    String(node.epoch),
    node.types.map((type) => type.type).join(',') || '-',
    node.id,
  ])
  session.out.answer(answer, () =>
    table(['name', 'state', 'session', 'groups', 'epoch', 'types', 'id'], rows),
  )
}

async function show(session: Session, _: unknown, name: string): Promise<undefined> {
  const node = await session.inCluster('getNode', { params: { node: name } })
  session.out.answer(node, () => facts(nodeFacts(node)))
}

function drainText({
  sinceMs,
  by,
  untilMs,
  isLate,
  to,
}: NonNullable<NodeView['draining']>): string {
  const at = (ms: number) => new Date(ms).toISOString()
  const until =
    untilMs === null
      ? ''
      : `, ${isLate ? 'by stop and start since' : 'without stops until'} ${at(untilMs)}`
  return `since ${at(sinceMs)}, by ${by}${to === null ? '' : `, to ${to} first`}${until}`
}

export function nodeFacts(node: NodeView): string[][] {
  const ago = node.lastAnswerAgoMs
  return [
    ['node', node.name],
    ['id', node.id],
    ['state', node.state + heldBack(node)],
    ...(node.quarantinedUntilMs === null
      ? []
      : [['quarantined until', new Date(node.quarantinedUntilMs).toISOString()]]),
    ...(node.draining === null ? [] : [['drained', drainText(node.draining)]]),
    ['session', node.connected ? 'open' : 'none'],
    ['last answer', ago === null ? '-' : `${formatDuration(ago)} ago`],
    ['clock', clockText(node)],
    ['heard by', node.heardBy.join(', ') || '-'],
    ['position', String(node.position)],
    ['capacity', amountsText(node.capacity)],
    ['measured', amountsText(node.measured)],
    ['fault domain', node.faultDomain ?? '-'],
    ['groups', String(node.groups)],
    ['epoch', String(node.epoch)],
    ['boot', node.bootId ?? '-'],
    ['takeover', node.under],
    ['fenced by', node.fence?.agent ?? 'an operator only'],
    ['joined', new Date(node.joinedAtMs).toISOString()],
    ...node.types.map((type) => [
      'type',
      `${type.type} ${type.version} ${type.sha256.slice(0, 12)}${typeNote(type)}`,
    ]),
  ]
}

function typeNote({ problem, allows }: NodeView['types'][number]): string {
  if (problem !== undefined) return `: cannot be hosted: ${problem}`
  return allows === undefined ? '' : `: ${allows}`
}
