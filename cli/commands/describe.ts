import { Argument, type Command } from 'commander'
import type { ClusterView, EventView, LogView } from '../../schema/api/bodies.ts'
import type { WhyView } from '../../schema/api/why.ts'
import { HoldfastError } from '../../schema/errors.ts'
import type { Runner } from '../command.ts'
import { renderStatus } from '../render-status.ts'
import type { Session } from '../session.ts'
import { nearest } from '../suggest.ts'
import { facts } from '../text.ts'
import { findThing, nameOf, type Thing } from '../things.ts'
import { eventLine } from './events.ts'
import { groupFacts } from './group.ts'
import { logLine } from './log.ts'
import { nodeFacts } from './node.ts'
import { resourceFacts, typeText } from './resource.ts'
import { askWhy, renderWhy } from './why.ts'

const KINDS = ['cluster', 'node', 'group', 'resource', 'type']
/** How much of the past belongs to a description. */
const EVENTS_LOOKED_AT = 1_000
const EVENTS_SHOWN = 10
const LINES_SHOWN = 20

export function addDescribe(program: Command, runner: Runner): void {
  program
    .command('describe')
    .description('everything about one thing, with its last events and log lines')
    .addArgument(new Argument('<kind>', KINDS.join(', ')).choices(KINDS))
    .argument('[name]', 'its name; not needed for the cluster in use')
    .action(runner.action(describe))
}

async function describe(
  session: Session,
  _: unknown,
  kind: string,
  name?: string,
): Promise<undefined> {
  if (kind === 'cluster') return describeCluster(session, name)
  if (name === undefined) throw nameMissing(kind)
  if (kind === 'type') return describeType(session, name)
  const view = await session.view()
  const thing = findThing(view, `${kind}/${name}`)
  const [why, events, log] = await Promise.all([
    askWhy(session, thing),
    lastEvents(session, view, (event) => isAbout(event, thing)),
    lastLines(session, thing),
  ])
  const about = describedAs(thing)
  session.out.answer({ kind, [kind]: about.value, why, events, log }, () =>
    sections(session, facts(about.rows), why, events, log),
  )
}

function nameMissing(kind: string): HoldfastError {
  return new HoldfastError({
    code: 'BAD_REQUEST',
    message: `which ${kind}?`,
    why: 'Only the cluster in use needs no name.',
    remedy: `holdfast describe ${kind} <name>`,
  })
}

function describedAs(thing: Thing): { value: object; rows: string[][] } {
  if (thing.kind === 'node') return { value: thing.node, rows: nodeFacts(thing.node) }
  if (thing.kind === 'group') return { value: thing.group, rows: groupFacts(thing.group) }
  return { value: thing.resource, rows: resourceFacts(thing.resource) }
}

/** Names are told apart by what the event is of: a group and a resource may share one. */
const isAbout = (event: EventView, thing: Thing) =>
  event.subject === nameOf(thing) && event.type.startsWith(`${thing.kind}.`)

async function lastEvents(
  session: Session,
  view: ClusterView,
  fits: (event: EventView) => boolean,
): Promise<EventView[]> {
  const after = Math.max(0, view.seq - EVENTS_LOOKED_AT)
  const query = { after, limit: EVENTS_LOOKED_AT }
  const { events } = await session.inCluster('listEvents', { query })
  return events.filter(fits).slice(-EVENTS_SHOWN)
}

async function lastLines(session: Session, thing: Thing | null): Promise<LogView[]> {
  const about =
    thing === null
      ? {}
      : thing.kind === 'node'
        ? { node: thing.node.name }
        : thing.kind === 'group'
          ? { group: thing.group.id }
          : { resource: thing.resource.id }
  const query = { ...about, limit: LINES_SHOWN }
  return (await session.inCluster('listLog', { query })).entries
}

async function describeCluster(session: Session, name: string | undefined): Promise<undefined> {
  if (name !== undefined) session.select(name)
  const view = await session.view()
  const [events, log] = await Promise.all([
    lastEvents(session, view, () => true),
    lastLines(session, null),
  ])
  session.out.answer({ kind: 'cluster', cluster: view, events, log }, () =>
    sections(
      session,
      renderStatus(view, { ...session.out.look, wide: true }).trimEnd(),
      null,
      events,
      log,
    ),
  )
}

async function describeType(session: Session, name: string): Promise<undefined> {
  const { types } = await session.inCluster('listTypes')
  const type = types.find((one) => one.type === name)
  const known = types.map((one) => one.type)
  const near = nearest(name, known)
  if (!type)
    throw new HoldfastError({
      code: 'NOT_FOUND',
      message: `there is no resource type "${name}"`,
      why: `There are: ${known.join(', ')}.`,
      remedy: near ? `did you mean "${near}"?` : 'List them: holdfast resource types',
    })
  session.out.answer({ kind: 'type', type }, () => typeText(type))
}

function sections(
  session: Session,
  head: string,
  why: WhyView | null,
  events: readonly EventView[],
  log: readonly LogView[],
): string {
  const indent = (lines: readonly string[]) => lines.map((line) => `  ${line}`)
  const none = ['  none']
  // The chain of the why is among the events already.
  const reason = why
    ? ['why', ...indent(renderWhy({ ...why, chain: [] }, session.out.look).split('\n'))]
    : []
  return [
    head,
    ...reason,
    'last events',
    ...(events.length > 0 ? indent(events.map(eventLine)) : none),
    'last log lines',
    ...(log.length > 0 ? indent(log.map(logLine)) : none),
  ].join('\n')
}
