/** One failover or move, as it went: for people, for scripts, and as a post-mortem. */
import type { Command } from 'commander'
import type { TimelineView } from '../../schema/api/timeline.ts'
import { HoldfastError } from '../../schema/errors.ts'
import type { Runner } from '../command.ts'
import { formatDuration } from '../duration.ts'
import type { Session } from '../session.ts'
import { clean, facts, table } from '../text.ts'

interface Options {
  readonly list?: true
  readonly markdown?: true
}

export function addTimeline(program: Command, runner: Runner): void {
  program
    .command('timeline')
    .description('a failover or move as it went: detected, decided, stopped, placed, started')
    .argument('[which]', 'last, or its id, such as u123', 'last')
    .argument('[group]', 'only of this group')
    .option('--list', 'the last ones, a line each')
    .option('--markdown', 'as a post-mortem')
    .action(runner.action(timeline))
}

async function timeline(
  session: Session,
  options: Options,
  which: string,
  group?: string,
): Promise<undefined> {
  const id = which === 'last' ? undefined : which
  const { timelines } = await session.inCluster('listTimelines', {
    query: {
      ...(group !== undefined && { group }),
      ...(id !== undefined && { id }),
      ...(!options.list && id === undefined && { limit: 1 }),
    },
  })
  if (id !== undefined && timelines.length === 0)
    throw new HoldfastError({
      code: 'NOT_FOUND',
      message: `there is no change of owner with the id "${id}"`,
      remedy: 'List the last ones: holdfast timeline --list',
    })
  session.out.answer({ timelines }, () => {
    if (timelines.length === 0) return 'no group has changed its owner yet'
    if (options.list) return listText(timelines)
    return timelines.map(options.markdown ? markdown : timelineText).join('\n\n')
  })
}

const utc = (atMs: number) => new Date(atMs).toISOString()

/** Milliseconds of this size are instants. */
const INSTANT_MIN = 1e12

const valueText = (value: string | number): string =>
  typeof value === 'number' && value > INSTANT_MIN ? utc(value) : String(value)

const outageText = ({ outage }: TimelineView): string =>
  outage === null ? '-' : `${outage.is === 'atMost' ? 'at most ' : ''}${formatDuration(outage.ms)}`

const listText = (all: readonly TimelineView[]): string =>
  table(
    ['id', 'when', 'group', 'from', 'to', 'why', 'outage'],
    all.map((one) => [
      one.id,
      utc(one.beganAtMs),
      one.group,
      one.from ?? '-',
      one.to ?? '-',
      one.code,
      outageText(one),
    ]),
  )

const msText = (ms: number | null) => (ms === null ? 'goes on' : `${ms} ms`)

function rowsOf({ phases }: TimelineView): string[][] {
  const [first] = phases
  return phases.map(({ phase, fromMs, ms, what }) => [
    `+${fromMs - (first?.fromMs ?? fromMs)} ms`,
    phase,
    msText(ms),
    clean(what),
  ])
}

function timelineText(one: TimelineView): string {
  const rows = rowsOf(one)
  const evidence = Object.entries(one.evidence).map(([key, value]) => [
    `  ${key}`,
    valueText(value),
  ])
  const rejected = one.rejected.map(({ node, reason }) => [`  ${node}`, reason])
  const lines = [
    `${one.group}  ${clean(one.verdict)}`,
    `${one.id}  began ${utc(one.beganAtMs)}  outage ${outageText(one)}`,
    '',
    facts(rows.map((row) => ['', ...row])),
  ]
  if (evidence.length > 0)
    lines.push('', `evidence${one.rule === null ? '' : ` (rule ${one.rule})`}`, facts(evidence))
  if (rejected.length > 0) lines.push('', 'not taken', facts(rejected))
  return lines.join('\n')
}

function markdown(one: TimelineView): string {
  const cell = (text: string) => text.replaceAll('|', '\\|')
  const row = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`
  return [
    `## ${one.group}: ${clean(one.verdict)}`,
    '',
    `Began ${utc(one.beganAtMs)}, outage ${outageText(one)}, id ${one.id}.`,
    '',
    row(['From', 'Phase', 'Took', 'What']),
    row(['---:', '---', '---:', '---']),
    ...rowsOf(one).map(row),
    ...(Object.keys(one.evidence).length > 0
      ? ['', `Evidence${one.rule === null ? '' : ` (rule ${one.rule})`}:`, '']
      : []),
    ...Object.entries(one.evidence).map(([key, value]) => `* ${key}: ${clean(valueText(value))}`),
    ...(one.rejected.length > 0 ? ['', 'Nodes that were not taken:', ''] : []),
    ...one.rejected.map(({ node, reason }) => `* ${node}: ${clean(reason)}`),
    '',
    'Events:',
    '',
    ...one.events.map((event) => `* ${utc(event.atMs)} ${clean(event.message)}`),
  ].join('\n')
}
