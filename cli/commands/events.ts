import type { Command } from 'commander'
import type { EventView } from '../../schema/api/bodies.ts'
import { instant, type Runner, wholeNumber } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Note } from '../feed.ts'
import type { Session } from '../session.ts'
import { clean } from '../text.ts'
import { untilBack } from '../wait.ts'

/** How much of the past is shown when nothing else is asked for. */
const EVENTS_SHOWN = 50
/** How far back `--since` looks: the journal keeps about so many. */
const EVENTS_KEPT = 5_000
const PAGE = 1_000

export function addEvents(program: Command, runner: Runner): void {
  program
    .command('events')
    .description('global updates in order, each with its reason')
    .option('-f, --follow', 'goes on with what comes')
    .option('--after <seq>', 'only what came after this number', wholeNumber)
    .addOption(instant('--since', 'only what came since then'))
    .action(runner.action(events))
}

export function addHive(program: Command, runner: Runner): void {
  program
    .command('hive')
    .description('the cluster configuration database as key-value tree, or one key of it')
    .argument('[path]', 'e.g. /Cluster/Resources')
    .option('--version <number>', '1 is the snapshot of the first set-up', wholeNumber)
    .action(runner.action(hive))
}

interface EventsOptions {
  follow?: true
  after?: number
  since?: number
}

async function events(session: Session, options: EventsOptions): Promise<number> {
  const { seq } = await session.view()
  const back = options.since === undefined ? EVENTS_SHOWN : EVENTS_KEPT
  const since = options.since ?? 0
  const all = await eventsBetween(session, options.after ?? Math.max(0, seq - back), null)
  const shown = all.filter((event) => event.atMs >= since)
  const next = all.at(-1)?.seq ?? options.after ?? seq
  if (!options.follow) {
    session.out.answer({ events: shown, next }, () => shown.map(eventLine).join('\n'))
    return EXIT.done
  }
  for (const event of shown) session.out.item(event, () => eventLine(event))
  return follow(session, next)
}

async function follow(session: Session, after: number): Promise<number> {
  const feed = await session.feed(after)
  try {
    for (;;) {
      const notes = await feed.next()
      if (notes.some((one) => one.kind === 'away'))
        session.out.note('The control plane does not answer; asking again …')
      for (const event of await eventsIn(session, notes))
        session.out.item(event, () => eventLine(event))
    }
  } catch (error) {
    if (session.signal.aborted) return EXIT.interrupted
    throw error
  } finally {
    feed.close()
  }
}

export const eventLine = (event: EventView) =>
  `${new Date(event.atMs).toISOString()}  ${event.seq}  ${event.type}  ${clean(event.message)}`

/** The updates among what the stream said; those it left out are fetched. */
export async function eventsIn(session: Session, notes: readonly Note[]): Promise<EventView[]> {
  const found: EventView[] = []
  for (const note of notes) {
    if (note.kind === 'event') found.push(note.event)
    if (note.kind !== 'gap' || note.next <= note.after) continue
    const missed = await untilBack(session, () => eventsBetween(session, note.after, note.next))
    const first = missed[0]?.seq ?? note.next + 1
    if (first > note.after + 1)
      session.out.note(`Updates ${note.after + 1} to ${first - 1} are no longer kept.`)
    found.push(...missed)
  }
  return found
}

/** Page by page. `to` null: up to the newest. */
async function eventsBetween(
  session: Session,
  from: number,
  to: number | null,
): Promise<EventView[]> {
  const found: EventView[] = []
  for (let after = from; to === null || after < to; ) {
    const page = await session.inCluster('listEvents', { query: { after, limit: PAGE } })
    found.push(...page.events.filter((event) => to === null || event.seq <= to))
    after = page.next
    if (page.events.length < PAGE) break
  }
  return found
}

async function hive(
  session: Session,
  options: { version?: number },
  path?: string,
): Promise<undefined> {
  const answer = await session.inCluster('getHive', {
    query: {
      ...(path !== undefined && { path }),
      ...(options.version !== undefined && { version: options.version }),
    },
  })
  session.out.answer(answer, () => keys(path ?? '', answer.value).join('\n'))
}

/** `key = value`, one line each. */
function keys(path: string, value: unknown): string[] {
  if (value === null || typeof value !== 'object' || Object.keys(value).length === 0)
    return [`${path || '/'} = ${clean(JSON.stringify(value))}`]
  return Object.entries(value).flatMap(([key, below]) =>
    keys(`${path === '/' ? '' : path}/${key}`, below),
  )
}
