import type { Command } from 'commander'
import type { CutOffHost, SimulateAsk, SimulatedGroup } from '../../schema/api/simulate.ts'
import { list, noun, type Runner } from '../command.ts'
import { formatDuration } from '../duration.ts'
import { EXIT } from '../exit-codes.ts'
import { effectsText } from '../render-plan.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'
import { planned } from './config.ts'

export function addSimulate(program: Command, runner: Runner): void {
  const simulate = noun('simulate', 'what the cluster would do now; nothing is changed')
  simulate
    .command('node-down')
    .description('hosts are lost, all at the same time')
    .argument('<nodes...>')
    .action(
      runner.action((session, _: unknown, nodes: string[]) =>
        play(session, { what: 'nodeDown', nodes }),
      ),
    )
  simulate
    .command('partition')
    .description('hosts are cut off from the control plane, and live')
    .argument('<nodes...>', 'names, also with commas')
    .action(
      runner.action((session, _: unknown, nodes: string[]) =>
        play(session, { what: 'partition', nodes: nodes.flatMap(list) }),
      ),
    )
  simulate
    .command('drain')
    .description('nodes are drained')
    .argument('<nodes...>')
    .action(
      runner.action((session, _: unknown, nodes: string[]) =>
        play(session, { what: 'drain', nodes }),
      ),
    )
  simulate
    .command('fail')
    .description('a group fails beyond its restarts')
    .argument('<group>')
    .action(
      runner.action((session, _: unknown, group: string) => play(session, { what: 'fail', group })),
    )
  simulate
    .command('move')
    .description('a group is moved')
    .argument('<group>')
    .option('--to <node>', 'to this node; else to the best other one')
    .action(
      runner.action((session, { to }: { to?: string }, group: string) =>
        play(session, { what: 'move', group, to: to ?? null }),
      ),
    )
  simulate
    .command('apply')
    .description('a configuration is applied')
    .requiredOption('-f, --file <file>', 'YAML or JSON; - is standard input')
    .option('--prune', 'what the file does not name is deleted')
    .action(runner.action(applied))
  program.addCommand(simulate)
  program
    .command('survivability')
    .description('for each node: who would land where if it were lost, and what could not start')
    .option('--two', 'for each two of them')
    .action(runner.action(survivability))
}

/** Exit code 3: something that is wanted online could not be. */
async function play(session: Session, body: SimulateAsk): Promise<number> {
  const answer = await session.inCluster('simulate', { body })
  const { groups, cutOff } = answer
  session.out.answer(answer, () =>
    [
      ...cutOff.map(cutText),
      groups.length === 0
        ? cutOff.length === 0
          ? 'nothing would change'
          : 'no group would change its place'
        : table(['group', 'from', 'to', 'why not'], groups.map(row)),
    ].join('\n'),
  )
  return codeOf(groups)
}

async function applied(session: Session, options: { file: string; prune?: true }): Promise<number> {
  const { readConfig } = await import('../config-file.ts')
  const plan = await planned(
    session,
    await readConfig(session.surroundings, options.file),
    options.prune ?? false,
  )
  session.out.answer(plan, () => effectsText(plan.effects))
  return plan.effects.some(({ what }) => what === 'waits') ? EXIT.problems : EXIT.done
}

async function survivability(session: Session, { two }: { two?: true }): Promise<number> {
  const answer = await session.inCluster('survivability', { query: { lost: two ? '2' : '1' } })
  const rows = answer.nodes.flatMap(({ node, groups }) =>
    groups.length === 0
      ? [[node, '-', '-', 'nothing would change']]
      : groups.map((group) => {
          const [name = '', , to = '', why = ''] = row(group)
          return [node, name, to, why]
        }),
  )
  session.out.answer(answer, () => table(['if lost', 'group', 'to', 'why not'], rows))
  return codeOf(answer.nodes.flatMap(({ groups }) => groups))
}

function cutText({ node, does, stopsAfterMs, takenOverAfterMs }: CutOffHost): string {
  if (does === 'runsOn')
    return `${node} runs on, and nobody takes its groups until somebody confirms that it is off: holdfast fence confirm ${node}`
  if (does === 'fenced')
    return `${node} runs on until it is fenced; its groups are taken over after that`
  const [stops, taken] = [stopsAfterMs ?? 0, takenOverAfterMs ?? 0].map(formatDuration)
  return `${node} stops what it runs ${stops} after its last answered ping, and is taken over after ${taken}`
}

const codeOf = (groups: readonly SimulatedGroup[]): number =>
  groups.some((g) => g.wanted && (g.to === null || g.waitsFor.length > 0))
    ? EXIT.problems
    : EXIT.done

const row = ({ group, from, to, wanted, waitsFor, reasons }: SimulatedGroup): string[] => [
  wanted ? group : `${group} (offline)`,
  from ?? '-',
  to ?? 'nowhere',
  [
    ...(wanted && waitsFor.length > 0 ? [`waits for ${waitsFor.join(', ')}`] : []),
    ...reasons.map((one) => `${one.node} ${one.reason}`),
  ].join('; '),
]
